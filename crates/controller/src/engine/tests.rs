//! The Controller in virtual time, against Agents that say what a test makes them say.

mod answers;
mod links;
mod notifications;
mod records;
mod requests;

use std::time::Duration;

use usphere_datamodel::operation::{
    self, Completion, Get, GetOutcome, GetResult, GetStatus, Notified, ObjectValues, Operate,
    OperateOutcome, Refusal, SupportedProtocol,
};
use usphere_proto::msg::{
    Body, Deregister, DeregisterOutcome, GetResp, GetSupportedProtocolResp, Header, MsgBody,
    Notification, Notify, Register, RegisterOutcome, RegistrationPath, Request, RequestType,
    RequestedPathResult, ResolvedPathResult, Response, ResponseType, ValueChange,
};
use usphere_proto::record::{PayloadSecurity, SessionContext};
use usphere_proto::{ErrorCode, Limits, MsgType, RecordType};
use usphere_trust::Channel;

use super::*;
use crate::{Ignored, NotificationId};

const TIMEOUT: Duration = Duration::from_secs(30);

fn id(text: &str) -> EndpointId {
    EndpointId::parse(text).unwrap()
}

fn ours() -> EndpointId {
    id("self::controller")
}

fn agent() -> EndpointId {
    id("self::agent")
}

struct Scene {
    controller: Controller,
    now: Moment,
    operations: u64,
    received: u64,
    /// Whether notifications are taken at once.
    takes: bool,
    /// Those that were not.
    waiting: Vec<NotificationId>,
}

/// What one input brought about, sorted out.
#[derive(Debug, Default)]
struct Happened {
    sent: Vec<(LinkId, Record)>,
    outcomes: Vec<(OperationId, Result<Outcome, OperationError>)>,
    hangups: Vec<(LinkId, HangupReason)>,
    online: Vec<(EndpointId, LinkId)>,
    offline: Vec<(EndpointId, OfflineReason)>,
    notified: Vec<(EndpointId, String, Notified)>,
    notices: Vec<Notice>,
}

impl Happened {
    /// The only Message that was sent, and on which link.
    fn message(&self) -> Msg {
        let [(_, record)] = &self.sent[..] else {
            panic!("one Record is expected: {:?}", self.sent)
        };
        assert_eq!(record.from_id, ours().as_str());
        Msg::receive(record.payload().unwrap().clone(), &Limits::DEFAULT).unwrap()
    }

    fn error_code(&self) -> u32 {
        self.message().as_error().unwrap().err_code
    }

    fn nothing_but_a_notice(&self) -> &Notice {
        assert!(
            self.sent.is_empty() && self.outcomes.is_empty() && self.online.is_empty(),
            "{self:?}"
        );
        assert!(
            self.offline.is_empty() && self.notified.is_empty() && self.hangups.is_empty(),
            "{self:?}"
        );
        let [notice] = &self.notices[..] else {
            panic!("one notice is expected: {:?}", self.notices)
        };
        notice
    }

