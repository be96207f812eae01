//! `usphere log`: what the server and a device say to each other, as they say it.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};

use super::block_on;
use crate::cli::reach::{Manner, ServerReach, read_time};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::log::Printer;
use crate::signals::Signals;
use crate::transport::api::Api;
use crate::transport::log::{LogStream, Said};

const USAGE: &str = "usphere log DEVICE --follow
       usphere log DEVICE --for TIME
       usphere log DEVICE --count N";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// An endpoint ID, an unambiguous part of one, or an alias; a device that the server does not know yet needs its
    /// whole endpoint ID
    #[arg(value_name = "DEVICE")]
    device: String,
    /// Go on until Ctrl-C. Nothing is kept: what was said before is not shown
    #[arg(long, short)]
    follow: bool,
    /// End after this time. Seconds, or with ms, s, m, h
    #[arg(long = "for", value_name = "TIME", value_parser = read_time)]
    time: Option<Duration>,
    /// End after so many Records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// One line for each Record, without its fields
    #[arg(long, conflicts_with = "json")]
    brief: bool,
    #[command(flatten)]
    server: ServerReach,
    #[command(flatten)]
    manner: Manner,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        if !self.follow && self.time.is_none() && self.count.is_none() {
            return Err(super::missing("--follow, --for or --count", USAGE)
                .advise("nothing is kept of what was said; it is shown as it comes"));
        }
        block_on(async {
            let mut signals = Signals::listen()?;
            tokio::select! {
                ended = self.show() => ended,
                () = signals.wait() => Ok(Exit::Done),
            }
        })
    }

    async fn show(&self) -> Result<Exit, Failure> {
        let api = Api::connect(&self.server, self.manner.timeout).await?;
        let mut stream = LogStream::open(api.log(&self.device)).await?;
        let device = print::clean(&self.device);
        eprintln!("listening in on {device}; Ctrl-C ends it");
        let printer = Printer::new(self.manner.json, self.brief);
        let end = self.time.map(|time| Instant::now() + time);
        let mut left = self.count;
        while left != Some(0) {
            let said = tokio::select! {
                said = stream.next() => said?,
                () = ended(end) => return Ok(Exit::Done),
            };
            match said {
                Said::Back => eprintln!("the server is back"),
                Said::Gone(reason) => {
                    eprintln!(
                        "the server is gone: {}; waiting for it",
                        print::clean(&reason)
                    );
                }
                Said::Line(line) => {
                    if printer.print(&line)? {
                        left = left.map(|left| left - 1);
                    }
                }
            }
        }
        Ok(Exit::Done)
    }
}

async fn ended(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
