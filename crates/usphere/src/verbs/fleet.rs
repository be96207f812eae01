//! `usphere get --all` and its like: one question to many devices of the server.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::block_on;
use crate::cli::reach::{Manner, ServerReach};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::signals::Signals;
use crate::transport::api::{Api, FleetLine, FleetSummary};

/// What the server may take on top of the devices' time.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);

/// Which devices, where it is not one.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Many devices instead of DEVICE")]
pub(crate) struct Fleet {
    /// All that the server knows
    #[arg(long, conflicts_with_all = ["agent", "listen", "later"])]
    all: bool,
    /// Those with this tag; with all of them where it is given again
    #[arg(long, value_name = "TAG", conflicts_with_all = ["agent", "listen", "later"])]
    tag: Vec<String>,
    /// Those in which these words occur: names, makers, versions, addresses
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["agent", "listen", "later"])]
    search: Option<String>,
    /// Of these, only those that are connected
    #[arg(long, conflicts_with_all = ["agent", "listen", "later"])]
    online: bool,
    /// How many are asked at the same time; 128 where not given
    #[arg(long, value_name = "N", conflicts_with_all = ["agent", "listen", "later"])]
    together: Option<usize>,
}

impl Fleet {
    /// Whether many devices are asked.
    pub(crate) fn is_wanted(&self) -> bool {
        self.all || self.online || !self.tag.is_empty() || self.search.is_some()
    }

    /// Asks them, and prints what each says as it comes.
    pub(crate) fn get(
        self,
        server: &ServerReach,
        manner: Manner,
        paths: &[String],
        max_depth: u32,
    ) -> Result<Exit, Failure> {
        let mut wanted = Map::new();
        wanted.insert("paths".into(), json!(paths));
        wanted.insert("max_depth".into(), json!(max_depth));
        let seconds = manner.timeout.as_secs() + u64::from(manner.timeout.subsec_nanos() > 0);
        wanted.insert("timeout".into(), json!(seconds));
        if let Some(together) = self.together {
            wanted.insert("together".into(), json!(together));
        }
        wanted.insert("devices".into(), self.devices());
        let wanted = Value::Object(wanted);
        block_on(async {
            let mut api = Api::connect(server, manner.timeout).await?;
            let mut signals = Signals::listen()?;
            tokio::select! {
                told = tell(&mut api, &wanted, manner) => told,
                () = signals.wait() => Ok(Exit::Interrupted),
            }
        })
    }

    fn devices(&self) -> Value {
        json!({
            "search": self.search,
            "tags": self.tag,
            "online": self.online.then_some(true),
        })
    }
}

async fn tell(api: &mut Api, wanted: &Value, manner: Manner) -> Result<Exit, Failure> {
    let patience = manner.timeout + SERVER_PATIENCE;
    let mut answer = api.fleet(wanted, patience).await?;
    let mut exit = Exit::Done;
    loop {
        let (line, read) = answer.next().await?;
        if manner.json {
            print::text(&(line + "\n"))?;
        }
        match read {
            FleetLine::Told { device, outcome } => {
                let told = print::told_by(&device, &outcome, manner.json)?;
                if told != Exit::Done {
                    exit = told;
                }
            }
            FleetLine::Untold { device, error } => {
                eprintln!(
                    "{}: {}",
                    print::clean(&device),
                    print::clean(&error.to_string())
                );
            }
            FleetLine::Summary { summary } => {
                eprintln!("{}", in_words(summary));
                return Ok(match summary.offline + summary.failed {
                    0 => exit,
                    _ => Exit::Absent,
                });
            }
        }
    }
}

fn in_words(summary: FleetSummary) -> String {
    let FleetSummary {
        devices,
        answered,
        offline,
        failed,
        milliseconds,
    } = summary;
    let seconds = Duration::from_millis(milliseconds).as_secs_f64();
    format!(
        "{devices} devices in {seconds:.1} s: {answered} answered, {offline} are not connected, {failed} failed"
    )
}
