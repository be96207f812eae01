//! The Agent that is killed under load, whose disk is full, whose store is damaged.
//!
//! `USPHERE_KILLS` says how often the first test kills, `USPHERE_SEED` by which schedule. What
//! `kill -9` cannot show, since the page cache survives it, is shown on the simulated disk of
//! `runtime/src/power_cuts.rs`.

mod common;
mod support;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use usphere_proto::msg::{Delete, RequestType, Set, UpdateObject, UpdateParamSetting};

use crate::common::{Program, Signal, free_port, usphere};
use crate::support::ledger::{Ledger, OBSERVED, Values, probe, probed, values_of};
use crate::support::{Peer, get};

const AGENT: &str = "self::mortal";
const WRITER: &str = "self::writer";
const WATCHER: &str = "self::watcher";

/// Requests that wait for their answers at any time.
const OUTSTANDING: usize = 32;

/// An Agent in a folder, which lives more than once.
struct House {
    folder: PathBuf,
    data: PathBuf,
    port: u16,
}

impl House {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            data: folder.join("agent"),
            port: free_port(),
        }
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/usp", self.port)
    }

    fn start(&self) -> Program {
        let mut command = usphere();
        command
            .args(["agent", "--endpoint-id", AGENT, "--listen", &self.url()])
            .args(["--controller", WRITER, "--controller", WATCHER])
            .arg("--data")
            .arg(&self.data);
        Program::start(&mut command, self.folder.join("agent.log"))
    }

    async fn peer(&self, who: &str) -> Peer {
        Peer::dial(&self.url(), who, AGENT).await
    }
}

/// What was answered is there after a kill, instance numbers too; what was not answered is wholly
/// there or wholly absent; nobody was told of what is not there.
///
/// Proves: R-ARC.8
#[tokio::test]
async fn nothing_answered_is_lost_when_the_agent_is_killed() {
    let kills: u32 = variable("USPHERE_KILLS").unwrap_or(6);
    let seed = variable("USPHERE_SEED").unwrap_or_else(rand::random);
    println!("USPHERE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let mut agent = house.start();
    let mut ledger = Ledger::new(observed(&mut house.peer(WRITER).await).await);
    let mut tally = Tally::default();
    let began = Instant::now();
    for kill in 1..=kills {
        let delay = Duration::from_micros(random.random_range(1_000..200_000));
        let seen = live_until_killed(&house, &agent, &mut ledger, &mut random, delay).await;
        drop(agent);
        if kill % 4 == 0 {
            // One that did not get far, and is no further harm.
            let stillborn = house.start();
            std::thread::sleep(Duration::from_micros(random.random_range(0..60_000)));
            drop(stillborn);
        }
        agent = house.start();
        let mut writer = house.peer(WRITER).await;
        let found = observed(&mut writer).await;
        let (row, number) = probed(&writer.ask(probe()).await);
        let allow_partial = false;
        let obj_paths = vec![row];
        let gone = writer
            .ask(Delete {
                allow_partial,
                obj_paths,
            })
            .await;
        assert!(gone.as_response().is_some(), "{gone:?}");
        let context = format!("kill {kill}, USPHERE_SEED={seed}");
        tally.sent += ledger.sent();
        tally.answered += ledger.answered();
        tally.unanswered_kept += ledger.settle(&found, number, &seen, &context);
        tally.observations += seen.len();
    }
    println!("{kills} kills in {:.0?}: {tally:?}", began.elapsed());
    assert!(tally.answered > 0 && tally.observations > 0, "{tally:?}");
}

/// Counts of requests, and of what the other Controller was told.
#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    answered: usize,
    unanswered_kept: usize,
    observations: usize,
}

/// Keeps requests outstanding until the Agent dies; what the other Controller was told meanwhile.
async fn live_until_killed(
    house: &House,
    agent: &Program,
    ledger: &mut Ledger,
    random: &mut StdRng,
    delay: Duration,
) -> Vec<Values> {
    let mut writer = house.peer(WRITER).await;
    let mut watcher = house.peer(WATCHER).await;
    let pid = rustix::process::Pid::from_raw(agent.id().cast_signed()).unwrap();
    let kill = async {
        tokio::time::sleep(delay).await;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    };
    let write = async {
        loop {
            while ledger.outstanding() < OUTSTANDING {
                let msg = ledger.next(random);
                if writer
                    .link
                    .sender
                    .try_send(&writer.carrying(msg.into_payload()))
                    .is_err()
                {
                    return;
                }
            }
            match writer.next().await {
                Ok(answer) => ledger.answer(&answer),
                Err(_) => return,
            }
        }
    };
    let watch = async {
        let mut seen = Vec::new();
        for _ in 0..4 {
            watcher.request(get(&OBSERVED));
        }
        while let Ok(answer) = watcher.next().await {
            seen.push(values_of(&answer));
            let msg = usphere_proto::Msg::request("again", RequestType::Get(get(&OBSERVED)));
            let record = watcher.carrying(msg.into_payload());
            let _ = watcher.link.sender.try_send(&record);
        }
        seen
    };
    tokio::join!(kill, write, watch).2
}

