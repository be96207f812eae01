//! The Controller in virtual time, against Agents that say what a test makes them say.

use std::time::Duration;

use usphere_datamodel::operation::{
    Get, GetOutcome, GetResult, GetStatus, ObjectValues, Operate, OperateOutcome, Refusal, SupportedProtocol,
};
use usphere_proto::msg::{
    Body, Deregister, DeregisterOutcome, GetResp, GetSupportedProtocolResp, Header, MsgBody, Notification, Notify,
    Register, RegisterOutcome, RegistrationPath, Request, RequestType, RequestedPathResult, ResolvedPathResult,
    Response, ResponseType, ValueChange,
};
use usphere_proto::record::{PayloadSecurity, SessionContext};
use usphere_proto::{ErrorCode, Limits, MsgType, RecordType};
use usphere_trust::Channel;

use super::*;
use crate::Ignored;

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
}

/// What one input brought about, sorted out.
#[derive(Debug, Default)]
struct Happened {
    sent: Vec<(LinkId, Record)>,
    outcomes: Vec<(OperationId, Result<Outcome, OperationError>)>,
    hangups: Vec<(LinkId, HangupReason)>,
    online: Vec<(EndpointId, LinkId)>,
    offline: Vec<(EndpointId, OfflineReason)>,
    notified: Vec<(EndpointId, Notify)>,
    notices: Vec<Notice>,
}

impl Happened {
    /// The only Message that was sent, and on which link.
    fn message(&self) -> Msg {
        let [(_, record)] = &self.sent[..] else { panic!("one Record is expected: {:?}", self.sent) };
        assert_eq!(record.from_id, ours().as_str());
        Msg::receive(record.payload().unwrap().clone(), &Limits::DEFAULT).unwrap()
    }

    fn error_code(&self) -> u32 {
        self.message().as_error().unwrap().err_code
    }

    fn nothing_but_a_notice(&self) -> &Notice {
        assert!(self.sent.is_empty() && self.outcomes.is_empty() && self.online.is_empty(), "{self:?}");
        assert!(self.offline.is_empty() && self.notified.is_empty() && self.hangups.is_empty(), "{self:?}");
        let [notice] = &self.notices[..] else { panic!("one notice is expected: {:?}", self.notices) };
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
        let config = Config { endpoint_id: ours(), msg_id_prefix: "t".into() };
        Self { controller: Controller::new(config), now: Moment::ORIGIN, operations: 0 }
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
        let peer = PeerIdentity { endpoint_id: None, channel: Channel::PlainLoopback };
        self.handle(Input::Connected { link: LinkId(link), peer })
    }

    fn receive(&mut self, link: u64, record: Record) -> Happened {
        self.handle(Input::Received { link: LinkId(link), record })
    }

    /// A Message of `agent()`, outside of any session context.
    fn say(&mut self, link: u64, msg: &Msg) -> Happened {
        self.receive(link, Record::no_session(&ours(), &agent(), msg.to_payload()))
    }

    fn ask(&mut self, operation: Operation) -> (OperationId, Happened) {
        self.operations += 1;
        let name = OperationId(self.operations);
        let request = Input::Request { operation: name, agent: agent(), request: operation, timeout: TIMEOUT };
        (name, self.handle(request))
    }

    fn wait(&mut self, duration: Duration) -> Happened {
        self.now = self.now + duration;
        self.handle(Input::Tick)
    }

