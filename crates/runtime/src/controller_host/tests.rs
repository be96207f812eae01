//! The Controller on real sockets, against an Agent that a test plays.

use std::collections::BTreeMap;
use std::time::Duration;

use usphere_datamodel::operation::{Get, GetStatus};
use usphere_mtp::websocket::{CloseReason, LinkSender};
use usphere_proto::msg::{
    GetResp, Notification, Notify, RequestType, RequestedPathResult, ResolvedPathResult,
    ValueChange,
};
use usphere_proto::{Limits, Msg, Record, RecordType};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

fn id(text: &str) -> EndpointId {
    EndpointId::parse(text).unwrap()
}

fn config() -> ControllerConfig {
    ControllerConfig {
        endpoint_id: id("self::controller"),
        msg_id_prefix: "test".into(),
    }
}

async fn listening() -> (ControllerHost, Target) {
    let door = Door {
        address: ([127, 0, 0, 1], 0).into(),
        path: "/usp".into(),
        tls: false,
        insecure: false,
    };
    let host = ControllerHost::listen(door, ListenerLimits::default(), config(), None)
        .await
        .unwrap();
    let target = format!("ws://{}/usp", host.local_addr().unwrap())
        .parse()
        .unwrap();
    (host, target)
}

/// One end of a link that speaks as an Agent. A task of its own keeps the link moving.
struct Played {
    id: EndpointId,
    sender: LinkSender,
    events: mpsc::UnboundedReceiver<LinkEvent>,
}

impl Played {
    async fn dial(target: &Target, name: &str) -> Self {
        let link = websocket::dial(target, &Settings::new(id(name)))
            .await
            .unwrap();
        Self::on(link, name)
    }

