//! A server whose database is damaged starts all the same, and is who it was.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use usphere_server::Server;

use crate::support::{Played, config, get, polite, server, until};

const PAGE: usize = 4096;

/// Damages every page of the database, but the first, in which one of these texts stands.
fn damage(data: &Path, texts: &[&str]) -> usize {
    let path = data.join("server.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(connection);
    let mut bytes = fs::read(&path).unwrap();
    let mut damaged = 0;
    for page in bytes.chunks_mut(PAGE).skip(1) {
        let has = |text: &&str| page.windows(text.len()).any(|part| part == text.as_bytes());
        if texts.iter().any(has) {
            page.fill(0x5a);
            damaged += 1;
        }
    }
    fs::write(path, bytes).unwrap();
    damaged
}

fn aside(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| {
            let name = path.display().to_string();
            let number = name.rsplit_once(".damaged-").map(|(_, number)| number);
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .collect()
}

#[tokio::test]
async fn what_is_damaged_is_set_aside_and_the_server_is_who_it_was() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let was = first.endpoint_id().clone();
    let _agent = Played::introduced(&first, "self::agent-1", polite).await;
    first.shutdown().await;
    assert_eq!(aside(data.path()), [] as [PathBuf; 0]);
    // The page with the settings, its own Endpoint ID among them.
    assert_eq!(damage(data.path(), &[was.as_str()]), 1);

    let second = Server::start(config(data.path())).await.unwrap();
    assert_eq!(second.endpoint_id(), &was);
    assert_eq!(aside(data.path()).len(), 1, "the damaged file is kept");
    let device = get(&second, "/api/v1/devices/self::agent-1").await;
    assert_eq!(
        (device.status, &device.body["manufacturer"]),
        (200, &"the Manufacturer".into())
    );
    second.shutdown().await;

    // What is lost with a page of devices is back when they connect.
    assert!(damage(data.path(), &["self::agent-1"]) > 0);
    let third = Server::start(config(data.path())).await.unwrap();
    assert_eq!(third.endpoint_id(), &was);
    assert_eq!(aside(data.path()).len(), 2);
    assert_eq!(
        get(&third, "/api/v1/devices/self::agent-1").await.status,
        404
    );
    let _agent = Played::introduced(&third, "self::agent-1", polite).await;
    until(&third, "/api/v1/devices/self::agent-1", |device| {
        device["online"] == true
    })
    .await;
    third.shutdown().await;
}
