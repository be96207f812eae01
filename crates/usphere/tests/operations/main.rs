//! Operations as a user of the command line sees them, and under a server that is killed under load.
//!
//! `USPHERE_SERVER_KILLS` says how often the server is killed, `USPHERE_SEED` by which schedule.

mod common;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use usphere_proto::Msg;
use usphere_proto::msg::{
    GetResp, GetSupportedProtocolResp, MsgBody, OperateResp, OperationOutcome, OperationResult,
    OutputArgs, Request, RequestType, SetResp, SetSuccess, UpdatedObjectResult,
};

use crate::common::{PATIENCE, Program, Ran, Signal, eventually, free_port, ran, usphere};
use crate::support::Peer;

const SERVER: &str = "self::mortal-server";

/// A server in a folder, which lives more than once.
struct House {
    folder: std::path::PathBuf,
    api: String,
    ws: String,
}

impl House {
    fn new(folder: &Path) -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        Self {
            folder: folder.to_owned(),
            api: address(),
            ws: address(),
        }
    }

    fn data(&self) -> String {
        self.folder.join("server").display().to_string()
    }

    fn start(&self) -> Program {
        let mut command = usphere();
        command.args(["server", "--endpoint-id", SERVER, "--api", &self.api]);
        command.args(["--ws", &self.ws, "--data", &self.data()]);
        Program::start(&mut command, self.folder.join("server.log"))
    }

    fn token(&self) -> String {
        let path = Path::new(&self.data()).join("token");
        let token = eventually("the token", || std::fs::read_to_string(&path).ok());
        token.trim().to_owned()
    }

    /// `usphere WORDS…` on this server.
    fn ask(&self, words: &[&str]) -> Ran {
        let mut command = usphere();
        let server = format!("http://{}", self.api);
        command
            .args(words)
            .args(["--server", &server, "--data", &self.data()]);
        ran(&mut command)
    }
}

#[test]
fn a_verb_with_later_is_kept_for_a_device_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let mut server = house.start();
    server.wait_for("an Agent comes with");
    let agent = || {
        let mut command = usphere();
        let controller = format!("{SERVER}=ws://{}/usp", house.ws);
        command.args([
            "agent",
            "--endpoint-id",
            "self::away",
            "--controller",
            &controller,
        ]);
        command.arg("--data").arg(folder.path().join("agent"));
        Program::start(&mut command, folder.path().join("agent.log"))
    };
    let first = agent();
    let is_there = |wanted: bool| {
        eventually("its presence", || {
            let shown = house.ask(&["devices", "show", "away", "--json"]);
            (shown.code == 0 && shown.json()["online"] == wanted).then_some(())
        });
    };
    is_there(true);
    assert_eq!(first.end(Signal::TERM), 0);
    is_there(false);

    let code = "Device.DeviceInfo.ProvisioningCode";
    house
        .ask(&["set", "away", &format!("{code}=now")])
        .ended(3)
        .says("not connected");
    let later = format!("{code}=later");
    let keyed = ["set", "away", &later, "--later", "--idempotency-key", "one"];
    let id = house.ask(&keyed).ended(0).out.trim().to_owned();
    // Whoever lost the answer asks again, and nothing is done twice.
    assert_eq!(house.ask(&keyed).ended(0).out.trim(), id);
    house
        .ask(&[
            "set",
            "away",
            &format!("{code}=other"),
            "--later",
            "--idempotency-key",
            "one",
        ])
        .ended(2)
        .says(&id);
    let read = house.ask(&["get", "away", code, "--later", "--expires", "1h", "--json"]);
    let read = read.ended(0).json()["id"].as_str().unwrap().to_owned();
    let other = house
        .ask(&["delete", "away", "Device.X.1.", "--later"])
        .ended(0);
    house
        .ask(&["operations", "cancel", other.out.trim()])
        .ended(0)
        .says("cancelled");
    house
        .ask(&["operations", "show", &id])
        .ended(0)
        .says("queued");
    let listed = house.ask(&[
        "operations",
        "list",
        "--state",
        "queued",
        "--device",
        "away",
        "--json",
    ]);
    let listed = listed.ended(0).json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["id"])
        .collect();
    assert_eq!(ids, [&json!(read), &json!(id)]);
    house
        .ask(&["operations", "list"])
        .ended(0)
        .says("cancelled");

    let _agent = agent();
    let done = eventually("the end", || {
        let shown = house
            .ask(&["operations", "show", &read, "--json"])
            .ended(0)
            .json();
        (shown["state"] == "done").then_some(shown)
    });
    let value = &done["outcome"]["results"][0]["found"][0]["parameters"]["ProvisioningCode"];
    assert_eq!(value, "later");
    // Also who waits is told what came of it then.
    house
        .ask(&["set", "away", &format!("{code}=between")])
        .ended(0);
    house
        .ask(&["set", "away", &later, "--idempotency-key", "one"])
        .ended(0);
    house.ask(&["get", "away", code]).ended(0).says("between");
    house
        .ask(&["operations", "cancel", &id])
        .ended(3)
        .says("only what is queued");
    house
        .ask(&["operations", "show", "op-1"])
        .ended(3)
        .says("no such operation");
    let mut direct = usphere();
    direct.args(["get", "--agent", "ws://127.0.0.1:1/usp", code, "--later"]);
    ran(&mut direct).ended(2);
}