    fn on(link: Link, name: &str) -> Self {
        let (forward, events) = mpsc::unbounded_channel();
        let mut receiver = link.receiver;
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                drop(forward.send(event));
            }
        });
        let played = Self {
            id: id(name),
            sender: link.sender,
            events,
        };
        played.send(&Record::websocket_connect(
            &config().endpoint_id,
            &played.id,
        ));
        played
    }

    fn send(&self, record: &Record) {
        self.sender.try_send(record).unwrap();
    }

    async fn record(&mut self) -> Record {
        match timeout(PATIENCE, self.events.recv()).await.unwrap() {
            Some(LinkEvent::Record(record, _)) => record,
            other => panic!("{other:?}"),
        }
    }

    async fn end(&mut self) -> CloseReason {
        match timeout(PATIENCE, self.events.recv()).await.unwrap() {
            Some(LinkEvent::Closed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Answers one Get with the given value for every path.
    async fn answer_get(&mut self, value: &str) {
        let record = self.record().await;
        let msg = Msg::receive(record.payload().unwrap().clone(), &Limits::DEFAULT).unwrap();
        let Some(RequestType::Get(get)) = msg.as_request() else {
            panic!("{msg:?}")
        };
        let results = get.param_paths.iter().map(|path| RequestedPathResult {
            requested_path: path.clone(),
            resolved_path_results: vec![ResolvedPathResult {
                resolved_path: path.clone(),
                result_params: BTreeMap::from([("Name".to_owned(), value.to_owned())]),
            }],
            ..RequestedPathResult::default()
        });
        let resp = Msg::response(
            msg.msg_id(),
            GetResp {
                req_path_results: results.collect(),
            },
        );
        self.send(&Record::no_session(
            &config().endpoint_id,
            &self.id,
            resp.into_payload(),
        ));
    }
}

fn get() -> Operation {
    Operation::Get(Get::all(["Device.DeviceInfo."]))
}

fn name_in(outcome: &Result<Outcome, OperationError>) -> &str {
    let Ok(Outcome::Get(outcome)) = outcome else {
        panic!("{outcome:?}")
    };
    let GetStatus::Found(objects) = &outcome.results[0].status else {
        panic!("{outcome:?}")
    };
    &objects[0].parameters["Name"]
}

#[tokio::test]
async fn an_agent_that_dials_in_is_asked_and_answers() {
    let (host, target) = listening().await;
    let mut agent = Played::dial(&target, "self::agent").await;
    assert_eq!(host.wait_for_agent(PATIENCE).await, Ok(id("self::agent")));
    let asked = agent.id.clone();
    let (outcome, ()) = tokio::join!(
        host.handle().request(&asked, get(), PATIENCE),
        agent.answer_get("here")
    );
    assert_eq!(name_in(&outcome), "here");
}

#[tokio::test]
async fn an_agent_that_listens_is_dialled() {
    let door = Door {
        address: ([127, 0, 0, 1], 0).into(),
        path: "/agent".into(),
        tls: false,
        insecure: false,
    };
    let settings = Settings::new(id("self::agent"));
    let mut listener = Listener::bind(door, settings, ListenerLimits::default())
        .await
        .unwrap();
    let target = format!("ws://{}/agent", listener.local_addr())
        .parse()
        .unwrap();
    let (host, link) = tokio::join!(
        ControllerHost::dial(&target, config(), None),
        listener.accept()
    );
    let (host, link) = (host.unwrap(), link.unwrap());
    let mut agent = Played::on(link, "self::agent");
    let asked = host.wait_for_agent(PATIENCE).await.unwrap();
    let (outcome, ()) = tokio::join!(
        host.handle().request(&asked, get(), PATIENCE),
        agent.answer_get("there")
    );
    assert_eq!(name_in(&outcome), "there");
}

/// A dialled Agent that hangs up before it says who it is is not waited for until time is up.
#[tokio::test]
async fn a_dialled_connection_that_ends_early_is_told() {
    let door = Door {
        address: ([127, 0, 0, 1], 0).into(),
        path: "/agent".into(),
        tls: false,
        insecure: false,
    };
    let mut listener = Listener::bind(
        door,
        Settings::new(id("self::agent")),
        ListenerLimits::default(),
    )
    .await
    .unwrap();
    let target = format!("ws://{}/agent", listener.local_addr())
        .parse()
        .unwrap();
    let (host, link) = tokio::join!(
        ControllerHost::dial(&target, config(), None),
        listener.accept()
    );
    let host = host.unwrap();
    let wait = host.wait_for_agent(PATIENCE);
    drop(link);
    assert!(matches!(wait.await, Err(WaitError::Closed(_))));
}

#[tokio::test]
async fn an_agent_that_never_answers_times_out_and_one_that_goes_disconnects() {
    let (host, target) = listening().await;
    let mut agent = Played::dial(&target, "self::agent").await;
    host.wait_for_agent(PATIENCE).await.unwrap();
    let (handle, name) = (host.handle(), agent.id.clone());
    let late = handle
        .request(&name, get(), Duration::from_millis(50))
        .await;
    assert_eq!(late, Err(OperationError::TimedOut));
    agent.record().await;
    let (gone, ()) = tokio::join!(handle.request(&name, get(), PATIENCE), async {
        agent.record().await;
        agent.sender.close(1000, "");
    });
    assert_eq!(gone, Err(OperationError::Disconnected));
    let absent = handle.request(&agent.id, get(), PATIENCE).await;
    assert_eq!(absent, Err(OperationError::NotConnected));
}

/// Proves: R-WS.4
#[tokio::test]
async fn the_older_connection_of_an_agent_is_closed() {
    let (host, target) = listening().await;
    let mut older = Played::dial(&target, "self::agent").await;
    host.wait_for_agent(PATIENCE).await.unwrap();
    let mut newer = Played::dial(&target, "self::agent").await;
    let reason = older.end().await;
    assert!(
        matches!(
            reason,
            CloseReason::ByPeer {
                code: Some(1001),
                ..
            }
        ),
        "{reason:?}"
    );
    let asked = newer.id.clone();
    let (outcome, ()) = tokio::join!(
        host.handle().request(&asked, get(), PATIENCE),
        newer.answer_get("newer")
    );
    assert_eq!(name_in(&outcome), "newer");
    assert_eq!(host.handle().online().len(), 1);
}

/// Who does not take a notification is sent it again; it is answered when it was taken, and not before.
#[tokio::test]
async fn a_notification_is_answered_when_it_is_taken() {
    let (host, target) = listening().await;
    let mut agent = Played::dial(&target, "self::agent").await;
    host.wait_for_agent(PATIENCE).await.unwrap();
    let change = ValueChange {
        param_path: "Device.A".into(),
        param_value: "1".into(),
    };
    let notify = Notify {
        subscription_id: "s".into(),
        send_resp: true,
        notification: Some(Notification::ValueChange(change)),
    };
    let record = Record::no_session(
        &config().endpoint_id,
        &agent.id,
        Msg::request("n-1", notify).into_payload(),
    );
    // Nobody takes it, somebody drops it, somebody else takes over, and only then it is taken.
    agent.send(&record);
    let dropped = {
        let mut notifications = host.handle().notifications();
        loop {
            agent.send(&record);
            let next = timeout(Duration::from_millis(200), notifications.next()).await;
            if let Ok(delivery) = next {
                break delivery.unwrap();
            }
        }
    };
    assert_eq!(dropped.msg_id, "n-1");
    let mut earlier = host.handle().notifications();
    let mut notifications = host.handle().notifications();
    assert!(earlier.next().await.is_none());
    drop(dropped);
    agent.send(&record);
    let delivery = timeout(PATIENCE, notifications.next()).await.unwrap();
    let early = timeout(Duration::from_millis(50), agent.events.recv()).await;
    assert!(early.is_err(), "{early:?}");
    delivery.unwrap().taken();
    let answer = agent.record().await;
    let answer = Msg::receive(answer.payload().unwrap().clone(), &Limits::DEFAULT).unwrap();
    assert_eq!(answer.msg_id(), "n-1");
    drop(earlier);
}

#[tokio::test]
async fn a_shutdown_says_goodbye_before_it_closes() {
    let (mut host, target) = listening().await;
    let mut agent = Played::dial(&target, "self::agent").await;
    host.wait_for_agent(PATIENCE).await.unwrap();
    let handle = host.handle().clone();
    let ((), record) = tokio::join!(host.shutdown(), async {
        let record = agent.record().await;
        let reason = agent.end().await;
        assert!(
            matches!(
                reason,
                CloseReason::ByPeer {
                    code: Some(1001),
                    ..
                }
            ),
            "{reason:?}"
        );
        record
    });
    assert!(
        matches!(record.record_type, Some(RecordType::Disconnect(_))),
        "{record:?}"
    );
    let absent = handle.request(&agent.id, get(), PATIENCE).await;
    assert_eq!(absent, Err(OperationError::NotConnected));
}
