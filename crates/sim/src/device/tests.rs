//! Devices in virtual time.

use usphere_agent::Origin;
use usphere_trust::{Channel, PeerIdentity};

use super::*;
use crate::plan::{Plan, Rates};

fn plan(seed: u64) -> Plan {
    let target = Target {
        host: "controller".to_owned(),
        port: 80,
        path: "/usp".to_owned(),
        encryption: false,
    };
    Plan {
        seed,
        rates: Rates {
            changes_per_minute: 6.0,
            link_losses_per_hour: 4.0,
            reboots_per_hour: 2.0,
        },
        ..Plan::new(3, "self::controller".parse().unwrap(), target)
    }
}

/// Lives for so many seconds with a Controller that is always there and says nothing; what it did, when.
fn life(seed: u64, index: u32, seconds: u64) -> (Vec<String>, crate::Counts) {
    let kit = Kit::at(plan(seed), 1_800_000_000_000_000).unwrap();
    let mut now = Moment::ORIGIN;
    let mut device = Device::start(&kit, index, now).unwrap();
    let (mut done, mut links) = (Vec::new(), 0);
    let end = Moment::from_micros(seconds * 1_000_000);
    loop {
        while let Some(want) = device.poll() {
            done.push(format!("{now} {want:?}"));
            if let Want::Dial { dial, .. } = want {
                links += 1;
                let connected = Input::Connected {
                    link: LinkId(links),
                    origin: Origin::Dialled(dial),
                    peer: PeerIdentity {
                        endpoint_id: None,
                        channel: Channel::PlainLoopback,
                    },
                };
                device.handle(connected, now);
                let connect = Record::websocket_connect(device.endpoint_id(), &kit.plan.controller);
                let link = LinkId(links);
                device.handle(
                    Input::Received {
                        link,
                        record: connect,
                    },
                    now,
                );
            }
        }
        match device.deadline() {
            Some(deadline) if deadline <= end => {
                now = now.max(deadline);
                device.turn(now);
            }
            _ => return (done, kit.tally.counts()),
        }
    }
}

/// The same seed gives the same life, to the microsecond; other seeds and other devices have others.
#[test]
fn a_life_follows_from_its_seed() {
    let (first, counts) = life(1, 0, 7_200);
    assert!(counts.changes > 500, "{counts:?}");
    assert!(counts.losses > 2 && counts.reboots > 0, "{counts:?}");
    assert!(first.len() > 10);
    assert_eq!(life(1, 0, 7_200), (first.clone(), counts));
    assert_ne!(life(2, 0, 7_200).0, first);
    assert_ne!(life(1, 1, 7_200).0, first);
}

#[test]
fn a_device_that_starts_anew_is_who_it_was() {
    let kit = Kit::at(plan(3), 1_800_000_000_000_000).unwrap();
    let mut device = Device::start(&kit, 0, Moment::ORIGIN).unwrap();
    let mut before = device.journal.entries();
    device.go_down(Moment::ORIGIN);
    assert!(device.engine.is_none());
    let up = device.deadline().unwrap();
    device.turn(up);
    assert!(device.engine.is_some());
    let mut after = device.journal.entries();
    before.sort();
    after.sort();
    assert_eq!(after, before);
}

#[test]
fn all_of_a_fleet_have_names_of_their_own() {
    let kit = Kit::new(plan(1)).unwrap();
    let name = |index| kit.endpoint_id(index).unwrap().to_string();
    assert_eq!(
        [name(0), name(2)],
        ["os::012345-SIM000001", "os::012345-SIM000003"]
    );
    let wrong = Plan {
        prefix: "no scheme".to_owned(),
        ..plan(1)
    };
    assert!(Kit::new(wrong).is_err());
}

/// A device's journal holds little beside what all have.
#[test]
fn journals_are_small() {
    let kit = Kit::at(plan(1), 0).unwrap();
    let device = Device::start(&kit, 1, Moment::ORIGIN).unwrap();
    let usual = kit.template.len();
    let own = device.journal.own_len();
    assert!(usual > 20 && own < 6, "{usual} usual entries, {own} own");
}
