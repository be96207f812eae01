//! A server that is killed under load: nothing that was acknowledged is lost, and nothing is done twice.
//!
//! `USPHERE_SERVER_KILLS` says how often the server is killed, `USPHERE_SEED` by which schedule.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::House;
use super::caller::{caller, read};
use super::device::{ANSWER, Running, device, is_long};
use crate::common::PATIENCE;

/// Requests that are looked for after they have ended. A server keeps a thousand of each device.
const LOOKED_AT: u64 = 900;

pub(crate) const DEVICES: [&str; 3] = ["self::device-0", "self::device-1", "self::device-2"];

/// What was asked, what was promised, and what the devices saw.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By the number in its request.
    asked: HashMap<u64, Asked>,
    /// How often a device saw the number.
    seen: HashMap<u64, u32>,
    serial: u64,
    /// How often somebody asked again under the same key.
    pub(crate) repeats: u32,
    /// What was promised and contradicts what was promised before.
    faults: Vec<String>,
}

struct Asked {
    verb: &'static str,
    promise: Promise,
}

#[derive(Clone, Debug)]
pub(crate) enum Promise {
    /// Nothing was heard: the server died, or took nothing.
    None,
    /// It is kept, under this ID.
    Kept(String),
    /// It was done, or begun where it takes its time, under this ID.
    Done(String),
}

impl Ledger {
    /// The number of one more request.
    pub(crate) fn ask(&mut self, verb: &'static str) -> u64 {
        self.serial += 1;
        let promise = Promise::None;
        self.asked.insert(self.serial, Asked { verb, promise });
        self.serial
    }

    pub(crate) fn seen(&mut self, serial: u64) {
        *self.seen.entry(serial).or_default() += 1;
    }

    pub(crate) fn promise(&mut self, serial: u64, promise: Promise) {
        let Some(asked) = self.asked.get_mut(&serial) else {
            return;
        };
        let (Promise::Kept(new) | Promise::Done(new)) = &promise else {
            return;
        };
        if asked.promise.id().is_some_and(|old| old != new) {
            let fault = format!("{serial} {:?}, then {promise:?}", asked.promise);
            self.faults.push(fault);
        }
        if !matches!(asked.promise, Promise::Done(_)) {
            asked.promise = promise;
        }
    }
}

impl Promise {
    fn id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Kept(id) | Self::Done(id) => Some(id),
        }
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// The devices, as long as they are wanted.
struct Fleet {
    tasks: JoinSet<()>,
    running: [Running; DEVICES.len()],
}

impl Fleet {
    fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            running: Default::default(),
        }
    }

    fn begin(&mut self, house: &Arc<House>, ledger: &Arc<Mutex<Ledger>>, seed: u64) {
        for ((number, name), running) in (0..).zip(DEVICES).zip(&self.running) {
            let (house, ledger) = (Arc::clone(house), Arc::clone(ledger));
            let running = Arc::clone(running);
            self.tasks
                .spawn(device(house, name, ledger, running, seed ^ number));
        }
    }

    /// Waits until each end of a command is acknowledged.
    async fn rests(&self) {
        let left = || -> usize {
            let running = self.running.iter();
            running.map(|running| running.lock().unwrap().len()).sum()
        };
        let rests = async {
            while left() > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let rests = timeout(PATIENCE, rests).await;
        assert!(rests.is_ok(), "{} ends are not acknowledged", left());
    }
}

