//! `usphere operate`: run a command, and wait for its end.

mod kept;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::time::timeout;
use usphere_datamodel::operation::{
    Completion, Notification, NotificationKind, Operate, OperateOutcome, OperateStatus, Operation,
    OperationError, Outcome,
};

use super::operations::Later;
use super::subscription::Subscriptions;
use super::{assignment, block_on, conclude};
use crate::cli::reach::{Manner, Reach, Way, read_time};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::signals::Signals;
use crate::transport::feed::{Feed, Told};
use crate::transport::{AskError, Transport, patiently};

const USAGE: &str = "usphere operate DEVICE COMMAND [ARG=VALUE]...
       usphere operate --agent URL COMMAND [ARG=VALUE]...
       usphere operate --listen URL COMMAND [ARG=VALUE]...";

/// How much longer than we wait the device is to remember it.
const MARGIN: Duration = Duration::from_secs(60);

/// Random characters of a command key that nobody gave.
const KEY_LENGTH: usize = 12;

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, the path of the command with its (), and its input arguments
    #[arg(value_name = "DEVICE COMMAND ARG=VALUE", required = true)]
    words: Vec<String>,
    /// What the device calls this run of the command in what it tells of it [default: random; none with --no-wait]
    #[arg(long, value_name = "TEXT")]
    command_key: Option<String>,
    /// Do not wait for a command that takes long, but tell which Request it is
    #[arg(long)]
    no_wait: bool,
    /// How long a command that takes long may take. Seconds, or with ms, s, m, h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = read_time, conflicts_with = "no_wait")]
    wait: Duration,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, words) = self.reach.way(self.words)?;
        let operate = operate(&words)?;
        let manner = self.reach.manner;
        if self.no_wait || self.later.is_wanted() || self.later.has_key() {
            let command_key = self.command_key.unwrap_or_default();
            let operation = Operation::Operate(Operate {
                command_key,
                ..operate
            });
            return self.later.ask(way, manner, operation);
        }
        let operate = Operate {
            command_key: self.command_key.unwrap_or_else(random_key),
            ..operate
        };
        block_on(wait_for(way, manner, operate, self.wait))
    }
}

/// Runs a command and prints how it ended.
async fn wait_for(
    way: Way,
    manner: Manner,
    operate: Operate,
    patience: Duration,
) -> Result<Exit, Failure> {
    let mut transport = Transport::open(way, manner.timeout).await?;
    let mut signals = Signals::listen()?;
    let mut run = Run::new(operate, patience);
    let answer = tokio::select! {
        answer = run.run(&mut transport) => Some(answer),
        () = signals.wait() => None,
    };
    let farewell = async {
        run.leave(&mut transport).await;
        transport.close().await;
    };
    signals.say_farewell(farewell).await;
    let Some(answer) = answer else {
        return Ok(Exit::Interrupted);
    };
    let (answer, advice) = match answer {
        Ok(Ended { outcome, advice }) => (Ok(Outcome::Operate(outcome)), advice),
        Err(error) => (Err(error), None),
    };
    let exit = conclude(&Operation::Operate(run.operate), answer, manner)?;
    match advice {
        Some(advice) => Err(Failure::new(
            Exit::Absent,
            format_args!(
                "not complete after {} s; it goes on at the device",
                patience.as_secs()
            ),
        )
        .advise(advice)),
        None => Ok(exit),
    }
}

/// What came of a command.
struct Ended {
    outcome: OperateOutcome,
    /// What to do where its end was waited for in vain.
    advice: Option<String>,
}

impl Ended {
    fn of(outcome: OperateOutcome) -> Self {
        let advice = None;
        Self { outcome, advice }
    }

    fn too_late(outcome: OperateOutcome, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { outcome, advice }
    }
}

/// One run of a command.
struct Run {
    operate: Operate,
    subscriptions: Subscriptions,
    patience: Duration,
}

impl Run {
    fn new(operate: Operate, patience: Duration) -> Self {
        let command = [operate.command.clone()];
        let kind = [NotificationKind::OperationComplete];
        Self {
            subscriptions: Subscriptions::new(&kind, &command, patience + MARGIN),
            operate,
            patience,
        }
    }

    async fn run(&mut self, transport: &mut Transport) -> Result<Ended, AskError> {
        if let Transport::Server { api, device, .. } = transport
            && api.hears_ends(device).await.map_err(AskError::Other)?
        {
            return kept::run(api, device, &self.operate, self.patience).await;
        }
        self.subscribed(transport).await
    }

    /// Followed and subscribed before it is run, so that its end is not missed, however soon it comes.
    async fn subscribed(&mut self, transport: &mut Transport) -> Result<Ended, AskError> {
        let mut feed = transport.follow().await.map_err(AskError::Other)?;
        let refusal = match self.subscriptions.make(transport).await {
            Err(AskError::Operation(OperationError::Refused(refusal))) => Some(refusal),
            made => made.map(|()| None)?,
        };
        let operation = Operation::Operate(self.operate.clone());
        let mut outcome = operated(transport.execute(operation).await?)?;
        let Some(first) = started(&outcome).map(print::clean) else {
            return Ok(Ended::of(outcome));
        };
        if let Some(refusal) = refusal {
            eprintln!("not waiting for the end: {}", print::refusal(&refusal));
            return Ok(Ended::of(outcome));
        }
        let what = format!("waiting for {first} to complete");
        let patience = self.patience;
        let completion = self.completion(&mut feed, transport, &mut outcome);
        match patiently(&what, timeout(patience, completion)).await {
            Ok(completed) => completed.map(|()| Ended::of(outcome)),
            Err(_) => Ok(Ended::too_late(
                outcome,
                "--wait gives it longer; `usphere watch DEVICE --type OperationComplete` tells of its end",
            )),
        }
    }

