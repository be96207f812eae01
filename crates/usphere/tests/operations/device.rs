//! Devices that a test plays: they answer, they leave in the middle, and they remember which commands run on them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::{sleep, timeout};
use usphere_proto::Msg;
use usphere_proto::msg::{
    AddResp, AddSuccess, CompletionOutcome, CreatedObjectResult, DeleteResp, DeleteSuccess,
    DeletedObjectResult, GetResp, GetSupportedProtocolResp, MsgBody, Notification, Notify, Operate,
    OperateResp, OperationComplete, OperationOutcome, OperationResult, OutputArgs, Request,
    RequestType, ResponseType, SetResp, SetSuccess, UpdatedObjectResult,
};

use super::killed::Ledger;
use super::{House, SERVER};
use crate::support::Peer;

/// What a command tells when it is done: the number in its request.
pub(crate) const ANSWER: &str = "Answer";

/// The longest time that a command runs.
const RUN_MS_MAX: u64 = 400;

/// How long an Agent waits for the answer to a notification before it tells it again on the same link.
const RETRY: Duration = Duration::from_secs(5);

/// Time between two looks whether a command is done.
const STEP: Duration = Duration::from_millis(20);

/// Commands that run on a device or whose end nobody has acknowledged, by the msg_id of what tells of it. A device
/// remembers them whatever becomes of its connections.
pub(crate) type Running = Arc<Mutex<HashMap<String, Command>>>;

pub(crate) struct Command {
    end: Msg,
    /// When its end is told next.
    next: Instant,
}

/// What is asked comes with a number; none where the server asks for itself.
pub(crate) fn serial(request: &RequestType) -> Option<u64> {
    let path = match request {
        RequestType::Add(add) => &add.create_objs.first()?.obj_path,
        RequestType::Delete(delete) => delete.obj_paths.first()?,
        RequestType::Get(get) => get.param_paths.first()?,
        RequestType::Operate(operate) => &operate.command,
        RequestType::Set(set) => &set.update_objs.first()?.obj_path,
        _ => return None,
    };
    let digits = path.strip_prefix("Device.X.")?.split('.').next()?;
    digits.parse().ok()
}

/// Whether the command of this number ends later than its answer.
pub(crate) fn is_long(serial: u64) -> bool {
    serial.is_multiple_of(3)
}

/// A device that connects as long as the test goes on, and answers. Now and then it leaves in between.
pub(crate) async fn device(
    house: Arc<House>,
    name: &'static str,
    ledger: Arc<Mutex<Ledger>>,
    running: Running,
    seed: u64,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let url = format!("ws://{}/usp", house.ws);
    loop {
        let mut peer = Peer::dial(&url, name, SERVER).await;
        let _ = peer.link.sender.try_send(&peer.connect_record());
        for command in running.lock().unwrap().values_mut() {
            command.next = Instant::now() + pause(&mut random);
        }
        loop {
            let msg = match timeout(STEP, peer.next()).await {
                Ok(Ok(msg)) => Some(msg),
                Ok(Err(_)) => break,
                Err(_) => None,
            };
            tell_ends(&peer, &running);
            let Some(msg) = msg else { continue };
            let msg_id = msg.msg_id().to_owned();
            if let Some(ResponseType::NotifyResp(_)) = msg.as_response() {
                running.lock().unwrap().remove(&msg_id);
                continue;
            }
            let Some(MsgBody::Request(Request {
                req_type: Some(request),
            })) = msg.into_content()
            else {
                continue;
            };
            let leaves = random.random_ratio(1, 50);
            // Seen or not, answered or not: nobody knows of one that leaves.
            if !leaves || random.random() {
                begin(name, &request, &ledger, &running, pause(&mut random));
            }
            if leaves {
                break;
            }
            let answer = Msg::response(msg_id, answer(request));
            let answer = peer.carrying(answer.into_payload());
            let _ = peer.link.sender.try_send(&answer);
        }
        drop(peer);
        sleep(Duration::from_millis(random.random_range(0..100))).await;
    }
}

