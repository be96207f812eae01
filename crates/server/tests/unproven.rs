//! A door over TLS that takes devices without a certificate: they wait, and nobody becomes by one what somebody else
//! has proved to be.

mod support;

use std::path::Path;
use std::sync::Arc;

use usphere_mtp::tls::{Authority, Holder, Identity, Term, Tls};
use usphere_mtp::websocket::{self, CloseReason, DialError, Link, Settings, close_code};
use usphere_runtime::Trusted;
use usphere_server::{Config, Server, TlsClient, TlsFiles};
use usphere_trust::Certificate;

use crate::support::{Played, config, get, id, polite, post, request, until};

const SERVER: &str = "self::server";
const DEVICE: &str = "self::device";

const TERM: Term = Term {
    not_before: 1_700_000_000,
    not_after: 10_000_000_000,
};

/// A CA, and what it gives out, in a folder.
struct Ca<'a> {
    folder: &'a Path,
    authority: Authority,
}

impl<'a> Ca<'a> {
    fn new(folder: &'a Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let [certificate, key] = ["ca.pem", "ca.key"].map(|name| folder.join(name));
        let made = Authority::make("test", TERM).unwrap();
        made.write(&certificate, &key).unwrap();
        let authority = Authority::from_files(&certificate, &key).unwrap();
        Self { folder, authority }
    }

    fn issue(&self, name: &str) -> TlsFiles {
        let holder = Holder {
            endpoints: vec![name.parse().unwrap()],
            addresses: vec![[127, 0, 0, 1].into()],
            ..Holder::default()
        };
        let files = TlsFiles {
            certificate: self.folder.join("one.pem"),
            key: self.folder.join("one.key"),
            authorities: self.folder.join("ca.pem"),
        };
        let issued = self.authority.issue(&holder, TERM).unwrap();
        issued.write(&files.certificate, &files.key).unwrap();
        files
    }

    fn identity(&self, name: &str) -> Identity {
        let files = self.issue(name);
        Identity::from_files(&files.certificate, &files.key).unwrap()
    }

    fn trusted(&self) -> Trusted {
        let pem = std::fs::read_to_string(self.folder.join("ca.pem")).unwrap();
        Trusted::new(vec![Certificate::from_pem(&pem).unwrap()])
    }
}

/// A server whose door takes devices without a certificate.
async fn server(data: &Path, ca: &Ca<'_>) -> Server {
    let server = Server::start(Config {
        endpoint_id: Some(id(SERVER)),
        tls: Some(ca.issue(SERVER)),
        tls_client: TlsClient::Optional,
        ..config(data)
    });
    server.await.unwrap()
}

async fn dial(server: &Server, ca: &Ca<'_>, identity: Option<Identity>) -> Result<Link, DialError> {
    let mut settings = Settings::new(id(DEVICE));
    let verifier = ca.trusted().agents_verifier();
    settings.tls = Some(Arc::new(Tls::new(identity, verifier)));
    settings.peer_id = Some(id(SERVER));
    let target = format!("wss://{}/usp", server.ws_addr()).parse().unwrap();
    websocket::dial(&target, &settings).await
}

async fn played(server: &Server, ca: &Ca<'_>, identity: Option<Identity>) -> Played {
    let link = dial(server, ca, identity).await.unwrap();
    Played::on(link, server.endpoint_id().clone(), DEVICE, polite)
}

fn device() -> String {
    format!("/api/v1/devices/{DEVICE}")
}

async fn leaves(played: Played) {
    played.sender.close(close_code::NORMAL, "done");
    played.end().await;
}

/// Waits until a contact of the device failed for this reason.
async fn told(server: &Server, reason: &str) {
    until(server, "/api/v1/contacts", |contacts| {
        let contacts = contacts["contacts"].as_array().unwrap();
        contacts.iter().any(|contact| contact["reason"] == reason)
    })
    .await;
}

