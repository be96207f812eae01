//! A server whose database is damaged starts all the same, and is who it was.

#[path = "../../store/src/sqlite/tests/harm.rs"]
mod harm;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use usphere_server::Server;

use crate::harm::{Harm, PAGE, harmed};
use crate::support::{Played, config, get, polite, raw, request, server, until};

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

/// The data folder of a server that had a device with an alias and a tag, another token, a Subscription, an operation,
/// events, an audit and a failed contact; as files.
async fn lived(data: &Path) -> Vec<(String, Vec<u8>)> {
    let server = server(data).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let device = "/api/v1/devices/self::agent-1";
    let wish = r#"{"type": "Event", "references": ["Device.Boot!"]}"#;
    for (method, path, body) in [
        ("PATCH", device.to_owned(), r#"{"alias": "kitchen"}"#),
        ("PUT", format!("{device}/tags/lab"), ""),
        (
            "POST",
            "/api/v1/tokens".to_owned(),
            r#"{"name": "reader", "scope": "read"}"#,
        ),
        (
            "POST",
            format!("{device}/get?wait=false"),
            r#"{"paths": ["Device.DeviceInfo.Manufacturer"]}"#,
        ),
        ("POST", "/api/v1/reload".to_owned(), ""),
    ] {
        let answer = request(&server, method, &path, body).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    }
    // None are kept here, but it is written down that somebody tried.
    request(&server, "PUT", "/api/v1/subscriptions/x", wish).await;
    drop(raw(server.ws_addr(), "GET", "/wrong", "", "").await);
    until(&server, "/api/v1/contacts", |page| {
        page["contacts"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    })
    .await;
    server.shutdown().await;
    let connection = rusqlite::Connection::open(data.join("server.db")).unwrap();
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(connection);
    let files = fs::read_dir(data).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}

/// Whichever page is lost, those of the schema and the first of all among them: the server starts, is who it was, tells of
/// it, and has every device that was on another page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_page_is_lost_the_server_starts() {
    let was = tempfile::tempdir().unwrap();
    let files = lived(was.path()).await;
    let file = |name: &str| &files.iter().find(|(known, _)| known == name).unwrap().1;
    let (sound, id) = (file("server.db").clone(), file("endpoint-id").clone());
    let pages = sound.len() / PAGE;
    assert!(pages > 30, "{pages}");
    let (mut salvaged, mut schema_pages) = (0, 0);
    for page in 0..pages {
        let content = &sound[page * PAGE..(page + 1) * PAGE];
        let has = |text: &[u8]| content.windows(text.len()).any(|part| part == text);
        let (is_schema, has_device) = (page == 0 || has(b"CREATE TABLE "), has(b"self::agent-1"));
        schema_pages += usize::from(is_schema);
        for harm in [Harm::Zeroed, Harm::Random, Harm::CutOff] {
            let at = format!("page {page} {harm:?}");
            // In memory, where there is some: a disk would be busy for a minute.
            let data = tempfile::tempdir_in("/dev/shm")
                .or_else(|_| tempfile::tempdir())
                .unwrap();
            for (name, bytes) in &files {
                let bytes = match name.as_str() {
                    "server.db" => harmed(&sound, page, harm),
                    _ => bytes.clone(),
                };
                fs::write(data.path().join(name), bytes).unwrap();
                let mode = fs::Permissions::from_mode(0o600);
                fs::set_permissions(data.path().join(name), mode).unwrap();
            }
            let server = Server::start(config(data.path())).await;
            let server = server.unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(
                server.endpoint_id().as_str().as_bytes(),
                id.trim_ascii(),
                "{at}"
            );
            let aside = aside(data.path()).len();
            salvaged += aside;
            let ready = get(&server, "/readyz").await;
            assert_eq!(
                (ready.status, &ready.body["damaged_kept"]),
                (200, &aside.into()),
                "{at}"
            );
            let audit = get(&server, "/api/v1/audit?action=store.salvage")
                .await
                .body;
            assert_eq!(
                audit["audit"].as_array().map(Vec::len),
                Some(aside),
                "{at}: {audit}"
            );
            let device = get(&server, "/api/v1/devices/self::agent-1").await;
            if !has_device && harm != Harm::CutOff {
                assert_eq!(device.status, 200, "{at}");
                assert_eq!(device.body["alias"], "kitchen", "{at}");
            }
            assert!(!is_schema || aside == 1, "{at}: it was noticed");
            server.shutdown().await;
        }
    }
    assert!(schema_pages > 2, "the schema is on {schema_pages} pages");
    assert!(salvaged > 2 * pages, "{salvaged} of {pages} pages");
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
