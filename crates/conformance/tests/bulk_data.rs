//! The tests of bulk data against an Agent that carries some, well or badly: they have to notice.
//!
//! The Agent is ours with a data model of bulk data that nothing stands behind; what its reports are is pretended
//! here, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::peer::{Address, Happening, Peer, Seat, Trouble, What};
use usphere_conformance::virtual_time::VirtualTime;
use usphere_conformance::web::{Reply, Web, WebRequest};
use usphere_conformance::{Outcome, Profile, Verdict, run};
use usphere_datamodel::declare::{
    BOOLEAN, Object, Rows, STRING, UNSIGNED_INT, event, object, parameter,
};
use usphere_proto::msg::{Event, MsgBody, Notification, Notify, Request, RequestType};
use usphere_proto::{EndpointId, Msg, Record};

const BULK_DATA: Object = object("Device.BulkData.").parameters(&[
    parameter("Enable", BOOLEAN).writable().default("false"),
    parameter("MinReportingInterval", UNSIGNED_INT).default("10"),
    parameter("Protocols", STRING).default("HTTP,MQTT,USPEventNotif"),
    parameter("EncodingTypes", STRING).default("CSV,JSON"),
]);
const PROFILE: Object = object("Device.BulkData.Profile.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Protocol", STRING).writable(),
        parameter("EncodingType", STRING).writable(),
        parameter("ReportingInterval", UNSIGNED_INT).writable(),
    ])
    .events(&[event("Push!").args(&["Data"])]);
const COLLECTED: Object = object("Device.BulkData.Profile.{i}.Parameter.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[
        parameter("Name", STRING).writable(),
        parameter("Reference", STRING).writable(),
    ]);
const HTTP: Object = object("Device.BulkData.Profile.{i}.HTTP.").parameters(&[
    parameter("URL", STRING).writable(),
    parameter("RetryEnable", BOOLEAN)
        .writable()
        .default("false"),
    parameter("RetryMinimumWaitInterval", UNSIGNED_INT)
        .writable()
        .default("5"),
    parameter("RetryIntervalMultiplier", UNSIGNED_INT)
        .writable()
        .default("2000"),
]);
const IN_QUERY: Object = object("Device.BulkData.Profile.{i}.HTTP.RequestURIParameter.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .parameters(&[
        parameter("Name", STRING).writable(),
        parameter("Reference", STRING).writable(),
    ]);

const PROFILE_PATH: &str = "Device.BulkData.Profile.1.";
const INTERVAL: Duration = Duration::from_secs(60);

/// What is wrong with the Agent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fault {
    #[default]
    None,
    /// What the collector has refused does not come again.
    NeverAgain,
    /// What it has taken comes again.
    AgainAndAgain,
    Anonymous,
    Broken,
    /// A wildcard finds one row.
    OneRow,
    OnlyOnce,
    Soon,
    WithoutParameter,
    WrongName,
    WrongType,
}

/// What a profile has been told.
#[derive(Default)]
struct Told {
    encoding: String,
    name: String,
    reference: String,
    page: String,
    in_query: bool,
    is_push: bool,
    subscription: String,
}

/// Our Agent, which pretends to carry bulk data.
struct Carrier {
    inner: VirtualTime,
    fault: Fault,
    pages: BTreeMap<String, Reply>,
    told: Told,
    /// When it reports next, and how often the last report was refused.
    next: Option<(Duration, u32)>,
    /// When the report that is under way was due.
    due: Duration,
    reports: u32,
    pending: VecDeque<Happening>,
}