async fn may_be_asked(server: &Server) -> u16 {
    let body = r#"{"paths": ["Device.DeviceInfo.SerialNumber"]}"#;
    post(server, &format!("{}/get", device()), body)
        .await
        .status
}

async fn is_online(server: &Server, wanted: bool) {
    until(server, &device(), |device| device["online"] == wanted).await;
}

#[tokio::test]
async fn who_comes_without_a_certificate_waits_until_it_is_approved() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new(folder.path());
    let server = server(&folder.path().join("data"), &ca).await;
    let first = played(&server, &ca, None).await;
    let pending = until(&server, &device(), |device| device["state"] == "pending").await;
    assert_eq!(pending["proven"], false);
    assert_eq!(may_be_asked(&server).await, 409);
    told(&server, "not_approved").await;

    let approved = post(&server, &format!("{}/approve", device()), "").await;
    assert_eq!(approved.status, 200);
    assert_eq!(approved.body["proven"], false);
    assert_eq!(may_be_asked(&server).await, 200);
    until(&server, "/api/v1/audit?limit=1", |audit| {
        let what = audit["audit"][0]["what"].as_str().unwrap();
        what.contains("without proof")
    })
    .await;
    leaves(first).await;
    // It stays let in.
    is_online(&server, false).await;
    let _again = played(&server, &ca, None).await;
    is_online(&server, true).await;
    assert_eq!(may_be_asked(&server).await, 200);
}

#[tokio::test]
async fn a_certificate_that_is_presented_has_to_be_good() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    let (ca, other) = (Ca::new(folder.path()), Ca::new(&other));
    let server = server(&folder.path().join("data"), &ca).await;
    let refused = dial(&server, &ca, Some(other.identity(DEVICE))).await;
    assert!(matches!(refused, Err(DialError::Tls(_))), "{refused:?}");
    told(&server, "unknown_ca").await;
    // One that is another's proves nothing either.
    let _liar = played(&server, &ca, Some(ca.identity("self::somebody"))).await;
    told(&server, "certificate_mismatch").await;
    assert_eq!(get(&server, &device()).await.status, 404);
}

/// Neither while it is there, nor while it is away, nor after a restart; only when it is forgotten.
#[tokio::test]
async fn nobody_comes_by_its_word_in_the_place_of_who_has_proved_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new(folder.path());
    let data = folder.path().join("data");
    let first_life = server(&data, &ca).await;
    let proven = played(&first_life, &ca, Some(ca.identity(DEVICE))).await;
    let known = until(&first_life, &device(), |device| device["online"] == true).await;
    assert_eq!(
        (&known["state"], &known["proven"]),
        (&"approved".into(), &true.into())
    );

    let is_sent_away = async |server: &Server| {
        let end = played(server, &ca, None).await.end().await;
        let CloseReason::ByPeer { code, .. } = &end else {
            panic!("{end}")
        };
        assert_eq!(*code, Some(close_code::POLICY));
        told(server, "certificate_missing").await;
    };
    is_sent_away(&first_life).await;
    assert_eq!(
        may_be_asked(&first_life).await,
        200,
        "it is there as before"
    );
    leaves(proven).await;
    is_online(&first_life, false).await;
    is_sent_away(&first_life).await;
    first_life.shutdown().await;

    let second_life = server(&data, &ca).await;
    is_sent_away(&second_life).await;
    let removed = request(&second_life, "DELETE", &device(), "").await;
    assert_eq!(removed.status, 204);
    let _new = played(&second_life, &ca, None).await;
    let new = until(&second_life, &device(), |device| device["online"] == true).await;
    assert_eq!(
        (&new["state"], &new["proven"]),
        (&"pending".into(), &false.into())
    );
    // Who has the certificate takes the place of who has not, and keeps it.
    let _back = played(&second_life, &ca, Some(ca.identity(DEVICE))).await;
    until(&second_life, &device(), |device| device["proven"] == true).await;
    is_sent_away(&second_life).await;
}