/// What was asked, what was promised, and what the devices saw.
#[derive(Default)]
struct Ledger {
    /// By the number in its request: the verb, and what was promised.
    asked: HashMap<u64, Asked>,
    /// How often a device saw the number.
    seen: HashMap<u64, u32>,
    serial: u64,
}

struct Asked {
    verb: &'static str,
    promise: Promise,
}

#[derive(Clone, Debug)]
enum Promise {
    /// Nothing was heard: the server died.
    None,
    /// It is kept, under this ID.
    Kept(String),
    /// It was done, under this ID; it is kept where that was not a read.
    Done(String),
}

/// A device that connects as long as the test goes on, and answers. Now and then it leaves in between.
async fn device(house: Arc<House>, name: &'static str, ledger: Arc<Mutex<Ledger>>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let url = format!("ws://{}/usp", house.ws);
    loop {
        let mut peer = Peer::dial(&url, name, SERVER).await;
        let _ = peer.link.sender.try_send(&peer.connect_record());
        while let Ok(msg) = peer.next().await {
            let msg_id = msg.msg_id().to_owned();
            let Some(MsgBody::Request(Request {
                req_type: Some(request),
            })) = msg.into_content()
            else {
                continue;
            };
            if random.random_ratio(1, 50) {
                // Seen or not, answered or not: nobody knows.
                if random.random() {
                    note(&ledger, &request);
                }
                break;
            }
            note(&ledger, &request);
            let answer = Msg::response(msg_id, answer(request));
            let _ = peer
                .link
                .sender
                .try_send(&peer.carrying(answer.into_payload()));
        }
        drop(peer);
        sleep(Duration::from_millis(random.random_range(0..100))).await;
    }
}

fn note(ledger: &Mutex<Ledger>, request: &RequestType) {
    let path = match request {
        RequestType::Get(get) => get.param_paths[0].clone(),
        RequestType::Operate(operate) => operate.command.clone(),
        RequestType::Set(set) => set.update_objs[0].obj_path.clone(),
        _ => return,
    };
    let digits = path
        .strip_prefix("Device.X.")
        .and_then(|rest| rest.split('.').next());
    if let Some(serial) = digits.and_then(|digits| digits.parse().ok()) {
        *ledger.lock().unwrap().seen.entry(serial).or_default() += 1;
    }
}