impl Carrier {
    fn new(fault: Fault) -> Self {
        let objects: [&'static Object; 5] = [&BULK_DATA, &PROFILE, &COLLECTED, &HTTP, &IN_QUERY];
        Self {
            inner: VirtualTime::with(&objects).expect("the Agent starts"),
            fault,
            pages: BTreeMap::new(),
            told: Told::default(),
            next: None,
            due: Duration::ZERO,
            reports: 0,
            pending: VecDeque::new(),
        }
    }

    fn listen(&mut self, request: &RequestType) {
        match request {
            RequestType::Add(add) => {
                for object in &add.create_objs {
                    let values: BTreeMap<&str, &str> = object
                        .param_settings
                        .iter()
                        .map(|setting| (setting.param.as_str(), setting.value.as_str()))
                        .collect();
                    let value = |name: &str| values.get(name).copied().unwrap_or_default();
                    let told = &mut self.told;
                    if object.obj_path == "Device.BulkData.Profile." {
                        let page = value("HTTP.URL").rsplit('/').next().unwrap_or_default();
                        told.page = format!("/{page}");
                        value("EncodingType").clone_into(&mut told.encoding);
                        told.is_push = value("Protocol") == "USPEventNotif";
                    } else if object.obj_path.ends_with("RequestURIParameter.") {
                        told.in_query = true;
                    } else if object.obj_path.ends_with(".Parameter.") {
                        value("Name").clone_into(&mut told.name);
                        value("Reference").clone_into(&mut told.reference);
                    } else if value("ReferenceList").ends_with("Push!") {
                        value("ID").clone_into(&mut told.subscription);
                    }
                }
            }
            RequestType::Set(set)
                if set
                    .update_objs
                    .iter()
                    .any(|one| one.obj_path == PROFILE_PATH) =>
            {
                self.due = self.inner.now() + Duration::from_secs(7);
                self.next = Some((self.due, 0));
            }
            RequestType::Delete(delete)
                if delete.obj_paths.iter().any(|one| one == PROFILE_PATH) =>
            {
                self.next = None;
            }
            _ => {}
        }
    }

    /// What is reported: names and values of JSON.
    fn values(&self) -> Vec<(String, &'static str)> {
        let name = match self.fault {
            Fault::WrongName => "Other",
            _ => &self.told.name,
        };
        match self.told.reference.as_str() {
            reference if reference.ends_with(".Enable") => {
                let rows = if self.fault == Fault::OneRow { 1 } else { 2 };
                (1..=rows)
                    .map(|row| (format!("{name}.1.{row}"), "true"))
                    .collect()
            }
            "Device.LocalAgent.Controller." => {
                vec![(format!("{name}.1.EndpointID"), "\"self::x\"")]
            }
            _ => vec![(name.to_owned(), "7")],
        }
    }

    fn body(&self) -> String {
        let values = self.values();
        if self.fault == Fault::Broken {
            return "\"".to_owned();
        }
        if self.told.encoding == "CSV" {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            let values: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
            let (names, values) = (names.join(","), values.join(","));
            return format!("ReportTimestamp,{names}\r\n1,{values}\r\n");
        }
        let values: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!(
            "{{\"Report\":[{{\"CollectionTime\":1,{}}}]}}",
            values.join(",")
        )
    }

    /// Reports: to whom the profile says.
    fn report(&mut self, refused: u32) {
        let now = self.inner.now();
        self.reports += 1;
        let what = if self.told.is_push {
            What::Message(self.push())
        } else {
            What::Requested(Box::new(self.request()))
        };
        let status = self
            .pages
            .get(&self.told.page)
            .map_or(200, |reply| reply.status);
        let goes_on = match (status, self.fault) {
            (_, Fault::OnlyOnce) => None,
            (503, Fault::NeverAgain) => None,
            (503, Fault::Soon) => Some((now + Duration::from_secs(1), refused + 1)),
            (503, _) => Some((now + Duration::from_secs(6 << refused), refused + 1)),
            (_, Fault::AgainAndAgain) => Some((now + Duration::from_secs(2), 0)),
            _ => {
                self.due += INTERVAL;
                Some((self.due, 0))
            }
        };
        self.next = goes_on;
        let seat = Seat::Primary;
        self.pending.push_back(Happening {
            seat,
            at: now,
            what,
        });
    }

    fn request(&self) -> WebRequest {
        let mut query = Vec::new();
        let mut say = |name: &str, value: &str| query.push((name.to_owned(), value.to_owned()));
        if self.fault != Fault::Anonymous {
            say("eid", "self::conformance-agent");
        }
        if self.told.in_query && self.fault != Fault::WithoutParameter {
            say("UpTime", "12");
        }
        let media_type = match (self.fault, self.told.encoding.as_str()) {
            (Fault::WrongType, _) => "text/plain",
            (_, "CSV") => "text/csv; charset=UTF-8; header=present",
            _ => "application/json; charset=UTF-8",
        };
        WebRequest {
            method: "POST".to_owned(),
            page: self.told.page.clone(),
            query,
            headers: vec![("content-type".to_owned(), media_type.to_owned())],
            body: Bytes::from(self.body()),
            is_secure: false,
            status: 200,
        }
    }

    fn push(&self) -> Bytes {
        let event = Event {
            obj_path: PROFILE_PATH.to_owned(),
            event_name: "Push!".to_owned(),
            params: [("Data".to_owned(), self.body())].into(),
        };
        let notify = Notify {
            subscription_id: self.told.subscription.clone(),
            send_resp: false,
            notification: Some(Notification::Event(event)),
        };
        let msg = Msg::request(format!("push-{}", self.reports), notify);
        let agent = "self::conformance-agent".parse().expect("an ID");
        let controller = self.inner.endpoint_id(Seat::Primary);
        Record::no_session(&controller, &agent, msg.into_payload()).to_bytes()
    }
}

impl Web for Carrier {
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble> {
        self.pages.insert(page.to_owned(), reply);
        Ok(Address {
            host: "collector.example".to_owned(),
            port: 80,
            path: page.to_owned(),
            encryption: is_secure,
        })
    }

