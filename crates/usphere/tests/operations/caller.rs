//! Callers of the API while the server dies again and again. Half of their requests have an `Idempotency-Key`: who
//! lost the answer to one of these asks again until there is one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::House;
use super::killed::{DEVICES, Ledger, Promise};
use crate::common::PATIENCE;

const VERBS: [&str; 5] = ["add", "delete", "get", "operate", "set"];

/// What the API said.
pub(crate) struct Told {
    pub(crate) status: u16,
    /// The ID of the Operation; empty where there is none.
    pub(crate) id: String,
    pub(crate) body: Value,
}

/// Asks as long as the test goes on.
pub(crate) async fn caller(
    house: Arc<House>,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
    seed: u64,
) {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let verb = VERBS[random.random_range(0..VERBS.len())];
        let (is_later, is_keyed): (bool, bool) = random.random();
        let device = DEVICES[random.random_range(0..DEVICES.len())];
        let serial = ledger.lock().unwrap().ask(verb);
        let wait = if is_later { "?wait=false" } else { "" };
        let path = format!("/api/v1/devices/{device}/{verb}{wait}");
        let body = body(verb, serial).to_string();
        let key = is_keyed.then(|| format!("Idempotency-Key: key-{serial}\r\n"));
        // Now and then somebody asks again who knows already.
        let mut more = random.random_range(0..9_u32).saturating_sub(7);
        let header = key.as_deref().unwrap_or_default();
        loop {
            match ask(&house.api, &token, "POST", &path, header, &body).await {
                Some(told) => {
                    // That a read whose caller waited is recorded is not promised.
                    if verb != "get" || is_later || is_keyed {
                        promised(&ledger, serial, &told, is_later);
                    }
                    if !is_keyed || more == 0 {
                        break;
                    }
                    more -= 1;
                }
                None => {
                    sleep(Duration::from_millis(10)).await;
                    if !is_keyed {
                        break;
                    }
                }
            }
            ledger.lock().unwrap().repeats += 1;
        }
    }
}

fn promised(ledger: &Mutex<Ledger>, serial: u64, told: &Told, is_later: bool) {
    let id = told.id.clone();
    let promise = match told.status {
        // Not taken, or not written down.
        _ if id.is_empty() => return,
        200 if !is_later => Promise::Done(id),
        _ => Promise::Kept(id),
    };
    ledger.lock().unwrap().promise(serial, promise);
}

fn body(verb: &str, serial: u64) -> Value {
    let object = format!("Device.X.{serial}.");
    match verb {
        "add" => json!({"objects": [{"path": object + "Row."}]}),
        "delete" => json!({"paths": [object]}),
        "get" => json!({"paths": [object + "Y"]}),
        "set" => {
            json!({"objects": [{"path": object, "parameters": [{"name": "Y", "value": "1"}]}]})
        }
        _ => json!({"command": object + "Go()"}),
    }
}

/// What is read, on a connection of its own; none when the server died over it.
pub(crate) async fn read(api: &str, token: &str, path: &str) -> Option<Told> {
    ask(api, token, "GET", path, "", "").await
}

async fn ask(
    api: &str,
    token: &str,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> Option<Told> {
    let mut stream = TcpStream::connect(api).await.ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{header}Content-Length: {length}\r\n\r\n{body}"
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
    Some(Told {
        status,
        id: id.unwrap_or_default().to_owned(),
        body: serde_json::from_str(body).ok()?,
    })
}
