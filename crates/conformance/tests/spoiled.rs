//! The suite against Agents that are not as they should be: it has to notice, and to go on.

use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::peer::{Address, Happening, Peer, Seat, Trouble, What};
use usphere_conformance::virtual_time::VirtualTime;
use usphere_conformance::{Entry, Outcome, Profile, Progress, Report, Verdict, run};
use usphere_proto::msg::{
    AddOutcome, MsgBody, Notification, RequestType, ResponseType, SupportedObjectResult,
    SupportedUniqueKeySet,
};
use usphere_proto::record::RecordType;
use usphere_proto::{EndpointId, Msg, Record};

/// Changes what the Agent says.
type Spoil = fn(&mut Msg);

/// Our Agent, with a fault.
struct Spoiled {
    inner: VirtualTime,
    spoil: Spoil,
    /// It hangs when it hears this text, until it is restarted.
    deadly: &'static str,
    hangs: bool,
    /// Whether it drops its link as well when it hears that, as one that has crashed.
    dies: bool,
    restarts: u32,
    /// Whether it drops its link instead, when it is told to reboot.
    only_drops: bool,
    /// The end of its link, to be told.
    lost: Option<Happening>,
    /// Whether anybody can restart it.
    is_ours: bool,
}

impl Spoiled {
    fn new() -> Self {
        Self {
            inner: VirtualTime::new().expect("the Agent starts"),
            spoil: |_| {},
            deadly: "never said",
            hangs: false,
            dies: false,
            restarts: 0,
            only_drops: false,
            lost: None,
            is_ours: true,
        }
    }

    fn end_of(&self, seat: Seat) -> Happening {
        Happening {
            seat,
            at: self.inner.now(),
            what: What::Lost("the Agent is dead".to_owned()),
        }
    }

    fn spoiled(&self, message: Bytes) -> Bytes {
        let mut record = Record::decode_bounded(message, &Default::default()).expect("a Record");
        let Some(RecordType::NoSessionContext(context)) = &mut record.record_type else {
            return record.to_bytes();
        };
        let payload = context.payload.clone();
        let mut msg = Msg::decode_bounded(payload, &Default::default()).expect("a Message");
        (self.spoil)(&mut msg);
        context.payload = msg.into_payload();
        record.to_bytes()
    }
}

impl Peer for Spoiled {
    fn way(&self) -> String {
        "a spoiled Agent in virtual time".to_owned()
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
        if let Some(lost) = self.lost.take() {
            return Some(lost);
        }
        loop {
            let mut happening = self.inner.next(until)?;
            if self.hangs {
                continue;
            }
            if let What::Message(message) = &happening.what {
                happening.what = What::Message(self.spoiled(message.clone()));
            }
            return Some(happening);
        }
    }

    fn send(&mut self, seat: Seat, message: Bytes) -> Result<(), Trouble> {
        let reboot = b"Device.Reboot()";
        let is_told = message.windows(reboot.len()).any(|part| part == reboot);
        if self.only_drops && is_told {
            self.drop_link(seat);
            self.lost = Some(self.end_of(seat));
            return Ok(());
        }
        let said = message.windows(self.deadly.len());
        self.hangs |= said.into_iter().any(|part| part == self.deadly.as_bytes());
        match self.hangs {
            true if self.dies => {
                self.dies = false;
                self.inner.drop_link(seat);
                self.lost = Some(self.end_of(seat));
                Ok(())
            }
            true => Ok(()),
            false => self.inner.send(seat, message),
        }
    }

    fn connect(&mut self, seat: Seat) -> Result<(), Trouble> {
        self.inner.connect(seat)
    }

    fn drop_link(&mut self, seat: Seat) {
        self.inner.drop_link(seat);
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        if !self.is_ours {
            return Err(Trouble::Impossible("it is not ours".to_owned()));
        }
        self.hangs = false;
        self.restarts += 1;
        self.inner.restart()
    }

    fn can_restart(&self) -> bool {
        self.is_ours
    }
}

fn report(peer: Spoiled, only: &str) -> Report {
    let only = only.parse().expect("tests");
    run(Box::new(peer), Profile::default(), &only, &mut ()).expect("the Agent is there")
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report
        .outcomes
        .iter()
        .map(|outcome| outcome.result)
        .collect()
}

fn only(spoil: Spoil, id: &str) -> Outcome {
    let peer = Spoiled {
        spoil,
        ..Spoiled::new()
    };
    report(peer, id).outcomes.remove(0)
}