fn answer(request: RequestType) -> usphere_proto::msg::ResponseType {
    match request {
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
            let output_args = BTreeMap::new();
            let output = OperationOutcome::ReqOutputArgs(OutputArgs { output_args });
            let result = OperationResult {
                executed_command: operate.command,
                operation_resp: Some(output),
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

/// Requests that are looked for after they have ended. A server keeps a thousand of each device.
const LOOKED_AT: u64 = 900;

const DEVICES: [&str; 3] = ["self::device-0", "self::device-1", "self::device-2"];

/// Asks as long as the test goes on.
async fn caller(house: Arc<House>, token: String, ledger: Arc<Mutex<Ledger>>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let verb = ["get", "set", "operate"][random.random_range(0..3)];
        let is_later = random.random();
        let device = DEVICES[random.random_range(0..DEVICES.len())];
        let serial = {
            let mut ledger = ledger.lock().unwrap();
            ledger.serial += 1;
            let (serial, promise) = (ledger.serial, Promise::None);
            ledger.asked.insert(serial, Asked { verb, promise });
            serial
        };
        let object = format!("Device.X.{serial}.");
        let body = match verb {
            "get" => json!({"paths": [object + "Y"]}),
            "set" => {
                json!({"objects": [{"path": object, "parameters": [{"name": "Y", "value": "1"}]}]})
            }
            _ => json!({"command": object + "Go()"}),
        };
        let wait = if is_later { "?wait=false" } else { "" };
        let path = format!("/api/v1/devices/{device}/{verb}{wait}");
        match http(&house.api, &token, "POST", &path, &body.to_string()).await {
            Some((202, _, body)) => {
                let id = body["id"].as_str().unwrap().to_owned();
                promise(&ledger, serial, Promise::Kept(id));
            }
            Some((200, id, _)) => promise(&ledger, serial, Promise::Done(id)),
            _ => sleep(Duration::from_millis(10)).await,
        }
    }
}

fn promise(ledger: &Mutex<Ledger>, serial: u64, promise: Promise) {
    let mut ledger = ledger.lock().unwrap();
    ledger.asked.get_mut(&serial).unwrap().promise = promise;
}

/// The status, the ID of the Operation, and the body; none when the server died over it.
async fn http(
    api: &str,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(u16, String, Value)> {
    let mut stream = TcpStream::connect(api).await.ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut text = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut text)).await;
    read.ok()?.ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("operation-id: "));
    // What was cut off in the middle is no answer.
    Some((
        status,
        id.unwrap_or_default().to_owned(),
        serde_json::from_str(body).ok()?,
    ))
}