    fn ignored(&self) -> &Ignored {
        match self.nothing_but_a_notice() {
            Notice::Ignored { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }
}

impl Scene {
    fn new() -> Self {
        let config = Config {
            endpoint_id: ours(),
            msg_id_prefix: "t".into(),
        };
        Self {
            controller: Controller::new(config),
            now: Moment::ORIGIN,
            operations: 0,
            received: 0,
            takes: true,
            waiting: Vec::new(),
        }
    }

    /// A Controller with `agent()` online on link 1.
    fn online() -> Self {
        let mut scene = Self::new();
        scene.connect(1);
        let happened = scene.receive(1, Record::websocket_connect(&ours(), &agent()));
        assert_eq!(happened.online, [(agent(), LinkId(1))]);
        scene
    }

    fn connect(&mut self, link: u64) -> Happened {
        let peer = PeerIdentity {
            endpoint_id: None,
            channel: Channel::PlainLoopback,
        };
        self.handle(Input::Connected {
            link: LinkId(link),
            peer,
        })
    }

    /// What is read beside the engine is the same as what it reads itself: every other one is.
    fn receive(&mut self, link: u64, record: Record) -> Happened {
        self.received += 1;
        let link = LinkId(link);
        let content = match &record.record_type {
            Some(RecordType::NoSessionContext(content)) if self.received.is_multiple_of(2) => {
                content
            }
            _ => return self.handle(Input::Received { link, record }),
        };
        let msg = Msg::receive(content.payload.clone(), &Limits::DEFAULT);
        self.handle(Input::Read { link, record, msg })
    }

    /// A Message of `agent()`, outside of any session context.
    fn say(&mut self, link: u64, msg: &Msg) -> Happened {
        self.receive(
            link,
            Record::no_session(&ours(), &agent(), msg.clone().into_payload()),
        )
    }

    fn ask(&mut self, operation: Operation) -> (OperationId, Happened) {
        self.operations += 1;
        let name = OperationId(self.operations);
        let request = Input::Request {
            operation: name,
            agent: agent(),
            request: operation,
            timeout: TIMEOUT,
        };
        (name, self.handle(request))
    }

    fn wait(&mut self, duration: Duration) -> Happened {
        self.now = self.now + duration;
        self.handle(Input::Tick)
    }

    fn handle(&mut self, input: Input) -> Happened {
        let mut happened = Happened::default();
        self.handle_into(&mut happened, input);
        while self.takes
            && let Some(notification) = self.waiting.pop()
        {
            self.handle_into(&mut happened, Input::Taken { notification });
        }
        happened
    }

    fn handle_into(&mut self, happened: &mut Happened, input: Input) {
        self.controller.handle(input, self.now);
        while let Some(output) = self.controller.poll() {
            match output {
                Output::Hangup { link, reason } => happened.hangups.push((link, reason)),
                Output::Note(notice) => happened.notices.push(notice),
                Output::Notified {
                    notification,
                    agent,
                    msg_id,
                    notified,
                } => {
                    happened.notified.push((agent, msg_id, notified));
                    self.waiting.push(notification);
                }
                Output::Offline { agent, reason } => happened.offline.push((agent, reason)),
                Output::Online { agent, link, .. } => happened.online.push((agent, link)),
                Output::Outcome { operation, outcome } => {
                    happened.outcomes.push((operation, outcome))
                }
                Output::Send { link, record } => happened.sent.push((link, record)),
            }
        }
    }
}

fn get() -> Operation {
    Operation::Get(Get::all(["Device.DeviceInfo."]))
}

fn values(msg_id: &str, value: &str) -> Msg {
    let result = RequestedPathResult {
        requested_path: "Device.DeviceInfo.".into(),
        resolved_path_results: vec![ResolvedPathResult {
            resolved_path: "Device.DeviceInfo.".into(),
            result_params: [("Manufacturer".to_owned(), value.to_owned())].into(),
        }],
        ..RequestedPathResult::default()
    };
    Msg::response(
        msg_id,
        GetResp {
            req_path_results: vec![result],
        },
    )
}

fn value_of(outcome: &Result<Outcome, OperationError>) -> &str {
    let Ok(Outcome::Get(GetOutcome { results })) = outcome else {
        panic!("{outcome:?}")
    };
    let [
        GetResult {
            status: GetStatus::Found(objects),
            ..
        },
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    let [ObjectValues { parameters, .. }] = &objects[..] else {
        panic!("{objects:?}")
    };
    &parameters["Manufacturer"]
}

/// What [`notify`] says.
fn changed() -> Notified {
    Notified {
        subscription: "sub-7".into(),
        notification: operation::Notification::ValueChange {
            path: "Device.A.B".into(),
            value: "1".into(),
        },
    }
}

fn notify(send_resp: bool) -> Notify {
    let change = ValueChange {
        param_path: "Device.A.B".into(),
        param_value: "1".into(),
    };
    Notify {
        subscription_id: "sub-7".into(),
        send_resp,
        notification: Some(Notification::ValueChange(change)),
    }
}