    fn handle(&mut self, input: Input) -> Happened {
        self.controller.handle(input, self.now);
        let mut happened = Happened::default();
        while let Some(output) = self.controller.poll() {
            match output {
                Output::Hangup { link, reason } => happened.hangups.push((link, reason)),
                Output::Note(notice) => happened.notices.push(notice),
                Output::Notified { agent, notify } => happened.notified.push((agent, notify)),
                Output::Offline { agent, reason } => happened.offline.push((agent, reason)),
                Output::Online { agent, link, .. } => happened.online.push((agent, link)),
                Output::Outcome { operation, outcome } => happened.outcomes.push((operation, outcome)),
                Output::Send { link, record } => happened.sent.push((link, record)),
            }
        }
        happened
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
    Msg::response(msg_id, GetResp { req_path_results: vec![result] })
}

fn value_of(outcome: &Result<Outcome, OperationError>) -> &str {
    let Ok(Outcome::Get(GetOutcome { results })) = outcome else { panic!("{outcome:?}") };
    let [GetResult { status: GetStatus::Found(objects), .. }] = &results[..] else { panic!("{results:?}") };
    let [ObjectValues { parameters, .. }] = &objects[..] else { panic!("{objects:?}") };
    &parameters["Manufacturer"]
}

fn notify(send_resp: bool) -> Notify {
    let change = ValueChange { param_path: "Device.A.B".into(), param_value: "1".into() };
    Notify { subscription_id: "sub-7".into(), send_resp, notification: Some(Notification::ValueChange(change)) }
}

/// Many requests wait at once, and each answer finds its own, in whatever order they come.
///
/// Proves: R-MSG.9, R-MSG.8
#[test]
fn answers_are_told_apart_by_msg_id() {
    let mut scene = Scene::online();
    let asked: Vec<_> = (0..8).map(|_| scene.ask(get())).collect();
    let mut ids: Vec<_> = asked.iter().map(|(_, happened)| happened.message().msg_id().to_owned()).collect();
    for ((operation, _), msg_id) in asked.iter().zip(&ids).rev() {
        let happened = scene.say(1, &values(msg_id, msg_id));
        let [(concluded, outcome)] = &happened.outcomes[..] else { panic!("{happened:?}") };
        assert_eq!(concluded, operation);
        assert_eq!(value_of(outcome), msg_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert!(ids.iter().all(|msg_id| !msg_id.is_empty()));
    assert_eq!(scene.controller.deadline(), None);
}

/// An answer that was never asked for, is late, or comes twice changes nothing.
///
/// Proves: R-MSG.9
#[test]
fn answers_that_nobody_waits_for_are_ignored() {
    let mut scene = Scene::online();
    assert!(matches!(scene.say(1, &values("t-99", "x")).ignored(), Ignored::NotAsked(_)));
    let error = Msg::error("", ErrorCode::InternalError, "broken", vec![]);
    assert!(matches!(scene.say(1, &error).ignored(), Ignored::Erroneous(_)));

    let (_, asked) = scene.ask(get());
    let msg_id = asked.message().msg_id().to_owned();
    assert_eq!(scene.say(1, &values(&msg_id, "x")).outcomes.len(), 1);
    assert!(matches!(scene.say(1, &values(&msg_id, "x")).ignored(), Ignored::NotAsked(_)));

    let (operation, asked) = scene.ask(get());
    let msg_id = asked.message().msg_id().to_owned();
    assert_eq!(scene.wait(TIMEOUT).outcomes, [(operation, Err(OperationError::TimedOut))]);
    assert!(matches!(scene.say(1, &values(&msg_id, "x")).ignored(), Ignored::NotAsked(_)));
}

/// Another Agent cannot answer in the name of the one that was asked, on its own link or on that one's.
///
/// Proves: R-MSG.9
#[test]
fn only_the_agent_that_was_asked_can_answer() {
    let mut scene = Scene::online();
    let other = id("self::other");
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &other));
    let (_, asked) = scene.ask(get());
    let answer = values(asked.message().msg_id(), "forged").to_payload();
    let forged = Record::no_session(&ours(), &other, answer.clone());
    assert!(matches!(scene.receive(2, forged.clone()).ignored(), Ignored::NotAsked(_)));
    assert_eq!(scene.receive(1, forged).ignored(), &Ignored::OtherAgent);
    let stolen = Record::no_session(&ours(), &agent(), answer.clone());
    assert_eq!(scene.receive(2, stolen.clone()).ignored(), &Ignored::OtherAgent);
    assert_eq!(scene.receive(1, stolen).outcomes.len(), 1);
}

#[test]
fn an_error_message_and_an_answer_of_the_wrong_kind_conclude_the_operation() {
    let mut scene = Scene::online();
    let (operation, asked) = scene.ask(get());
    let refused = Msg::error(asked.message().msg_id(), ErrorCode::RequestDenied, "no", vec![]);
    let refusal = Refusal { code: 7002, text: "no".into(), parameters: vec![] };
    assert_eq!(scene.say(1, &refused).outcomes, [(operation, Err(OperationError::Refused(refusal)))]);

    let (_, asked) = scene.ask(get());
    let wrong = Msg::response(asked.message().msg_id(), GetSupportedProtocolResp::default());
    assert!(matches!(scene.say(1, &wrong).outcomes[..], [(_, Err(OperationError::InvalidAnswer { .. }))]));

    let (_, asked) = scene.ask(get());
    let mut empty = values(asked.message().msg_id(), "");
    empty.body = Some(Body { msg_body: Some(MsgBody::Response(Response { resp_type: None })) });
    assert!(matches!(scene.say(1, &empty).outcomes[..], [(_, Err(OperationError::InvalidAnswer { .. }))]));
}

/// Each request runs out by itself, at its own time, and a cancelled one says nothing.
#[test]
fn time_outs_come_one_by_one() {
    let mut scene = Scene::online();
    let (first, _) = scene.ask(get());
    scene.wait(Duration::from_secs(10));
    let (second, _) = scene.ask(get());
    let (third, _) = scene.ask(get());
    scene.handle(Input::Cancel { operation: third });
    assert_eq!(scene.controller.deadline(), Some(Moment::ORIGIN + TIMEOUT));
    assert_eq!(scene.wait(Duration::from_secs(20)).outcomes, [(first, Err(OperationError::TimedOut))]);
    assert_eq!(scene.wait(Duration::from_secs(10)).outcomes, [(second, Err(OperationError::TimedOut))]);
    assert_eq!(scene.controller.deadline(), None);
}

#[test]
fn an_operate_that_wants_no_answer_is_done_when_it_is_sent() {
    let mut scene = Scene::online();
    let operate = Operate { send_resp: false, ..Operate::new("Device.Reboot()") };
    let (operation, happened) = scene.ask(Operation::Operate(operate));
    assert!(matches!(happened.message().as_request(), Some(RequestType::Operate(sent)) if !sent.send_resp));
    assert_eq!(happened.outcomes, [(operation, Ok(Outcome::Operate(OperateOutcome::default())))]);
    assert_eq!(scene.controller.deadline(), None);
}

#[test]
fn requests_to_one_agent_are_bounded() {
    let mut scene = Scene::online();
    for _ in 0..OUTSTANDING_MAX {
        assert!(scene.ask(get()).1.outcomes.is_empty());
    }
    let (_, happened) = scene.ask(get());
    assert!(matches!(happened.outcomes[..], [(_, Err(OperationError::Overloaded { .. }))]));
    assert!(happened.sent.is_empty());
}

/// The blanks that a person put around operators do not go out.
///
/// Proves: R-ARC.9b
#[test]
fn search_expressions_go_out_without_blanks() {
    let mut scene = Scene::online();
    let path = r#"Device.LocalAgent.Controller.[Alias == "a b" && Enable==true]."#;
    let (_, happened) = scene.ask(Operation::Get(Get::all([path])));
    let message = happened.message();
    let Some(RequestType::Get(sent)) = message.as_request() else { panic!("{message:?}") };
    assert_eq!(sent.param_paths, [r#"Device.LocalAgent.Controller.[Alias=="a b"&&Enable==true]."#]);
}

#[test]
fn the_versions_we_speak_are_told_where_none_are_given() {
    let mut scene = Scene::online();
    let (_, happened) = scene.ask(Operation::SupportedProtocol(SupportedProtocol::default()));
    let message = happened.message();
    let Some(RequestType::GetSupportedProtocol(sent)) = message.as_request() else { panic!("{message:?}") };
    assert_eq!(sent.controller_supported_protocol_versions, "1.0,1.1,1.2,1.3,1.4");
}

/// Proves: R-NOT.8, R-NOT.10, R-MSG.0, R-MSG.9, R-MSG.0a
#[test]
fn a_notify_is_acknowledged_only_where_the_agent_wants_it() {
    let mut scene = Scene::online();
    let happened = scene.say(1, &Msg::request("n-1", notify(true)));
    assert_eq!(happened.notified, [(agent(), notify(true))]);
    assert!(matches!(happened.sent[0].1.record_type, Some(RecordType::NoSessionContext(_))));
    let answer = happened.message();
    assert_eq!(answer.msg_id(), "n-1");
    let Some(ResponseType::NotifyResp(resp)) = answer.as_response() else { panic!("{answer:?}") };
    assert_eq!(resp.subscription_id, "sub-7");

    let happened = scene.say(1, &Msg::request("n-2", notify(false)));
    assert_eq!(happened.notified, [(agent(), notify(false))]);
    assert!(happened.sent.is_empty());
}

/// Proves: R-DEREG.4, R-DEREG.2
#[test]
fn a_deregister_gets_a_response_and_never_an_error() {
    let mut scene = Scene::online();
    let paths = vec!["Device.Time.".to_owned(), String::new()];
    let happened = scene.say(1, &Msg::request("d-1", Deregister { paths }));
    let answer = happened.message();
    let Some(ResponseType::DeregisterResp(resp)) = answer.as_response() else { panic!("{answer:?}") };
    let outcomes: Vec<_> = resp
        .deregistered_path_results
        .iter()
        .map(|each| each.oper_status.as_ref().unwrap().oper_status.as_ref().unwrap())
        .collect();
    assert!(matches!(outcomes[..], [DeregisterOutcome::OperFailure(_), DeregisterOutcome::OperSuccess(_)]));
}

/// Proves: R-MSG.0, R-MSG.1
#[test]
fn requests_that_are_not_served_here_are_refused() {
    let mut scene = Scene::online();
    let reg_paths = vec![RegistrationPath { path: "Device.Time.".into() }];
    let register = Register { allow_partial: false, reg_paths };
    let happened = scene.say(1, &Msg::request("r-1", register.clone()));
    assert_eq!((happened.error_code(), happened.message().msg_id()), (7028, "r-1"));

    let happened = scene.say(1, &Msg::request("r-2", Register { allow_partial: true, ..register }));
    let answer = happened.message();
    let Some(ResponseType::RegisterResp(resp)) = answer.as_response() else { panic!("{answer:?}") };
    let status = resp.registered_path_results[0].oper_status.as_ref().unwrap();
    assert!(matches!(status.oper_status, Some(RegisterOutcome::OperFailure(_))));

    let happened = scene.say(1, &Msg::request("g-1", usphere_proto::msg::Get::default()));
    assert_eq!(happened.error_code(), 7001);

    let mut unknown = Msg::request("u-1", notify(true));
    unknown.body = Some(Body { msg_body: Some(MsgBody::Request(Request { req_type: None })) });
    assert_eq!(scene.say(1, &unknown).error_code(), 7004);
    let header = Header { msg_id: "u-2".into(), msg_type: 0 };
    let bare = Msg { header: Some(header), body: None };
    assert!(matches!(scene.say(1, &bare).ignored(), Ignored::Erroneous(_)));
}

/// The body decides what a Message is; the header's word for it only has to be a known one.
///
/// Proves: R-MSG.10, R-ENC.2
#[test]
fn the_body_decides_what_a_message_is() {
    let mut scene = Scene::online();
    let mut misnamed = Msg::request("n-1", notify(true));
    misnamed.header = Some(Header { msg_id: "n-1".into(), msg_type: MsgType::GetResp as i32 });
    assert_eq!(scene.say(1, &misnamed).notified.len(), 1);
    misnamed.header = Some(Header { msg_id: "n-1".into(), msg_type: 99 });
    assert_eq!(scene.say(1, &misnamed).error_code(), 7004);
}

/// Proves: R-E2E.1
#[test]
fn a_record_for_another_endpoint_is_ignored() {
    let mut scene = Scene::new();
    scene.connect(1);
    let stray = Record::websocket_connect(&id("self::elsewhere"), &agent());
    assert!(matches!(scene.receive(1, stray).ignored(), Ignored::Erroneous(_)));

    let mut scene = Scene::online();
    let payload = Msg::request("n-1", notify(true)).to_payload();
    let mut record = Record::no_session(&id("self::elsewhere"), &agent(), payload);
    assert!(matches!(scene.receive(1, record.clone()).ignored(), Ignored::Erroneous(_)));
    record.to_id.clear();
    assert!(matches!(scene.receive(1, record).ignored(), Ignored::Erroneous(_)));
}

/// An Agent that has our ID is somebody else, but not one to speak with: its connection is closed,
/// and the other Agents never notice.
///
/// Proves: R-ARC.1, R-ARC.2
#[test]
fn an_agent_with_our_own_endpoint_id_is_sent_away() {
    let mut scene = Scene::online();
    scene.connect(2);
    let happened = scene.receive(2, Record::websocket_connect(&ours(), &ours()));
    assert_eq!(happened.hangups, [(LinkId(2), HangupReason::OurEndpointId)]);
    assert!(happened.sent.is_empty() && happened.online.is_empty() && happened.offline.is_empty());

    let peer = PeerIdentity { endpoint_id: Some(ours()), channel: Channel::PlainLoopback };
    let happened = scene.handle(Input::Connected { link: LinkId(3), peer });
    assert_eq!(happened.hangups, [(LinkId(3), HangupReason::OurEndpointId)]);

    let request = Input::Request { operation: OperationId(50), agent: ours(), request: get(), timeout: TIMEOUT };
    let happened = scene.handle(request);
    assert_eq!(happened.outcomes, [(OperationId(50), Err(OperationError::NotConnected))]);
    assert!(happened.sent.is_empty());
    assert_eq!(scene.ask(get()).1.sent.len(), 1);
}

/// An erroneous Record is answered if it is a request whose msg_id can be read, from a known sender to us;
/// otherwise there is no answer.
///
/// Proves: R-MTP.5, R-ENC.4
#[test]
fn erroneous_records_are_answered_only_where_all_is_known() {
    let mut scene = Scene::online();
    let request = Msg::request("n-1", notify(true));
    let good = Record::no_session(&ours(), &agent(), request.to_payload());

    let old = Record { version: "two".into(), ..good.clone() };
    let happened = scene.receive(1, old.clone());
    assert_eq!((happened.error_code(), happened.message().msg_id()), (7104, "n-1"));
    assert!(happened.notified.is_empty());
    assert_eq!(scene.receive(1, Record { version: String::new(), ..good.clone() }).error_code(), 7104);
    let secured = Record { payload_security: PayloadSecurity::Tls12 as i32, ..good.clone() };
    assert_eq!(scene.receive(1, secured).error_code(), 7104);
    assert_eq!(scene.receive(1, Record { payload_security: 9, ..good.clone() }).error_code(), 7104);
    let content = SessionContext { session_id: 2, sequence_id: 1, expected_id: 1, payload: vec![request.to_payload()], ..SessionContext::default() };
    assert_eq!(scene.receive(1, Record::session(&ours(), &agent(), content.clone())).error_code(), 7106);

    let answer = values("t-1", "x").to_payload();
    let mut silent = vec![
        Record { from_id: "nonsense".into(), ..old.clone() },
        Record { to_id: "self::elsewhere".into(), ..old.clone() },
        Record { record_type: None, ..good.clone() },
        Record { version: "two".into(), ..Record::no_session(&ours(), &agent(), answer) },
        Record { version: "two".into(), ..Record::no_session(&ours(), &agent(), vec![0xff; 8]) },
        Record::session(&ours(), &agent(), SessionContext { payload: vec![vec![0xff; 8].into()], ..content }),
        Record { mac_signature: vec![1].into(), ..good.clone() },
    ];
    let mut nameless = Msg::request("", notify(true));
    silent.push(Record { version: "two".into(), ..Record::no_session(&ours(), &agent(), nameless.to_payload()) });
    nameless.header = None;
    silent.push(Record::no_session(&ours(), &agent(), nameless.to_payload()));
    for record in silent {
        scene.receive(1, record).ignored();
    }
    assert_eq!(scene.receive(1, good).notified.len(), 1);
}

/// A Record that breaks the encoding itself is judged by the same rules.
///
/// Proves: R-ENC.2, R-MTP.5, R-MTP.8
#[test]
fn records_that_break_the_encoding_are_answered_after_the_connect_record_only() {
    let payload = Msg::request("n-1", notify(true)).to_payload();
    let record = Record { payload_security: 9, ..Record::no_session(&ours(), &agent(), payload) };
    let refusal = Record::receive(record.to_bytes(), &ours(), &Limits::DEFAULT).unwrap_err();
    let refused = || Input::Refused { link: LinkId(1), refusal: refusal.clone() };
    let happened = Scene::online().handle(refused());
    assert_eq!((happened.error_code(), happened.message().msg_id()), (7104, "n-1"));
    let mut scene = Scene::new();
    scene.connect(1);
    assert!(matches!(scene.handle(refused()).ignored(), Ignored::Erroneous(_)));
}

/// Nothing goes either way before the Connect Record of this MTP, and a link without one is closed.
///
/// Proves: R-MTP.8
#[test]
fn nothing_is_exchanged_before_the_connect_record() {
    let mut scene = Scene::new();
    scene.connect(1);
    let (_, happened) = scene.ask(get());
    assert!(matches!(happened.outcomes[..], [(_, Err(OperationError::NotConnected))]) && happened.sent.is_empty());
    let request = Msg::request("n-1", notify(true));
    assert_eq!(scene.say(1, &request).ignored(), &Ignored::BeforeConnect);
    let wrong = Record::uds_connect(&ours(), &agent());
    assert_eq!(scene.receive(1, wrong).ignored(), &Ignored::WrongConnect);
    assert_eq!(scene.receive(1, Record::websocket_connect(&ours(), &agent())).online.len(), 1);
    assert_eq!(scene.say(1, &request).notified.len(), 1);
    assert_eq!(scene.ask(get()).1.sent.len(), 1);

    scene.connect(2);
    let happened = scene.wait(CONNECT_PATIENCE);
    assert_eq!(happened.hangups, [(LinkId(2), HangupReason::Silent)]);
}

/// After a Disconnect Record the connection may stay, all that waited is over, and only a new
/// Connect Record starts anew.
///
/// Proves: R-MTP.7, R-MTP.8
#[test]
fn a_disconnect_record_ends_all_until_the_next_connect_record() {
    let mut scene = Scene::online();
    let (operation, asked) = scene.ask(get());
    let answer = values(asked.message().msg_id(), "late");
    let goodbye = Record::disconnect(&ours(), &agent(), ErrorCode::SessionContextTerminated, "reboot");
    let happened = scene.receive(1, goodbye);
    assert_eq!(happened.outcomes, [(operation, Err(OperationError::Disconnected))]);
    assert_eq!(happened.offline, [(agent(), OfflineReason::Disconnected { code: 7105, text: "reboot".into() })]);
    assert!(happened.hangups.is_empty() && happened.sent.is_empty());

    assert_eq!(scene.say(1, &answer).ignored(), &Ignored::BeforeConnect);
    let (_, happened) = scene.ask(get());
    assert!(matches!(happened.outcomes[..], [(_, Err(OperationError::NotConnected))]) && happened.sent.is_empty());

    scene.receive(1, Record::websocket_connect(&ours(), &agent()));
    assert!(matches!(scene.say(1, &answer).ignored(), Ignored::NotAsked(_)));
    assert_eq!(scene.ask(get()).1.sent.len(), 1);
}

/// Proves: R-WS.4
#[test]
fn the_newest_connection_of_an_agent_wins() {
    let mut scene = Scene::online();
    let (operation, _) = scene.ask(get());
    scene.connect(2);
    let happened = scene.receive(2, Record::websocket_connect(&ours(), &agent()));
    assert_eq!(happened.hangups, [(LinkId(1), HangupReason::Replaced)]);
    assert_eq!(happened.outcomes, [(operation, Err(OperationError::Disconnected))]);
    assert_eq!(happened.offline, [(agent(), OfflineReason::Replaced)]);
    assert_eq!(happened.online, [(agent(), LinkId(2))]);
    let replaced = Notice::Replaced { agent: agent(), old: LinkId(1), new: LinkId(2) };
    assert!(happened.notices.contains(&replaced));

    let (_, asked) = scene.ask(get());
    assert_eq!(asked.sent[0].0, LinkId(2));
    scene.handle(Input::Disconnected { link: LinkId(1), reason: "closed".into() });
    assert_eq!(scene.say(2, &values(asked.message().msg_id(), "x")).outcomes.len(), 1);
}

#[test]
fn a_lost_connection_ends_what_waits_on_it_and_nothing_else() {
    let mut scene = Scene::online();
    scene.connect(2);
    scene.receive(2, Record::websocket_connect(&ours(), &id("self::other")));
    let (operation, _) = scene.ask(get());
    let happened = scene.handle(Input::Disconnected { link: LinkId(2), reason: "reset".into() });
    assert_eq!(happened.offline, [(id("self::other"), OfflineReason::Lost("reset".into()))]);
    assert!(happened.outcomes.is_empty());
    let happened = scene.handle(Input::Disconnected { link: LinkId(1), reason: "reset".into() });
    assert_eq!(happened.outcomes, [(operation, Err(OperationError::Disconnected))]);
    assert_eq!(scene.controller.deadline(), None);
}

#[test]
fn a_shutdown_says_goodbye_to_everyone() {
    let mut scene = Scene::online();
    scene.connect(2);
    let (operation, _) = scene.ask(get());
    let happened = scene.handle(Input::Shutdown);
    let [(LinkId(1), record)] = &happened.sent[..] else { panic!("{happened:?}") };
    assert!(matches!(record.record_type, Some(RecordType::Disconnect(_))));
    let closed: Vec<_> = happened.hangups.iter().map(|(link, _)| link.0).collect();
    assert_eq!(closed, [1, 2]);
    assert_eq!(happened.outcomes, [(operation, Err(OperationError::Disconnected))]);
    assert_eq!(scene.controller.deadline(), None);
}

/// Noise from one Agent fills neither the log nor the memory, and the next good Message is served.
#[test]
fn a_flood_of_nonsense_is_borne() {
    let mut scene = Scene::online();
    let mut notices = 0;
    for round in 0_u32..5_000 {
        let noise = round.to_be_bytes().repeat(3);
        let happened = scene.receive(1, Record::no_session(&ours(), &agent(), noise));
        notices += happened.notices.len();
    }
    assert!(notices <= 64, "{notices}");
    assert_eq!(scene.say(1, &Msg::request("n-1", notify(true))).sent.len(), 1);
}
