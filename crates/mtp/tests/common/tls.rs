//! A CA, the Endpoints that it vouches for, and ends that trust it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use usphere_mtp::tls::{Authority, Holder, Identity, Issued, Term, Tls, Verifier};
use usphere_mtp::websocket::Settings;
use usphere_trust::{AllowedUses, Certificate, Credential, Session, Store};

use super::{id, settings};

/// Now, for all who judge: 2026-01-01.
pub(crate) const NOW: i64 = 1_767_225_600;

const YEAR: i64 = 365 * 24 * 3600;

/// Around now.
pub(crate) const VALID: Term = Term {
    not_before: NOW - YEAR,
    not_after: NOW + YEAR,
};

/// Before now.
pub(crate) const EXPIRED: Term = Term {
    not_before: NOW - 2 * YEAR,
    not_after: NOW - 1,
};

/// A CA.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) certificate: Certificate,
    authority: Authority,
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["ca.pem", "ca.key"].map(|name| folder.path().join(name));
        let made = Authority::make(name, VALID).unwrap();
        made.write(&certificate, &key).unwrap();
        Self {
            authority: Authority::from_files(&certificate, &key).unwrap(),
            certificate: Certificate::from_pem(&made.certificate).unwrap(),
            folder,
        }
    }

    pub(crate) fn issue(&self, name: &str, term: Term) -> Issued {
        let holder = Holder {
            endpoints: vec![id(name)],
            ..Holder::default()
        };
        self.authority.issue(&holder, term).unwrap()
    }

    /// The identity that this CA gives the Endpoint.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        self.keep(&self.issue(name, VALID))
    }

    pub(crate) fn keep(&self, issued: &Issued) -> Identity {
        let (certificate, key) = self.files(issued);
        Identity::from_files(&certificate, &key).unwrap()
    }

    pub(crate) fn files(&self, issued: &Issued) -> (PathBuf, PathBuf) {
        let [certificate, key] = ["one.pem", "one.key"].map(|name| self.folder.path().join(name));
        issued.write(&certificate, &key).unwrap();
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        (certificate, key)
    }

    /// What somebody trusts who trusts this CA.
    pub(crate) fn store(&self) -> Store {
        Store {
            credentials: vec![Credential {
                instance: 1,
                certificate: self.certificate.clone(),
                allowed_uses: Some(AllowedUses::MtpAndUsp),
                roles: Vec::new(),
            }],
            ..Store::default()
        }
    }

    /// The settings of an Endpoint that this CA vouches for, and that trusts it.
    pub(crate) fn member(&self, name: &str) -> Settings {
        with(name, Some(self.identity(name)), self.store())
    }
}

/// The settings of an Endpoint.
pub(crate) fn with(name: &str, identity: Option<Identity>, store: Store) -> Settings {
    let mut settings = settings(name);
    settings.tls = Some(Arc::new(Tls::new(identity, verifier(store))));
    settings.peer_id = Some(id(super::SERVER));
    settings
}

pub(crate) fn verifier(store: Store) -> Verifier {
    changing(Arc::new(Mutex::new(store)))
}

/// Judges by what is in `store` when it is asked.
pub(crate) fn changing(store: Arc<Mutex<Store>>) -> Verifier {
    Arc::new(move |chain, expected| {
        Session::open(chain, &store.lock().unwrap(), expected, Some(NOW))
    })
}