fn pause(random: &mut StdRng) -> Duration {
    Duration::from_millis(random.random_range(0..RUN_MS_MAX))
}

/// Takes down that it was asked, and starts what takes its time.
fn begin(
    name: &str,
    request: &RequestType,
    ledger: &Mutex<Ledger>,
    running: &Running,
    takes: Duration,
) {
    let Some(serial) = serial(request) else {
        return;
    };
    ledger.lock().unwrap().seen(serial);
    if let RequestType::Operate(operate) = request
        && is_long(serial)
    {
        let msg_id = format!("{name}-{serial}");
        let command = Command {
            end: end_of(msg_id.clone(), operate, serial),
            next: Instant::now() + takes,
        };
        running.lock().unwrap().insert(msg_id, command);
    }
}

/// What tells that a command is done.
fn end_of(msg_id: String, operate: &Operate, serial: u64) -> Msg {
    let complete = OperationComplete {
        obj_path: format!("Device.X.{serial}."),
        command_name: "Go()".into(),
        command_key: operate.command_key.clone(),
        operation_resp: Some(CompletionOutcome::ReqOutputArgs(output(serial))),
    };
    let notify = Notify {
        subscription_id: "ends".into(),
        send_resp: true,
        notification: Some(Notification::OperComplete(complete)),
    };
    Msg::request(msg_id, notify)
}

fn tell_ends(peer: &Peer, running: &Running) {
    let now = Instant::now();
    for command in running.lock().unwrap().values_mut() {
        if command.next <= now {
            command.next = now + RETRY;
            let told = peer.carrying(command.end.clone().into_payload());
            let _ = peer.link.sender.try_send(&told);
        }
    }
}

fn output(serial: u64) -> OutputArgs {
    OutputArgs {
        output_args: BTreeMap::from([(ANSWER.to_owned(), serial.to_string())]),
    }
}

fn answer(request: RequestType) -> ResponseType {
    let serial = serial(&request).unwrap_or_default();
    match request {
        RequestType::Add(add) => {
            let created = add.create_objs.into_iter().map(|object| {
                let success = AddSuccess {
                    instantiated_path: format!("{}1.", object.obj_path),
                    ..AddSuccess::default()
                };
                CreatedObjectResult::success(object.obj_path, success)
            });
            let created_obj_results = created.collect();
            AddResp {
                created_obj_results,
            }
            .into()
        }
        RequestType::Delete(delete) => {
            let deleted = delete.obj_paths.into_iter().map(|path| {
                let success = DeleteSuccess {
                    affected_paths: vec![path.clone()],
                    ..DeleteSuccess::default()
                };
                DeletedObjectResult::success(path, success)
            });
            let deleted_obj_results = deleted.collect();
            DeleteResp {
                deleted_obj_results,
            }
            .into()
        }
        RequestType::Set(set) => {
            let objects = set.update_objs.into_iter();
            let results = objects
                .map(|object| UpdatedObjectResult::success(object.obj_path, SetSuccess::default()));
            let updated_obj_results = results.collect();
            SetResp {
                updated_obj_results,
            }
            .into()
        }
        RequestType::Operate(operate) => {
            let outcome = match is_long(serial) {
                true => {
                    OperationOutcome::ReqObjPath(format!("Device.LocalAgent.Request.{serial}."))
                }
                false => OperationOutcome::ReqOutputArgs(output(serial)),
            };
            let result = OperationResult {
                executed_command: operate.command,
                operation_resp: Some(outcome),
            };
            let operation_results = vec![result];
            OperateResp { operation_results }.into()
        }
        RequestType::GetSupportedProtocol(_) => {
            let agent_supported_protocol_versions = "1.3,1.4".into();
            GetSupportedProtocolResp {
                agent_supported_protocol_versions,
            }
            .into()
        }
        _ => GetResp::default().into(),
    }
}
