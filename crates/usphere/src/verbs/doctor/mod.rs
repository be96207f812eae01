//! `usphere doctor`: why a device is not there.

mod probe;
mod tls;

use std::str::FromStr;

use clap::Args;
use usphere_mtp::websocket::Target;
use usphere_proto::EndpointId;

use super::block_on;
use crate::cli::reach::{Manner, ServerReach};
use crate::clock::now;
use crate::defaults::CONTACTS_LISTED;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::contacts::{Contact, Server};
use crate::print::devices::Device;
use crate::tls::TlsPair;
use crate::transport::api::Api;

const USAGE: &str = "usphere doctor
       usphere doctor DEVICE|ADDRESS
       usphere doctor URL|HOST:PORT [--as ENDPOINT-ID]";

/// Where the door of a server is that is not told otherwise.
const DOOR_PATH: &str = "/usp";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// A device, known to the server or not: whole, or a part of its endpoint ID; or the address of one, for the
    /// contacts from there; or the URL of a server or an Agent (ws://… or wss://…), which is then tried from here,
    /// step by step, as is the door at a host and a port, with TLS or without. Without it, all contacts that failed are told
    #[arg(value_name = "DEVICE|ADDRESS|URL|HOST:PORT")]
    whom: Option<Whom>,
    /// Tell so many contacts at most
    #[arg(long, value_name = "N", default_value_t = CONTACTS_LISTED)]
    limit: usize,
    /// With a URL: who we are there. At the door of a server, go on as this device and say its Connect Record
    /// [default: self::usphere-cli]
    #[arg(long = "as", value_name = "ENDPOINT-ID", verbatim_doc_comment)]
    own: Option<EndpointId>,
    #[command(flatten)]
    pair: TlsPair,
    #[command(flatten)]
    server: ServerReach,
    #[command(flatten)]
    manner: Manner,
}

/// What is to be looked at.
#[derive(Clone, Debug)]
enum Whom {
    Device(String),
    /// A door, not known whether with TLS.
    Door(Target),
    Url(Target),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.contains("://") {
            true => {
                let target = text.parse::<Target>();
                target.map(Self::Url).map_err(|error| error.to_string())
            }
            false => Ok(door(text).map_or_else(|| Self::Device(text.to_owned()), Self::Door)),
        }
    }
}

/// What a host with a port means. An Endpoint ID has two colons and more, and is none.
fn door(text: &str) -> Option<Target> {
    let (host, port) = text.rsplit_once(':')?;
    let is_name = |host: &str| {
        let mut letters = host.bytes();
        !host.is_empty() && letters.all(|it| it.is_ascii_alphanumeric() || b".-_".contains(&it))
    };
    port.parse::<u16>().ok()?;
    (is_name(host) || host.starts_with('['))
        .then(|| format!("ws://{text}{DOOR_PATH}").parse().ok())
        .flatten()
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        block_on(async {
            match self.whom {
                Some(Whom::Door(target)) => {
                    let visit = probe::Visit::new(
                        target,
                        self.own,
                        self.pair.with(self.server.authorities),
                    );
                    let visit = visit.with_tls_if_need_be(self.manner).await;
                    probe::run(visit, self.manner).await
                }
                Some(Whom::Url(target)) => {
                    let visit = probe::Visit::new(
                        target,
                        self.own,
                        self.pair.with(self.server.authorities),
                    );
                    probe::run(visit, self.manner).await
                }
                Some(Whom::Device(_)) | None if self.own.is_some() => {
                    Err(Failure::usage("--as goes with a URL"))
                }
                Some(Whom::Device(device)) => {
                    told(&self.server, self.manner, Some(device), self.limit).await
                }
                None => told(&self.server, self.manner, None, self.limit).await,
            }
        })
    }
}

/// What the server has kept.
async fn told(
    server: &ServerReach,
    manner: Manner,
    device: Option<String>,
    limit: usize,
) -> Result<Exit, Failure> {
    let mut api = Api::connect(server, manner.timeout).await?;
    let contacts = api.contacts(device.as_deref(), limit).await?;
    if manner.json {
        return print::json(&contacts);
    }
    let server = Server::read(api.server().await?)?;
    print::text(&print::contacts::head(&server))?;
    if let Some(device) = &device {
        print::text(&known(&mut api, device).await?)?;
    }
    let contacts = contacts.into_iter().map(Contact::read);
    let contacts = contacts.collect::<Result<Vec<_>, _>>()?;
    print::text(&print::contacts::list(&contacts, device.as_deref(), now()))
}

/// What the inventory knows of the device.
async fn known(api: &mut Api, device: &str) -> Result<String, Failure> {
    match api.device(device).await {
        Ok(found) => Ok(print::devices::line(&Device::read(found)?, now())),
        Err(failure) if failure.exit == Exit::Absent => {
            let device = print::clean(device);
            Ok(format!(
                "{device}: the server knows no such device, or not only one\n"
            ))
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_a_port_is_a_door_and_nothing_else_is() {
        let url = |text| door(text).map(|target| target.to_string());
        assert_eq!(
            url("192.0.2.1:8081").as_deref(),
            Some("ws://192.0.2.1:8081/usp")
        );
        assert_eq!(url("[::1]:81").as_deref(), Some("ws://[::1]:81/usp"));
        assert_eq!(
            url("acs.example:8081").as_deref(),
            Some("ws://acs.example:8081/usp")
        );
        for device in [
            "192.0.2.1",
            "os::1",
            "self::1",
            "::1",
            "kitchen",
            "a:b",
            ":1",
            "a:65536",
        ] {
            assert_eq!(url(device), None, "{device}");
        }
    }
}
