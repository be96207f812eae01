//! Faults of TLS, and the certificates that they are made with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use usphere_mtp::tls::{Authority, Holder, Identity, Issued, Term, Tls, Verifier};
use usphere_mtp::websocket::{self, DialError, Link, Settings};
use usphere_proto::Record;
use usphere_runtime::Trusted;
use usphere_server::TlsFiles;
use usphere_trust::{AllowedUses, Certificate, Credential, Session, Store};

use super::{Ward, says};
use crate::support::id;

/// Who the server is.
pub(crate) const CONTROLLER: &str = "self::server.example";

/// From 2001 to 2286.
const VALID: Term = Term {
    not_before: 1_000_000_000,
    not_after: 10_000_000_000,
};

/// From 2001 to 2002-01-01.
const EXPIRED: Term = Term {
    not_before: 1_000_000_000,
    not_after: 1_009_843_200,
};

/// From 2099 on.
const FUTURE: Term = Term {
    not_before: 4_080_000_000,
    not_after: 10_000_000_000,
};

/// A ClientHello of TLS 1.1, without extensions.
pub(crate) const OLD_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x2d, // a handshake record of 45 bytes
    0x01, 0x00, 0x00, 0x29, // a ClientHello of 41 bytes
    0x03, 0x02, // TLS 1.1
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    0x00, // no session
    0x00, 0x02, 0x00, 0x2f, // one cipher suite
    0x01, 0x00, // no compression
];

/// Two CAs; the server trusts the first.
pub(crate) struct Certificates {
    ours: Ca,
    other: Ca,
}

struct Ca {
    certificate: Certificate,
    authority: Authority,
}

impl Ca {
    fn make(folder: &Path, name: &str) -> Self {
        let file = |ending: &str| folder.join(format!("{}.{ending}", name.replace(' ', "-")));
        let (certificate, key) = (file("pem"), file("key"));
        let made = Authority::make(name, VALID).unwrap();
        made.write(&certificate, &key).unwrap();
        Self {
            certificate: Certificate::from_pem(&made.certificate).unwrap(),
            authority: Authority::from_files(&certificate, &key).unwrap(),
        }
    }

    fn issue(&self, name: &str, term: Term) -> Issued {
        let holder = Holder {
            endpoints: vec![id(name)],
            addresses: vec![[127, 0, 0, 1].into()],
            ..Holder::default()
        };
        self.authority.issue(&holder, term).unwrap()
    }
}

impl Certificates {
    pub(super) fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        Self {
            ours: Ca::make(folder, "Our CA"),
            other: Ca::make(folder, "Another CA"),
        }
    }

    /// The files of the server.
    pub(super) fn files(&self, folder: &Path) -> TlsFiles {
        let files = TlsFiles {
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
            authorities: folder.join("Our-CA.pem"),
        };
        let issued = self.ours.issue(CONTROLLER, VALID);
        issued.write(&files.certificate, &files.key).unwrap();
        files
    }
}

/// Dials as a device that shows `identity` and judges the server by `verifier`.
async fn dials(
    ward: &Ward,
    host: &str,
    identity: Option<Identity>,
    verifier: Verifier,
) -> Result<Link, DialError> {
    let target = format!("wss://{host}:{}/usp", ward.door.port());
    let settings = Settings {
        tls: Some(Arc::new(Tls::new(identity, verifier))),
        ..Settings::new(ward.agent.clone())
    };
    websocket::dial(&target.parse().unwrap(), &settings).await
}

/// Dials with a certificate, trusting the right CA.
async fn shows(ward: &Ward, issued: &Issued) -> Result<Link, DialError> {
    let verifier = trusting(&ward.certificates.ours);
    let identity = issued.identity().unwrap();
    dials(ward, "127.0.0.1", Some(identity), verifier).await
}

fn trusting(ca: &Ca) -> Verifier {
    Trusted::of_controller(vec![ca.certificate.clone()]).agents_verifier()
}

fn own(ward: &Ward) -> Identity {
    let issued = ward.certificates.ours.issue(ward.agent.as_str(), VALID);
    issued.identity().unwrap()
}

pub(crate) async fn plain(ward: &Ward) {
    super::browser(ward).await;
}

pub(crate) async fn old_tls(ward: &Ward) {
    says(ward, OLD_HELLO).await;
}

pub(crate) async fn unknown_ca(ward: &Ward) {
    let issued = ward.certificates.other.issue(ward.agent.as_str(), VALID);
    shows(ward, &issued).await.unwrap_err();
}

pub(crate) async fn self_signed(ward: &Ward) {
    let issued = Issued::self_signed(&ward.agent, VALID).unwrap();
    shows(ward, &issued).await.unwrap_err();
}

pub(crate) async fn expired(ward: &Ward) {
    let issued = ward.certificates.ours.issue(ward.agent.as_str(), EXPIRED);
    shows(ward, &issued).await.unwrap_err();
}

pub(crate) async fn not_yet_valid(ward: &Ward) {
    let issued = ward.certificates.ours.issue(ward.agent.as_str(), FUTURE);
    shows(ward, &issued).await.unwrap_err();
}

pub(crate) async fn no_certificate(ward: &Ward) {
    let verifier = trusting(&ward.certificates.ours);
    let dialled = dials(ward, "127.0.0.1", None, verifier).await;
    dialled.unwrap_err();
}

pub(crate) async fn others_certificate(ward: &Ward) -> Link {
    let issued = ward.certificates.ours.issue("self::somebody.else", VALID);
    let link = shows(ward, &issued).await.unwrap();
    let connect = Record::websocket_connect(&ward.controller, &ward.agent);
    link.sender.try_send(&connect).unwrap();
    let mut link = link;
    // Whoever polls it drives it.
    let moved = link.receiver.recv();
    drop(tokio::time::timeout(super::GATHERED, moved).await);
    link
}

pub(crate) async fn does_not_know_our_ca(ward: &Ward) {
    let verifier = trusting(&ward.certificates.other);
    let dialled = dials(ward, "127.0.0.1", Some(own(ward)), verifier).await;
    dialled.unwrap_err();
}

pub(crate) async fn wants_another_name(ward: &Ward) {
    let verifier = trusting(&ward.certificates.ours);
    let dialled = dials(ward, "localhost", Some(own(ward)), verifier).await;
    dialled.unwrap_err();
}

pub(crate) async fn has_a_wrong_clock(ward: &Ward) {
    let store = Store {
        credentials: vec![Credential {
            instance: 1,
            certificate: ward.certificates.ours.certificate.clone(),
            allowed_uses: Some(AllowedUses::MtpAndUsp),
            roles: Vec::new(),
        }],
        ..Store::default()
    };
    let late = Some(VALID.not_after + 1);
    let verifier: Verifier =
        Arc::new(move |chain, expected| Session::open(chain, &store, expected, late));
    let dialled = dials(ward, "127.0.0.1", Some(own(ward)), verifier).await;
    dialled.unwrap_err();
}