async fn observed(peer: &mut Peer) -> Values {
    values_of(&peer.ask(get(&OBSERVED)).await)
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// A file system of a few pages, while it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this test may not mount.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: an Agent of a failed test may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_answered_with_an_error_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let Some(disk) = SmallDisk::mount(&house.data, "4m") else {
        println!("left out: the disk that is full, since no tmpfs can be mounted here");
        return;
    };
    let mut agent = house.start();
    let mut peer = house.peer(WRITER).await;
    let mut kept = "before".to_owned();
    set(&mut peer, &kept).await.unwrap();

    // A value of 100 kB each time finds the end of any room that the store has in reserve.
    disk.fill();
    let mut refusal = None;
    for round in 0..200 {
        let value = format!("full {round}");
        match set_much(&mut peer, &value).await {
            Ok(()) => kept = value,
            Err(refused) => {
                refusal = Some(refused);
                break;
            }
        }
    }
    let refusal = refusal.expect("what has no room is not kept");
    assert!(refusal.contains("no space left"), "{refusal}");
    assert_eq!(peer.value(CODE).await, kept);
    assert_eq!(house.peer(WATCHER).await.value(CODE).await, kept);

    // Once more, and then from a new start.
    assert!(set_much(&mut peer, "refused").await.is_err());
    drop(agent);
    agent = house.start();
    let mut peer = house.peer(WRITER).await;
    assert_eq!(peer.value(CODE).await, kept);
    let refused = set_much(&mut peer, "refused").await;
    assert!(refused.is_err(), "{refused:?}");

    disk.make_room();
    set_much(&mut peer, "after").await.unwrap();
    assert_eq!(peer.value(CODE).await, "after");
    drop(agent);
    agent = house.start();
    assert_eq!(house.peer(WRITER).await.value(CODE).await, "after");
    assert_eq!(agent.end(Signal::TERM), 0);
}

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

async fn set(peer: &mut Peer, code: &str) -> Result<(), String> {
    ask_to_set(peer, &[("Device.DeviceInfo.", "ProvisioningCode", code)]).await
}

/// Sets the code, and with it something long.
async fn set_much(peer: &mut Peer, code: &str) -> Result<(), String> {
    let much = format!("{code} {}", "x".repeat(100_000));
    let role = "Device.LocalAgent.ControllerTrust.Role.1.";
    let values = [
        ("Device.DeviceInfo.", "ProvisioningCode", code),
        (role, "Name", &much),
    ];
    ask_to_set(peer, &values).await
}

async fn ask_to_set(peer: &mut Peer, values: &[(&str, &str, &str)]) -> Result<(), String> {
    let update = |&(object, param, value): &(&str, &str, &str)| UpdateObject {
        obj_path: object.to_owned(),
        param_settings: vec![UpdateParamSetting {
            param: param.to_owned(),
            value: value.to_owned(),
            required: true,
        }],
    };
    let request = Set {
        allow_partial: false,
        update_objs: values.iter().map(update).collect(),
    };
    let answer = peer.ask(request).await;
    match answer.as_error() {
        Some(error) => Err(format!("{error:?}")),
        None => Ok(()),
    }
}

/// What is done to the bytes of a store.
type Damage = fn(&mut Vec<u8>);

#[tokio::test]
async fn a_damaged_store_is_kept_aside_and_the_agent_starts_from_factory_settings() {
    let damages: [(&str, Damage); 4] = [
        ("it is empty", Vec::clear),
        ("half of it is gone", |bytes| {
            bytes.truncate(bytes.len() / 2)
        }),
        ("it is something else", |bytes| {
            *bytes = b"no database".to_vec()
        }),
        ("a page is overwritten", |bytes| {
            bytes
                .iter_mut()
                .skip(4096)
                .take(64 << 10)
                .for_each(|byte| *byte ^= 0x55);
        }),
    ];
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(folder.path());
    let store = house.data.join("agent.redb");
    for (number, (what, damage)) in (1..).zip(damages) {
        let agent = house.start();
        set(&mut house.peer(WRITER).await, "lost").await.unwrap();
        drop(agent);
        let mut bytes = fs::read(&store).unwrap();
        damage(&mut bytes);
        fs::write(&store, &bytes).unwrap();

        let agent = house.start();
        let mut peer = house.peer(WRITER).await;
        assert_eq!(peer.value(CODE).await, "", "{what}");
        assert_eq!(peer.value("Device.LocalAgent.EndpointID").await, AGENT);
        let kept = format!("{}.corrupt-{number}", store.display());
        assert_eq!(fs::read(&kept).unwrap(), bytes, "{what}");
        let log = agent.log();
        for said in [&*kept, "factory settings", "WARN"] {
            assert!(log.contains(said), "{what}: no {said:?} in {log}");
        }
        set(&mut peer, "anew").await.unwrap();
        drop(agent);
        let agent = house.start();
        assert_eq!(house.peer(WRITER).await.value(CODE).await, "anew", "{what}");
        assert!(!agent.log().contains("factory settings"), "{}", agent.log());
    }
}
