//! `usphere devices`: the devices that the server knows.

use clap::{Args, Subcommand};

use super::block_on;
use crate::cli::reach::{Manner, ServerReach};
use crate::clock::now;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::devices::Device;
use crate::transport::api::Api;

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List {
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Show what is known of one
    Show {
        /// An endpoint ID, an unambiguous part of one, or an alias
        #[arg(value_name = "DEVICE")]
        device: String,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Give one an alias, or take it away
    Alias {
        /// An endpoint ID, an unambiguous part of one, or an alias
        #[arg(value_name = "DEVICE")]
        device: String,
        /// The alias; none takes it away
        #[arg(value_name = "NAME")]
        alias: Option<String>,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Let devices in that wait for it
    Approve {
        /// Whole Endpoint IDs, or aliases
        #[arg(value_name = "DEVICE", required_unless_present = "all")]
        devices: Vec<String>,
        /// All that wait now
        #[arg(long, conflicts_with = "devices")]
        all: bool,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Give one tags
    Tag {
        /// An endpoint ID, an unambiguous part of one, or an alias
        #[arg(value_name = "DEVICE")]
        device: String,
        /// Letters, digits and -_.:=/@
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<String>,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Take tags from one
    Untag {
        /// An endpoint ID, an unambiguous part of one, or an alias
        #[arg(value_name = "DEVICE")]
        device: String,
        /// The tags
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<String>,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
    /// Forget one and end its connection; it is back when it connects again
    Remove {
        /// An endpoint ID, an unambiguous part of one, or an alias
        #[arg(value_name = "DEVICE", required_unless_present = "pending")]
        device: Option<String>,
        /// All that wait to be approved now
        #[arg(long, conflicts_with = "device")]
        pending: bool,
        #[command(flatten)]
        server: ServerReach,
        #[command(flatten)]
        manner: Manner,
    },
}

/// Which devices are listed.
#[derive(Args, Debug, Default)]
struct Wanted {
    /// Only those that wait to be approved
    #[arg(long)]
    pending: bool,
    /// Only those in which these words occur: names, makers, versions, addresses
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only those with this tag; with all of them where it is given again
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only those that can be asked now
    #[arg(long, conflicts_with = "offline")]
    online: bool,
    /// Only those that cannot be asked now
    #[arg(long)]
    offline: bool,
}

impl Wanted {
    /// As the API takes it.
    fn query(&self) -> Vec<(&'static str, String)> {
        let state = self.pending.then(|| ("state", "pending".to_owned()));
        let tags = (!self.tag.is_empty()).then(|| ("tag", self.tag.join(",")));
        let search = self.search.clone().map(|words| ("search", words));
        let is_online = self
            .online
            .then_some(true)
            .or(self.offline.then_some(false));
        let online = is_online.map(|online| ("online", online.to_string()));
        [state, search, tags, online]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        block_on(self.action.run())
    }
}

impl Action {
    async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::List {
                wanted,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                let filters = wanted.query();
                let devices = api.devices(&filters).await?;
                if manner.json {
                    return print::json(&devices);
                }
                let devices = devices.into_iter().map(Device::read);
                let devices = devices.collect::<Result<Vec<_>, _>>()?;
                if devices.is_empty() && wanted.pending {
                    let which = if filters.len() > 1 { "such " } else { "" };
                    return print::text(&format!("no {which}device waits to be approved\n"));
                }
                print::text(&print::devices::table(&devices, !filters.is_empty(), now()))
            }
            Self::Show {
                device,
                server,
                manner,
            } => {
                let found = Api::connect(&server, manner.timeout)
                    .await?
                    .device(&device)
                    .await?;
                show(found, manner)
            }
            Self::Alias {
                device,
                alias,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                show(api.rename(&device, alias.as_deref()).await?, manner)
            }
            Self::Approve {
                devices,
                all,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                let devices = match all {
                    true => endpoint_ids(pending(&mut api).await?)?,
                    false => devices,
                };
                approve(&mut api, &devices, manner).await
            }
            Self::Tag {
                device,
                tags,
                server,
                manner,
            } => tag(&device, &tags, true, &server, manner).await,
            Self::Untag {
                device,
                tags,
                server,
                manner,
            } => tag(&device, &tags, false, &server, manner).await,
            Self::Remove {
                device,
                pending: _,
                server,
                manner,
            } => {
                let mut api = Api::connect(&server, manner.timeout).await?;
                match device {
                    Some(device) => remove(&mut api, &device, manner).await,
                    None => remove_pending(&mut api, manner).await,
                }
            }
        }
    }
}

/// Lets them in one after the other, up to the first that cannot be.
async fn approve(api: &mut Api, devices: &[String], manner: Manner) -> Result<Exit, Failure> {
    let mut approved = Vec::new();
    for device in devices {
        let device = api.approve(device).await?;
        if !manner.json {
            let found = Device::read(device.clone())?;
            print::text(&format!("approved {}\n", print::clean(&found.endpoint_id)))?;
            if found.is_unproven() {
                eprintln!(
                    "  nothing proves that it is who it says: whoever knows this Endpoint ID can come in its place"
                );
            }
        }
        approved.push(device);
    }
    match manner.json {
        true => print::json(&approved),
        false if approved.is_empty() => print::text("no device waits to be approved\n"),
        false => Ok(Exit::Done),
    }
}

async fn remove(api: &mut Api, device: &str, manner: Manner) -> Result<Exit, Failure> {
    let found = api.device(device).await?;
    let endpoint_id = Device::read(found.clone())?.endpoint_id;
    api.remove(&endpoint_id).await?;
    if manner.json {
        return print::json(&found);
    }
    print::text(&format!("removed {}\n", print::clean(&endpoint_id)))
}

/// Removes all that wait, up to the first that cannot be.
async fn remove_pending(api: &mut Api, manner: Manner) -> Result<Exit, Failure> {
    let found = pending(api).await?;
    for endpoint_id in endpoint_ids(found.clone())? {
        match api.remove(&endpoint_id).await {
            // It is gone already.
            Err(failure) if failure.exit == Exit::Absent => {}
            removed => removed?,
        }
    }
    if manner.json {
        return print::json(&found);
    }
    print::text(&format!(
        "removed {} that waited to be approved\n",
        found.len()
    ))
}

/// The devices that wait to be approved.
async fn pending(api: &mut Api) -> Result<Vec<serde_json::Value>, Failure> {
    let wanted = Wanted {
        pending: true,
        ..Wanted::default()
    };
    api.devices(&wanted.query()).await
}

fn endpoint_ids(devices: Vec<serde_json::Value>) -> Result<Vec<String>, Failure> {
    let devices = devices.into_iter().map(Device::read);
    devices.map(|device| Ok(device?.endpoint_id)).collect()
}

/// Gives a device tags, or takes them away.
async fn tag(
    device: &str,
    tags: &[String],
    is_wanted: bool,
    server: &ServerReach,
    manner: Manner,
) -> Result<Exit, Failure> {
    let mut api = Api::connect(server, manner.timeout).await?;
    let mut found = serde_json::Value::Null;
    for tag in tags {
        found = api.tag(device, tag, is_wanted).await?;
    }
    show(found, manner)
}

fn show(device: serde_json::Value, manner: Manner) -> Result<Exit, Failure> {
    if manner.json {
        return print::json(&device);
    }
    print::text(&print::devices::card(&Device::read(device)?, now()))
}
