//! The door of the API: TLS under clients that never go on, and who is believed that names another.

mod support;

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use usphere_mtp::tls::{Authority, Holder, Term, WebClient};
use usphere_server::limits::API_CONNECTIONS_MAX;
use usphere_server::{ApiTlsFiles, Config, Rate, Server, TrustedProxies};

use crate::support::{PATIENCE, config, get, raw};

const TERM: Term = Term {
    not_before: 1_700_000_000,
    not_after: 10_000_000_000,
};

/// A server that speaks TLS on its API, and a client that trusts it.
async fn over_tls(folder: &Path) -> (Server, WebClient) {
    let file = |name: &str| folder.join(name);
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    let made = Authority::make("test", TERM).unwrap();
    made.write(&ca, &ca_key).unwrap();
    let holder = Holder {
        endpoints: vec!["self::server".parse().unwrap()],
        addresses: vec![[127, 0, 0, 1].into()],
        ..Holder::default()
    };
    let authority = Authority::from_files(&ca, &ca_key).unwrap();
    let files = ApiTlsFiles {
        certificate: file("api.pem"),
        key: file("api.key"),
    };
    let issued = authority.issue(&holder, TERM).unwrap();
    issued.write(&files.certificate, &files.key).unwrap();
    let server = Server::start(Config {
        api_tls: Some(files),
        ..config(&folder.join("data"))
    });
    let server = server.await.unwrap();
    assert_eq!(server.api_url(), format!("https://{}", server.api_addr()));
    (server, WebClient::trusting(&ca).unwrap())
}

/// The head of an answer over TLS.
async fn ask(server: &Server, client: &WebClient, path: &str) -> String {
    let asking = async {
        let stream = TcpStream::connect(server.api_addr()).await.unwrap();
        let mut stream = client.connect(stream, "127.0.0.1").await.unwrap();
        let token = server.token();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    timeout(PATIENCE, asking).await.unwrap()
}

/// They take all places with handshakes that they never finish, and make room for whoever wants something.
#[tokio::test]
async fn clients_that_never_finish_a_handshake_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = over_tls(folder.path()).await;
    let mut silent = Vec::new();
    for number in 0..API_CONNECTIONS_MAX + 16 {
        let mut stream = TcpStream::connect(server.api_addr()).await.unwrap();
        if number % 2 == 0 {
            // The beginning of a ClientHello of 512 bytes.
            stream.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
        }
        silent.push(stream);
    }
    let answer = ask(&server, &client, "/api/v1/server").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(server.api_url()), "{answer}");
    // A plain request is told where to go.
    let answer = raw(server.api_addr(), "GET", "/api/v1/server", "", "").await;
    assert_eq!(answer.status, 400);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("https://"), "{detail}");
    drop(silent);
    timeout(PATIENCE, server.shutdown()).await.unwrap();
}

/// A server that believes these proxies.
async fn believing(folder: &Path, proxies: &[&str]) -> Server {
    let server = Server::start(Config {
        api_trusted_proxies: TrustedProxies::read(proxies.iter().copied()).unwrap(),
        rate: Rate {
            address_per_second: 1,
            address_burst: 2,
            ..Rate::default()
        },
        ..config(folder)
    });
    server.await.unwrap()
}

async fn with_headers(server: &Server, method: &str, path: &str, headers: &str) -> u16 {
    raw(server.api_addr(), method, path, headers, "")
        .await
        .status
}

/// Whom the audit names for a change that came with this header.
async fn audited(server: &Server, header: &str) -> String {
    let headers = format!("Authorization: Bearer {}\r\n{header}\r\n", server.token());
    let path = "/api/v1/devices/self::nobody";
    assert_eq!(with_headers(server, "DELETE", path, &headers).await, 404);
    let audit: Value = get(server, "/api/v1/audit?limit=1").await.body;
    audit["audit"][0]["remote"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_who_is_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = believing(folder.path(), &["127.0.0.0/8"]).await;
    for (header, expected) in [
        ("X-Forwarded-For: 198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("Forwarded: for=192.0.2.8;proto=https", "192.0.2.8"),
    ] {
        assert_eq!(audited(&server, header).await, expected);
    }
    // Each has a bucket of its own.
    let knock = async |address: &str| {
        let header = format!("X-Forwarded-For: {address}\r\n");
        with_headers(&server, "GET", "/api/v1/server", &header).await
    };
    let mut told = Vec::new();
    for _ in 0..9 {
        told.push(knock("192.0.2.1").await);
    }
    assert!(told.contains(&429), "{told:?}");
    assert_eq!(knock("192.0.2.2").await, 401);
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let server = believing(folder.path(), &["192.0.2.0/24"]).await;
    let remote = audited(&server, "X-Forwarded-For: 192.0.2.7").await;
    assert!(remote.starts_with("127.0.0.1:"), "{remote}");
    let mut told = Vec::new();
    for number in 0..9 {
        let header =
            format!("X-Forwarded-For: 192.0.2.{number}\r\nForwarded: for=192.0.2.{number}\r\n");
        told.push(with_headers(&server, "GET", "/api/v1/server", &header).await);
    }
    assert!(told.contains(&429), "{told:?}");
}