/// No Operation that was acknowledged is lost, none is done twice that must not be, also where its caller repeats it
/// under its key, ends of commands that come later reach their Operations, and the store opens each time.
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
    let mut fleet = Fleet::new();
    fleet.begin(&house, &ledger, seed);
    is_up(&house, &token).await;
    let mut callers = JoinSet::new();
    for number in 10..18 {
        let (house, ledger) = (Arc::clone(&house), Arc::clone(&ledger));
        callers.spawn(caller(house, token.clone(), ledger, seed ^ number));
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
    callers.shutdown().await;
    let callers_end = ledger.lock().unwrap().serial;
    all_ended(&house, &token).await;
    fleet.rests().await;
    fleet.tasks.shutdown().await;
    let ledger = std::mem::take(&mut *ledger.lock().unwrap());
    let mut tally = BTreeMap::<String, u32>::new();
    for (serial, asked) in &ledger.asked {
        let seen = ledger.seen.get(serial).copied().unwrap_or_default();
        let context = format!(
            "{serial} {} {:?}, seen {seen} times, USPHERE_SEED={seed}",
            asked.verb, asked.promise
        );
        assert!(asked.verb == "get" || seen <= 1, "done twice: {context}");
        // What was promised before was looked for when the server was back.
        let Some(id) = asked.promise.id() else {
            continue;
        };
        if callers_end - serial > LOOKED_AT {
            continue;
        }
        let path = format!("/api/v1/operations/{id}");
        let kept = read(&house.api, &token, &path).await.unwrap();
        assert_eq!(kept.status, 200, "lost: {context}");
        let end = judged(*serial, asked, seen, &kept.body);
        let end = end.unwrap_or_else(|fault| panic!("{fault}: {context}: {}", kept.body));
        *tally.entry(end).or_default() += 1;
    }
    println!(
        "{kills} kills in {:.0?}, {callers_end} requests and {} repeats: {tally:?}",
        began.elapsed(),
        ledger.repeats
    );
    let some = |what: &str| tally.keys().any(|end| end == what);
    assert!(
        some("set done") && some("add done") && some("delete done"),
        "{tally:?}"
    );
    assert!(some("long operate done"), "{tally:?}");
    assert!(ledger.repeats > 0);
    assert!(ledger.faults.is_empty(), "{:?}", ledger.faults);
}

/// How an Operation ended, where it may have ended so.
fn judged(serial: u64, asked: &Asked, seen: u32, kept: &Value) -> Result<String, &'static str> {
    let state = kept["state"].as_str().unwrap_or_default();
    let error = kept["error"]["error"].as_str().unwrap_or_default();
    let (is_command, told) = (asked.verb == "operate", &*serial.to_string());
    match (state, error) {
        ("done", _) => {
            if seen == 0 {
                return Err("not done");
            }
            if is_command && kept["outcome"]["results"][0]["completed"][ANSWER] != *told {
                return Err("what the command told is lost");
            }
        }
        _ if asked.promise.is_done() => return Err("done, and then not"),
        ("failed", "interrupted" | "disconnected") => {}
        ("failed", "not_connected" | "unsent") if seen == 0 => {}
        _ => return Err("an end that cannot be"),
    }
    let long = if is_command && is_long(serial) {
        "long "
    } else {
        ""
    };
    let end = format!("{long}{} {state} {error}", asked.verb);
    Ok(end.trim().to_owned())
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
        assert!(
            ledger.faults.is_empty(),
            "{:?}, USPHERE_SEED={seed}",
            ledger.faults
        );
        let from = (*checked).max(ledger.serial.saturating_sub(LOOKED_AT));
        *checked = ledger.serial;
        let asked = (from + 1..=ledger.serial).map(|serial| (serial, &ledger.asked[&serial]));
        asked
            .map(|(serial, asked)| (serial, asked.verb, asked.promise.clone()))
            .collect()
    };
    for (serial, verb, promise) in promised {
        let context = format!("{serial} {verb} {promise:?}, USPHERE_SEED={seed}");
        let Some(id) = promise.id() else { continue };
        let path = format!("/api/v1/operations/{id}");
        let kept = read(&house.api, token, &path).await.unwrap();
        assert_eq!(kept.status, 200, "lost: {context}");
        let state = kept.body["state"].as_str().unwrap_or_default();
        let is_begun = state == "done" || (state == "waiting" && verb == "operate");
        assert!(!promise.is_done() || is_begun, "{context}: {}", kept.body);
    }
}

async fn is_up(house: &House, token: &str) {
    let up = async {
        while read(&house.api, token, "/api/v1/health").await.is_none() {
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
            let page = read(&house.api, token, &path).await.unwrap().body;
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