/// An Agent that hangs fails the test in which it does, and is started again for the next.
#[test]
fn an_agent_that_hangs_fails_one_test() {
    use Verdict::{Failed, Passed};
    let peer = Spoiled {
        deadly: "add52",
        ..Spoiled::new()
    };
    let report = report(peer, "1.4-1.7");
    assert_eq!(verdicts(&report), [Passed, Failed, Passed, Passed]);
    let reason = &report.outcomes[1].reason;
    assert!(reason.contains("not answered within"), "{reason}");
}

/// An Agent that hangs and that nobody can restart fails one test; the others say why they were not run.
#[test]
fn an_agent_that_is_gone_for_good_fails_one_test() {
    use Verdict::{Failed, NotRunnable, Passed};
    let peer = Spoiled {
        deadly: "add52",
        is_ours: false,
        ..Spoiled::new()
    };
    let report = report(peer, "1.4-1.7");
    assert_eq!(
        verdicts(&report),
        [Passed, Failed, NotRunnable, NotRunnable]
    );
    let reason = &report.outcomes[3].reason;
    assert!(reason.contains("gone since 1.5"), "{reason}");
}

/// An Agent that crashes where nothing is to be heard has not passed; one that hangs there neither.
#[test]
fn silence_of_the_dead_is_no_pass() {
    use Verdict::{Failed, Passed};
    for (dies, expected) in [(true, "has dropped the link"), (false, "did not answer")] {
        let peer = Spoiled {
            deadly: "self::somebody-else",
            dies,
            ..Spoiled::new()
        };
        let report = report(peer, "2.1-2.2,2.10");
        assert_eq!(verdicts(&report), [Passed, Failed, Passed]);
        let reason = &report.outcomes[1].reason;
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(report.incomplete, None);
    }
}

/// A run that lost its Agent is not green, in no form of its report.
#[test]
fn a_run_without_its_end_says_so_once() {
    let peer = Spoiled {
        deadly: "self::somebody-else",
        is_ours: false,
        ..Spoiled::new()
    };
    let report = report(peer, "2.2,2.10-2.11");
    assert!(!report.is_good());
    let incomplete = report.incomplete.as_ref().expect("it is incomplete");
    assert_eq!(incomplete.from.to_string(), "2.10");
    let words = "incomplete from test 2.10 on";
    for text in [report.to_text(), report.to_html(), report.to_junit()] {
        assert_eq!(text.matches(words).count(), 1, "{text}");
    }
    assert!(!report.to_html().contains("No test has failed"));
    assert!(report.to_junit().contains("<error "));
    assert_eq!(report.to_json()["incomplete"]["from"], "2.10");
}

/// A run that is ended from outside reports what was run, and that it is not all.
#[test]
fn a_run_that_is_ended_reports_what_was_run() {
    struct Once(bool);
    impl Progress for Once {
        fn begins(&mut self, _: &Entry, _: usize, _: usize) {}
        fn ended(&mut self, _: &Outcome) {
            self.0 = false;
        }
        fn goes_on(&self) -> bool {
            self.0
        }
    }
    let only = "1.1-1.3".parse().expect("tests");
    let peer = Box::new(Spoiled::new());
    let report = run(peer, Profile::default(), &only, &mut Once(true)).expect("the Agent");
    assert_eq!(verdicts(&report), [Verdict::Passed]);
    assert!(!report.is_good() && report.to_text().contains("incomplete from test 1.2 on"));
    let json = report.to_json();
    assert!(
        json["date"]
            .as_str()
            .is_some_and(|date| date.ends_with('Z'))
    );
    assert!(json["suite"].is_string() && json["software"].is_string());
}

/// An Agent that only drops its link when it is told to reboot has not rebooted.
#[test]
fn dropping_the_link_is_no_reboot() {
    use Verdict::Failed;
    let peer = Spoiled {
        only_drops: true,
        ..Spoiled::new()
    };
    let report = report(peer, "1.62");
    assert_eq!(verdicts(&report)[0], Failed);
    let reason = &report.outcomes[0].reason;
    assert!(reason.contains("only dropped its link"), "{reason}");
}

fn in_response(msg: &mut Msg, change: impl FnOnce(&mut ResponseType)) {
    let body = msg.body.as_mut().and_then(|body| body.msg_body.as_mut());
    if let Some(MsgBody::Response(response)) = body
        && let Some(response) = &mut response.resp_type
    {
        change(response);
    }
}

