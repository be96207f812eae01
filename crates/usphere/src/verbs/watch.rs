//! `usphere watch`: what happens on a device, as it happens.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};
use usphere_datamodel::operation::{Get, GetStatus, NotificationKind, Operation, Outcome};

use super::subscription::Subscriptions;
use super::{asked, block_on};
use crate::cli::reach::{Reach, read_time};
use crate::defaults::WATCH_LEASE;
use crate::failure::{Exit, Failure};
use crate::print::notifications::Lines;
use crate::signals::Signals;
use crate::transport::feed::Told;
use crate::transport::{AskError, Transport};

const USAGE: &str = "usphere watch DEVICE [PATH]... [--type TYPE]...
       usphere watch --agent URL [PATH]... [--type TYPE]...
       usphere watch --listen URL [PATH]... [--type TYPE]...";

/// Where all commands and events are watched when no path is given.
const EVERYTHING: &str = "Device.";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then what to watch: parameters and objects for values, tables for rows, commands and events or
    /// their objects; searches and wildcards are followed as rows come and go. Commands and events need no path
    #[arg(value_name = "DEVICE PATH")]
    words: Vec<String>,
    /// What to tell: ValueChange, ObjectCreation, ObjectDeletion, OperationComplete or Event; may be given again
    #[arg(long = "type", value_name = "TYPE", default_value = "ValueChange")]
    kinds: Vec<NotificationKind>,
    /// End after this time. Seconds, or with ms, s, m, h
    #[arg(long = "for", value_name = "TIME", value_parser = read_time)]
    time: Option<Duration>,
    /// End after so many notifications
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, mut paths) = self.reach.way(self.words)?;
        if paths.is_empty() {
            if let Some(kind) = self.kinds.iter().find(|kind| needs_paths(**kind)) {
                let what = match kind {
                    NotificationKind::ValueChange => "objects or parameters",
                    _ => "tables",
                };
                return Err(super::missing("PATH", USAGE)
                    .advise(format!("{kind} is of something: name {what}")));
            }
            paths.push(EVERYTHING.to_owned());
        }
        let mut kinds = self.kinds;
        kinds.sort_unstable();
        kinds.dedup();
        let manner = self.reach.manner;
        block_on(async {
            let mut transport = Transport::open(way, manner.timeout).await?;
            let mut signals = Signals::listen()?;
            let type_width = kinds.iter().map(|kind| kind.as_str().len()).max();
            let mut watch = Watch {
                watches_values: kinds.contains(&NotificationKind::ValueChange),
                subscriptions: Subscriptions::new(&kinds, &paths, WATCH_LEASE),
                lines: Lines::new(manner.json, type_width.unwrap_or_default()),
                end: self.time.map(|time| Instant::now() + time),
                left: self.count,
            };
            let watched = tokio::select! {
                watched = watch.run(&mut transport, &paths) => watched,
                () = signals.wait() => Ok(()),
            };
            let farewell = async {
                let left = watch.leave(&mut transport).await;
                transport.close().await;
                left
            };
            let left = signals.say_farewell(farewell).await;
            watched.and(left).map(|()| Exit::Done)
        })
    }
}

struct Watch {
    watches_values: bool,
    subscriptions: Subscriptions,
    lines: Lines,
    end: Option<Instant>,
    /// How many more to print, where that is limited.
    left: Option<u64>,
}

impl Watch {
    async fn run(&mut self, transport: &mut Transport, paths: &[String]) -> Result<(), Failure> {
        // Followed first, so that nothing is missed.
        let mut feed = transport.follow().await?;
        self.subscriptions.make(transport).await.map_err(asked)?;
        eprintln!(
            "watching {} of {}; Ctrl-C ends it",
            crate::print::clean(&paths.join(", ")),
            crate::print::clean(transport.device())
        );
        if self.watches_values {
            point_out_absent(transport, paths).await;
        }
        while self.left != Some(0) {
            tokio::select! {
                told = feed.next() => self.told(told?, transport).await?,
                () = sleep_until(self.subscriptions.due()) => self.renew(transport).await?,
                () = ended(self.end) => return Ok(()),
            }
        }
        Ok(())
    }

    async fn told(&mut self, told: Told, transport: &mut Transport) -> Result<(), Failure> {
        match told {
            Told::Gone(reason) => {
                eprintln!(
                    "the device is gone: {}; waiting for it",
                    crate::print::clean(&reason)
                );
            }
            Told::Back => {
                eprintln!("the device is back");
                self.renew(transport).await?;
            }
            Told::Heard(heard) if self.subscriptions.brought(&heard.notified) => {
                self.lines.print(&heard)?;
                heard.taken();
                self.left = self.left.map(|left| left.saturating_sub(1));
            }
            // Somebody else's.
            Told::Heard(_) => {}
        }
        Ok(())
    }

    /// A device that is away again will be back.
    async fn renew(&mut self, transport: &mut Transport) -> Result<(), Failure> {
        match self.subscriptions.renew(transport).await {
            Err(AskError::Operation(error)) if super::is_absence(&error) => Ok(()),
            Err(AskError::Other(failure)) if failure.exit == Exit::Absent => Ok(()),
            renewed => renewed.map_err(asked),
        }
    }

    async fn leave(&mut self, transport: &mut Transport) -> Result<(), Failure> {
        if !self.subscriptions.are_made() {
            return Ok(());
        }
        let removed = self.subscriptions.remove(transport).await;
        removed.map_err(|error| {
            let seconds = WATCH_LEASE.as_secs();
            asked(error).advise(format!(
                "the Subscription could not be taken away; the device forgets it by itself, after {seconds} s at the latest"
            ))
        })
    }
}

/// Tells which values are not there: they may come to be, or be misspelt.
async fn point_out_absent(transport: &mut Transport, paths: &[String]) {
    let get = Operation::Get(Get {
        paths: paths.to_vec(),
        max_depth: 1,
    });
    // A device that says nothing to this may notify all the same.
    let Ok(Outcome::Get(outcome)) = transport.execute(get).await else {
        return;
    };
    for result in outcome.results {
        let path = crate::print::clean(&result.requested);
        match result.status {
            GetStatus::Failed(failure) => {
                let text = crate::print::clean(&failure.text);
                eprintln!("note: {path} is not there now: {text} ({})", failure.code);
            }
            GetStatus::Found(objects) if objects.is_empty() => {
                eprintln!("note: nothing fits {path} now");
            }
            GetStatus::Found(_) => {}
        }
    }
}

/// All values of a device are far too much, and rows are watched table by table.
fn needs_paths(kind: NotificationKind) -> bool {
    match kind {
        NotificationKind::ObjectCreation
        | NotificationKind::ObjectDeletion
        | NotificationKind::ValueChange => true,
        NotificationKind::Event
        | NotificationKind::OnBoardRequest
        | NotificationKind::OperationComplete => false,
    }
}

async fn ended(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