/// No Operation that was acknowledged is lost, none is done twice that must not be, and the store opens each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed() {
    let kills: u32 = variable("USPHERE_SERVER_KILLS").unwrap_or(5);
    let seed = variable("USPHERE_SEED").unwrap_or_else(rand::random);
    println!("USPHERE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(House::new(folder.path()));
    let mut server = house.start();
    let token = house.token();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for (number, name) in (0..).zip(DEVICES) {
        tasks.spawn(device(
            Arc::clone(&house),
            name,
            Arc::clone(&ledger),
            seed ^ number,
        ));
    }
    is_up(&house, &token).await;
    for number in 10..18 {
        tasks.spawn(caller(
            Arc::clone(&house),
            token.clone(),
            Arc::clone(&ledger),
            seed ^ number,
        ));
    }
    let began = Instant::now();
    let mut checked = 0;
    for kill in 1..=kills {
        sleep(Duration::from_millis(random.random_range(20..900))).await;
        let pid = rustix::process::Pid::from_raw(server.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        drop(server);
        server = house.start();
        is_up(&house, &token).await;
        all_kept(&house, &token, &ledger, &mut checked, seed).await;
        if kill % 50 == 0 {
            println!("{kill} kills in {:.0?}", began.elapsed());
        }
    }
    // The callers stop; the devices go on until all has ended.
    let callers_end = ledger.lock().unwrap().serial;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    for (number, name) in (20..).zip(DEVICES) {
        tasks.spawn(device(
            Arc::clone(&house),
            name,
            Arc::clone(&ledger),
            seed ^ number,
        ));
    }
    all_ended(&house, &token).await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    let asked = std::mem::take(&mut ledger.lock().unwrap().asked);
    let seen = std::mem::take(&mut ledger.lock().unwrap().seen);
    let mut tally = BTreeMap::<String, u32>::new();
    for (serial, asked) in asked {
        let seen = seen.get(&serial).copied().unwrap_or_default();
        let context = format!(
            "{serial} {} {:?}, seen {seen} times, USPHERE_SEED={seed}",
            asked.verb, asked.promise
        );
        let is_read = asked.verb == "get";
        assert!(is_read || seen <= 1, "done twice: {context}");
        // What was promised before was looked for when the server was back.
        if callers_end - serial > LOOKED_AT {
            continue;
        }
        let id = match &asked.promise {
            Promise::None => continue,
            // Its caller had the answer; that it is recorded is not promised.
            Promise::Done(_) if is_read => continue,
            Promise::Kept(id) | Promise::Done(id) => id,
        };
        let path = format!("/api/v1/operations/{id}");
        let (status, _, kept) = http(&house.api, &token, "GET", &path, "").await.unwrap();
        assert_eq!(status, 200, "lost: {context}");
        let state = kept["state"].as_str().unwrap();
        let error = kept["error"]["error"].as_str().unwrap_or_default();
        *tally
            .entry(format!("{} {state} {error}", asked.verb))
            .or_default() += 1;
        match (state, error) {
            ("done", _) => assert!(seen >= 1, "not done: {context}: {kept}"),
            ("failed", "interrupted" | "disconnected") => {
                assert!(
                    !matches!(asked.promise, Promise::Done(_)),
                    "{context}: {kept}"
                );
            }
            _ => panic!("{context}: {kept}"),
        }
    }
    println!("{kills} kills in {:.0?}: {tally:?}", began.elapsed());
    assert!(
        tally.keys().any(|key| key.starts_with("set done")),
        "{tally:?}"
    );
}

/// Looks for what was promised since the last time.
async fn all_kept(
    house: &House,
    token: &str,
    ledger: &Mutex<Ledger>,
    checked: &mut u64,
    seed: u64,
) {
    let promised: Vec<_> = {
        let ledger = ledger.lock().unwrap();
        let from = (*checked).max(ledger.serial.saturating_sub(LOOKED_AT));
        *checked = ledger.serial;
        let asked = (from + 1..=ledger.serial).map(|serial| (serial, &ledger.asked[&serial]));
        asked
            .map(|(serial, asked)| (serial, asked.verb, asked.promise.clone()))
            .collect()
    };
    for (serial, verb, promise) in promised {
        let context = format!("{serial} {verb} {promise:?}, USPHERE_SEED={seed}");
        let (id, is_done) = match promise {
            Promise::None => continue,
            Promise::Done(_) if verb == "get" => continue,
            Promise::Done(id) => (id, true),
            Promise::Kept(id) => (id, false),
        };
        let path = format!("/api/v1/operations/{id}");
        let (status, _, kept) = http(&house.api, token, "GET", &path, "").await.unwrap();
        assert_eq!(status, 200, "lost: {context}");
        assert!(!is_done || kept["state"] == "done", "{context}: {kept}");
    }
}

async fn is_up(house: &House, token: &str) {
    let up = async {
        while http(&house.api, token, "GET", "/api/v1/health", "")
            .await
            .is_none()
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let up = timeout(PATIENCE, up).await;
    let log = || std::fs::read_to_string(house.folder.join("server.log"));
    assert!(up.is_ok(), "{:?}", log());
}

async fn all_ended(house: &House, token: &str) {
    let started = Instant::now();
    for state in ["queued", "sent", "waiting"] {
        loop {
            let path = format!("/api/v1/operations?limit=1&state={state}");
            let page = http(&house.api, token, "GET", &path, "").await.unwrap().2;
            if page["operations"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            assert!(started.elapsed() < 3 * PATIENCE, "{page}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}