/// Changes the objects of a GetSupportedDMResp that tells less than all.
fn in_some(msg: &mut Msg, change: fn(&mut SupportedObjectResult)) {
    in_response(msg, |response| {
        if let ResponseType::GetSupportedDmResp(response) = response {
            let objects = response.req_obj_results.iter_mut();
            let objects = objects.flat_map(|result| &mut result.supported_objs);
            let mut objects: Vec<_> = objects.collect();
            if objects.iter().all(|one| one.supported_params.is_empty()) {
                objects.iter_mut().for_each(|one| change(one));
            }
        }
    });
}

fn keys_everywhere(object: &mut SupportedObjectResult) {
    object.unique_key_sets.push(SupportedUniqueKeySet {
        key_names: vec!["Alias".into()],
    });
}

/// What is wrong with an answer is noticed, and said.
#[test]
fn wrong_answers_are_noticed() {
    let cases: [(&str, Spoil, &str); 11] = [
        (
            "1.1",
            |msg| {
                in_response(msg, |response| {
                    if let ResponseType::AddResp(response) = response {
                        let status = response.created_obj_results[0].oper_status.as_mut();
                        if let Some(AddOutcome::OperSuccess(success)) =
                            status.and_then(|status| status.oper_status.as_mut())
                        {
                            success.unique_keys.remove("ID");
                        }
                    }
                });
            },
            "unique_keys",
        ),
        (
            "1.3",
            |msg| {
                let body = msg.body.as_mut().and_then(|body| body.msg_body.as_mut());
                if let Some(MsgBody::Error(error)) = body {
                    error.param_errs.clear();
                }
            },
            "param_errs: 1 were expected, 0 came",
        ),
        (
            "1.4",
            |msg| {
                let body = msg.body.as_mut().and_then(|body| body.msg_body.as_mut());
                if let Some(MsgBody::Error(error)) = body {
                    error.err_code = 7027;
                }
            },
            "7027",
        ),
        (
            "1.36",
            |msg| {
                in_response(msg, |response| {
                    if let ResponseType::GetResp(response) = response {
                        for result in &mut response.req_path_results {
                            result.requested_path.push('x');
                        }
                    }
                });
            },
            "requested_path",
        ),
        (
            "1.44",
            |msg| {
                in_response(msg, |response| {
                    if let ResponseType::SetResp(_) | ResponseType::GetInstancesResp(_) = response {
                        return;
                    }
                    if let ResponseType::GetResp(response) = response {
                        for result in &mut response.req_path_results {
                            result.resolved_path_results.truncate(1);
                        }
                    }
                });
            },
            "resolved_path",
        ),
        (
            "1.80",
            |msg| {
                if msg.is_response() {
                    msg.header.as_mut().expect("a header").msg_type = 1;
                }
            },
            "universal test metrics",
        ),
        (
            "1.60",
            |msg| {
                let body = msg.body.as_mut().and_then(|body| body.msg_body.as_mut());
                if let Some(MsgBody::Request(request)) = body
                    && let Some(RequestType::Notify(notify)) = &mut request.req_type
                    && let Some(Notification::OnBoardReq(board)) = &mut notify.notification
                {
                    board.product_class.push('x');
                }
            },
            "product_class",
        ),
        (
            "1.89",
            |msg| {
                in_response(msg, |response| {
                    if let ResponseType::GetResp(response) = response
                        && response.req_path_results[0].requested_path == "Device.LocalAgent."
                    {
                        let object = &mut response.req_path_results[0].resolved_path_results[0];
                        object
                            .result_params
                            .insert("MTP.1.Alias".into(), "x".into());
                    }
                });
            },
            "its own parameters alone",
        ),
        (
            "1.97",
            |msg| in_some(msg, keys_everywhere),
            "unique_key_sets",
        ),
        (
            "1.98",
            |msg| in_some(msg, keys_everywhere),
            "unique_key_sets",
        ),
        (
            "1.105",
            |msg| {
                in_some(msg, |object| {
                    for command in &mut object.supported_commands {
                        command.command_name = "boot()".into();
                    }
                });
            },
            "command_name",
        ),
    ];
    for (id, spoil, expected) in cases {
        assert_eq!(only(|_| {}, id).result, Verdict::Passed, "{id} unspoiled");
        let outcome = only(spoil, id);
        assert_eq!(outcome.result, Verdict::Failed, "{id}");
        assert!(
            outcome.reason.contains(expected),
            "{id}: {}",
            outcome.reason
        );
    }
}