    fn forget(&mut self, page: &str) {
        self.pages.remove(page);
    }
}

impl Peer for Carrier {
    fn way(&self) -> String {
        "an Agent that pretends, in virtual time".to_owned()
    }

    fn endpoint_id(&self, seat: Seat) -> EndpointId {
        self.inner.endpoint_id(seat)
    }

    fn address(&self, seat: Seat) -> Option<Address> {
        self.inner.address(seat)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn next(&mut self, until: Duration) -> Option<Happening> {
        loop {
            if let Some(happening) = self.pending.pop_front() {
                return Some(happening);
            }
            let due = self.next.filter(|(due, _)| *due <= until);
            let earlier = due.map_or(until, |(due, _)| due);
            if let Some(happening) = self.inner.next(earlier) {
                return Some(happening);
            }
            let (_, refused) = due?;
            self.report(refused);
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let record = Record::decode_bounded(message.clone(), &Default::default());
        let payload = record.expect("a Record").payload().cloned();
        let msg =
            payload.and_then(|payload| Msg::decode_bounded(payload, &Default::default()).ok());
        if let Some(MsgBody::Request(Request {
            req_type: Some(request),
        })) = msg.as_ref().and_then(Msg::content)
        {
            self.listen(request);
        }
        self.inner.send(seat, message)
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        self.inner.connect(seat)
    }

    fn drop_link(&mut self, seat: Seat) {
        self.inner.drop_link(seat);
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.inner.restart()
    }

    fn can_restart(&self) -> bool {
        true
    }

    fn web(&mut self) -> Option<&mut dyn Web> {
        Some(self)
    }
}

fn only(fault: Fault, id: &str) -> Outcome {
    let (peer, id) = (Box::new(Carrier::new(fault)), id.parse().expect("a test"));
    let report = run(peer, Profile::default(), &id, &mut ());
    report.expect("the Agent is there").outcomes.remove(0)
}

/// An Agent that carries bulk data as it should passes.
#[test]
fn an_agent_that_carries_bulk_data_passes() {
    for id in [
        "10.1", "10.2", "10.3", "10.4", "10.5", "10.6", "10.7", "10.8", "10.10", "10.11", "10.12",
    ] {
        let outcome = only(Fault::None, id);
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
    }
}

/// What it does wrong is noticed, and said.
#[test]
fn what_is_wrong_with_bulk_data_is_noticed() {
    let cases = [
        (
            "10.1",
            Fault::OnlyOnce,
            "2 transfers were expected within 130 s, 1 came",
        ),
        ("10.1", Fault::WrongName, "the names in the report"),
        ("10.1", Fault::Anonymous, "who the Agent is"),
        ("10.1", Fault::Broken, "no report in JSON"),
        ("10.1", Fault::WrongType, "Content-Type"),
        ("10.3", Fault::WrongName, "the names in the report"),
        ("10.5", Fault::WithoutParameter, "a number for UpTime"),
        ("10.7", Fault::NeverAgain, "none came"),
        ("10.7", Fault::Soon, "it was to come again after 5 to 10 s"),
        ("10.7", Fault::AgainAndAgain, "nothing was to come again"),
        ("10.8", Fault::OneRow, "two or more of Enabled"),
        (
            "10.9",
            Fault::None,
            "only names that begin with TestController.",
        ),
        ("10.10", Fault::OnlyOnce, "none came"),
        ("10.10", Fault::Broken, "no report in JSON"),
        ("10.11", Fault::OneRow, "two or more of Enabled"),
        (
            "10.12",
            Fault::WrongName,
            "only names that begin with Controller.",
        ),
    ];
    for (id, fault, expected) in cases {
        let outcome = only(fault, id);
        assert_eq!(outcome.result, Verdict::Failed, "{id} {fault:?}");
        let reason = &outcome.reason;
        assert!(reason.contains(expected), "{id} {fault:?}: {reason}");
    }
}
