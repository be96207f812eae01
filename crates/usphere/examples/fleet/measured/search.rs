//! How long one looks for a device among very many.

use std::path::Path;
use std::time::{Duration, Instant};

use usphere_store::{Described, Description, DeviceState, Protocol, Sighting, Store};

use super::api::{Api, Latencies};
use super::{Done, PREFIX};

/// Devices that are written in one transaction.
const TOGETHER: u32 = 1_000;

/// How often each thing is asked.
const ROUNDS: usize = 100;

/// What is asked of the list of devices.
const ASKED: [(&str, &str); 13] = [
    ("a page of 50", "limit=50"),
    (
        "a page of 50 from the middle",
        "limit=50&after=os::012345-SIM050000",
    ),
    ("a page of 1,000", "limit=1000"),
    ("search: a serial number", "search=SIM000042"),
    ("search: nothing has it", "search=nowhere"),
    (
        "search: two words that every 7th has, 50",
        "limit=50&search=example+gateway-3",
    ),
    (
        "search: two words that none has both",
        "search=example+nowhere",
    ),
    ("product class: one device", "product_class=prototype"),
    ("product class: none", "product_class=none*"),
    (
        "software version: every 45th, 50",
        "limit=50&software_version=4.1.1",
    ),
    ("tag: of 1,000 that have it, 50", "limit=50&tag=ring-7"),
    ("tag and search: one device", "tag=ring-7&search=SIM000107"),
    ("online: none is", "online=true"),
];

/// Asks for devices by all that one may ask by.
pub(crate) async fn search(api: &Api) -> Done {
    for (name, query) in ASKED {
        ask(api, name, &format!("/api/v1/devices?{query}")).await?;
    }
    for (name, text) in [
        ("one device by a part of its Endpoint ID", "SIM000042"),
        ("one device by its Endpoint ID", "os::012345-SIM000042"),
    ] {
        ask(api, name, &format!("/api/v1/devices/{text}")).await?;
    }
    Ok(())
}

async fn ask(api: &Api, name: &'static str, path: &str) -> Done {
    let mut client = api.connect().await?;
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (status, body) = client.ask("GET", path, "").await?;
        times.push(began.elapsed());
        if status != 200 {
            return Err(format!("{path}: {status}: {body}").into());
        }
        found = body.matches("\"endpoint_id\"").count();
    }
    println!("{}; {found} on the page", Latencies::of(name, times));
    Ok(())
}

/// Writes devices into the database in an order that is not that of their names, as devices come.
pub(super) fn fill(database: &Path, count: u32) -> Done {
    let store = Store::open(database)?;
    for start in (0..count).step_by(TOGETHER as usize) {
        let numbers = || {
            let places = start..count.min(start + TOGETHER);
            places.map(|place| u64::from(place) * 48_271 % u64::from(count))
        };
        store.seen(numbers().map(sighting).collect())?;
        store.describe(numbers().map(described).collect())?;
    }
    for number in (7..count).step_by(100) {
        store.add_tag(&name(u64::from(number)), "ring-7")?;
    }
    Ok(())
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number:06}")
}

fn sighting(number: u64) -> Sighting {
    let (net, host) = (number / 250 % 250, number % 250);
    Sighting {
        endpoint_id: name(number),
        protocol: Protocol::Usp,
        at: 1_700_000_000_000,
        remote_address: Some(format!("10.{net}.{host}.7:40000")),
        mtp: Some("WebSocket".into()),
        state: DeviceState::Approved,
        proven: false,
    }
}

fn described(number: u64) -> Described {
    let product_class = match number {
        4_711 => "prototype".into(),
        _ => format!("Gateway-{}", number % 7),
    };
    Described {
        endpoint_id: name(number),
        description: Description {
            manufacturer: Some("Example Networks".into()),
            oui: Some("012345".into()),
            product_class: Some(product_class),
            serial_number: Some(format!("SIM{number:06}")),
            hardware_version: Some("rev B".into()),
            software_version: Some(format!("4.{}.{}", number % 5, number % 9)),
            protocol_versions: Some("1.0,1.1,1.2,1.3,1.4".into()),
        },
        subscriptions: Some("kept".into()),
    }
}