    /// Waits until everything that was started has ended.
    async fn completion(
        &mut self,
        feed: &mut Feed,
        transport: &mut Transport,
        outcome: &mut OperateOutcome,
    ) -> Result<(), AskError> {
        while started(outcome).is_some() {
            match feed.next().await.map_err(AskError::Other)? {
                Told::Heard(heard) if self.subscriptions.brought(&heard.notified) => {
                    complete(
                        outcome,
                        &self.operate.command_key,
                        &heard.notified.notification,
                    );
                    heard.taken();
                }
                // It tells again what is not acknowledged, unless it has forgotten all.
                Told::Back => drop(self.subscriptions.renew(transport).await),
                Told::Gone(_) | Told::Heard(_) => {}
            }
        }
        Ok(())
    }

    /// Cleans up as far as that can be done; the rest the device does by itself.
    async fn leave(&mut self, transport: &mut Transport) {
        if self.subscriptions.are_made()
            && let Err(error) = self.subscriptions.remove(transport).await
        {
            tracing::info!(?error, "the Subscription is left to its TimeToLive");
        }
    }
}

fn operated(outcome: Outcome) -> Result<OperateOutcome, AskError> {
    match outcome {
        Outcome::Operate(outcome) => Ok(outcome),
        _ => {
            let text = "it answers something else".to_owned();
            Err(AskError::Operation(OperationError::InvalidAnswer { text }))
        }
    }
}

/// The first command that has not ended yet.
fn started(outcome: &OperateOutcome) -> Option<&str> {
    let is_started = |status: &OperateStatus| matches!(status, OperateStatus::Started(_));
    let mut results = outcome.results.iter();
    let result = results.find(|result| is_started(&result.status))?;
    Some(&result.command)
}

/// Takes down how one run ended: that of the command that is told, or the only one there is.
fn complete(outcome: &mut OperateOutcome, key: &str, notification: &Notification) {
    let Notification::OperationComplete {
        path,
        command,
        command_key,
        completion,
    } = notification
    else {
        return;
    };
    if command_key != key {
        return;
    }
    let command = format!("{path}{command}");
    let running = |status: &OperateStatus| matches!(status, OperateStatus::Started(_));
    let count = outcome
        .results
        .iter()
        .filter(|result| running(&result.status))
        .count();
    let result = outcome
        .results
        .iter_mut()
        .find(|result| running(&result.status) && (count == 1 || result.command == command));
    if let Some(result) = result {
        result.status = match completion.clone() {
            Completion::Completed(output) => OperateStatus::Completed(output),
            Completion::Failed(failure) => OperateStatus::Failed(failure),
        };
    }
}

fn random_key() -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(KEY_LENGTH);
    random.map(char::from).collect()
}

fn operate(words: &[String]) -> Result<Operate, Failure> {
    let Some((command, values)) = words.split_first() else {
        return Err(super::missing("COMMAND", USAGE)
            .advise("such as 'Device.LocalAgent.Controller.1.MTP.1.WebSocket.Reset()'"));
    };
    let mut arguments = BTreeMap::new();
    for word in values {
        let (name, value) = assignment::split(word)?;
        if arguments
            .insert(name.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(Failure::usage(format_args!("{name} is given twice")));
        }
    }
    Ok(Operate {
        arguments,
        ..Operate::new(command.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what tells of this run counts, and with several commands only the one that is named.
    #[test]
    fn each_end_is_taken_down_where_it_belongs() {
        let json = r#"{"results": [
            {"command": "Device.A.1.Go()", "started": "Device.LocalAgent.Request.1."},
            {"command": "Device.A.2.Go()", "started": "Device.LocalAgent.Request.2."},
            {"command": "Device.A.3.Go()", "failed": {"code": 7022, "text": "no"}}]}"#;
        let mut outcome: OperateOutcome = serde_json::from_str(json).unwrap();
        let end = |path: &str, key: &str| Notification::OperationComplete {
            path: path.into(),
            command: "Go()".into(),
            command_key: key.into(),
            completion: Completion::Completed(BTreeMap::new()),
        };
        complete(&mut outcome, "k", &end("Device.A.2.", "other"));
        complete(&mut outcome, "k", &end("Device.A.9.", "k"));
        assert_eq!(started(&outcome), Some("Device.A.1.Go()"));
        complete(&mut outcome, "k", &end("Device.A.1.", "k"));
        assert_eq!(started(&outcome), Some("Device.A.2.Go()"));
        // The last one may be called otherwise: by keys instead of instance numbers, for example.
        complete(&mut outcome, "k", &end("Device.A.[X==2].", "k"));
        assert_eq!(started(&outcome), None);
        let completed = |result: &usphere_datamodel::operation::OperateResult| {
            matches!(result.status, OperateStatus::Completed(_))
        };
        assert_eq!(
            outcome
                .results
                .iter()
                .filter(|result| completed(result))
                .count(),
            2
        );
    }

    #[test]
    fn a_command_has_arguments_by_name() {
        let words: Vec<String> = ["Device.Reboot()", "Cause=a=b"].map(str::to_owned).into();
        let operate = operate(&words).unwrap();
        assert_eq!(operate.command, "Device.Reboot()");
        assert_eq!(operate.arguments["Cause"], "a=b");
        assert!(operate.send_resp);
        let twice: Vec<String> = ["C()", "A=1", "A=2"].map(str::to_owned).into();
        assert!(super::operate(&twice).is_err());
    }
}
