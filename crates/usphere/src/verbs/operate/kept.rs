//! Waiting for the end of a command by its Operation, where the server hears of the end itself.

use std::time::Duration;

use tokio::time::timeout;
use usphere_datamodel::operation::{
    Notification, NotificationKind, Operate, OperateOutcome, Operation,
};

use super::{Ended, complete, operated, started};
use crate::failure::{Exit, Failure};
use crate::print;
use crate::print::operations::Kept;
use crate::transport::api::{Api, Asking};
use crate::transport::feed::{Feed, Told};
use crate::transport::{AskError, patiently};

/// How often the Operation is looked at when nothing is heard: it may end without a word of the device.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Runs a command, and waits until the Operation that it became has ended, for at most `patience`.
pub(super) async fn run(
    api: &mut Api,
    device: &str,
    operate: &Operate,
    patience: Duration,
) -> Result<Ended, AskError> {
    let operation = Operation::Operate(operate.clone());
    let carried = api.execute(device, &operation, Asking::Plainly);
    let carried = patiently("waiting for the answer to operate", carried).await?;
    let mut outcome = operated(carried.outcome)?;
    let first = started(&outcome).map(print::clean);
    let (Some(first), Some(id)) = (first, carried.id) else {
        return Ok(Ended::of(outcome));
    };
    let what = format!("waiting for {first} to complete");
    let end = end(api, device, &id, &operate.command_key, &mut outcome);
    match patiently(&what, timeout(patience, end)).await {
        Ok(ended) => ended.map_err(AskError::Other)?,
        Err(_) => {
            let advice =
                format!("--wait gives it longer; `usphere operations show {id}` tells of its end");
            return Ok(Ended::too_late(outcome, advice));
        }
    }
    Ok(Ended::of(outcome))
}

/// Waits for the end of the Operation, and takes down what came of it.
async fn end(
    api: &mut Api,
    device: &str,
    id: &str,
    command_key: &str,
    outcome: &mut OperateOutcome,
) -> Result<(), Failure> {
    // First of all: what happens after the first look is told.
    let mut feed = Feed::of_server(api.live(device)).await?;
    loop {
        let kept = Kept::read(api.operation(id).await?)?;
        if kept.has_failed() {
            return Err(Failure::new(Exit::Absent, kept.reason()));
        }
        // Of a large one the outcome is not kept, but was heard.
        if let Some(told) = kept
            .outcome
            .and_then(|told| serde_json::from_value(told).ok())
        {
            *outcome = told;
        }
        if kept.state != "waiting" {
            return Ok(());
        }
        if let Ok(heard) = timeout(LOOK_INTERVAL, heard(&mut feed)).await
            && let Some(heard) = heard?
        {
            complete(outcome, command_key, &heard);
        }
    }
}

/// Waits until the Operation may have ended: the end of a command was heard, or may have been missed.
async fn heard(feed: &mut Feed) -> Result<Option<Notification>, Failure> {
    loop {
        match feed.next().await? {
            Told::Heard(heard) => {
                let heard = heard.notified.notification;
                if heard.kind() == NotificationKind::OperationComplete {
                    return Ok(Some(heard));
                }
            }
            Told::Back => return Ok(None),
            Told::Gone(_) => {}
        }
    }
}
