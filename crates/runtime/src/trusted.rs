//! What an Endpoint trusts just now, as the handshakes of TLS ask for it.
//!
//! Whoever decides about trust puts it in; every handshake from then on judges by it. This module must
//! never trust anything that was not put in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_mtp::tls::Verifier;
use usphere_trust::{Certificate, Chain, Distrust, Expected, Session, Store};

/// What is trusted just now, and whether the time is known. Cheap to clone; the clones are one.
#[derive(Clone, Debug)]
pub struct Trusted(Arc<Content>);

#[derive(Debug)]
struct Content {
    store: RwLock<Arc<Store>>,
    time_is_known: AtomicBool,
}

impl Trusted {
    /// Trust in these authorities, at a time that is not known yet.
    pub fn new(authorities: Vec<Certificate>) -> Self {
        Self(Arc::new(Content {
            store: RwLock::new(Arc::new(Store::of_authorities(authorities))),
            time_is_known: AtomicBool::new(false),
        }))
    }

    /// What a Controller trusts: Agents whose certificates these authorities vouch for. Its clock
    /// counts as right. (R-SEC.9)
    pub fn of_controller(authorities: Vec<Certificate>) -> Self {
        let trusted = Self::new(authorities);
        trusted.set_time_is_known(true);
        trusted
    }

    /// Trusts `store` instead.
    pub fn set(&self, store: Arc<Store>) {
        *self.0.store.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// Trusts these authorities instead.
    pub fn set_authorities(&self, authorities: Vec<Certificate>) {
        let revision = self.store().revision + 1;
        self.set(Arc::new(Store {
            revision,
            ..Store::of_authorities(authorities)
        }));
    }

    /// Says whether the wall clock is right. While it is not, dates are not looked at. (R-MTP.2, R-MTP.3,
    /// R-WS.23)
    pub fn set_time_is_known(&self, is_known: bool) {
        self.0.time_is_known.store(is_known, Ordering::Relaxed);
    }

    /// Judges as an Agent does: by the chart, and the host that was dialled. (R-MTP.4)
    pub fn agents_verifier(&self) -> Verifier {
        let trusted = self.clone();
        Arc::new(move |chain, expected| trusted.judge(chain, expected))
    }

    /// Judges as a Controller does. An Agent that was dialled is who its certificate says, since few
    /// of them have a name in the DNS; a certificate that names no Endpoint has to be for the host.
    pub fn controllers_verifier(&self) -> Verifier {
        let trusted = self.clone();
        Arc::new(move |chain, expected| {
            let names_an_agent = chain.leaf().names_an_endpoint();
            match expected {
                Expected::Server {
                    endpoint_id: None, ..
                } if names_an_agent => trusted.judge(chain, &Expected::Anybody),
                expected => trusted.judge(chain, expected),
            }
        })
    }

    fn judge(&self, chain: Chain, expected: &Expected) -> Result<Session, Distrust> {
        Session::open(chain, &self.store(), expected, self.time())
    }

    fn store(&self) -> Arc<Store> {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&store)
    }

    /// Seconds since 1970, if that is known.
    fn time(&self) -> Option<i64> {
        if !self.0.time_is_known.load(Ordering::Relaxed) {
            return None;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }
}

#[cfg(test)]
mod tests {
    use usphere_mtp::tls::{Authority, Holder, Term};
    use usphere_trust::Verdict;

    use super::*;

    const AGENT: &str = "os::00256D-0123456789";

    /// From 2001 to a day long past, and to one far ahead.
    const EXPIRED: Term = Term {
        not_before: 1_000_000_000,
        not_after: 1_100_000_000,
    };
    const VALID: Term = Term {
        not_before: 1_000_000_000,
        not_after: 10_000_000_000,
    };

    /// A CA, and the certificate that it gives the Agent.
    fn made(term: Term) -> (Certificate, Chain) {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["ca.pem", "ca.key"].map(|name| folder.path().join(name));
        let ca = Authority::make("test", VALID).unwrap();
        ca.write(&certificate, &key).unwrap();
        let holder = Holder {
            endpoints: vec![AGENT.parse().unwrap()],
            ..Holder::default()
        };
        let authority = Authority::from_files(&certificate, &key).unwrap();
        let issued = authority.issue(&holder, term).unwrap();
        let leaf = Certificate::from_pem(&issued.certificate).unwrap();
        (
            Certificate::from_pem(&ca.certificate).unwrap(),
            Chain::from_der(&[leaf.der()]).unwrap(),
        )
    }

    fn dialled(host: &str) -> Expected {
        Expected::Server {
            host: host.to_owned(),
            endpoint_id: None,
        }
    }

    /// Proves: R-MTP.2, R-MTP.3, R-WS.23
    #[test]
    fn dates_are_looked_at_once_the_time_is_known() {
        let (ca, chain) = made(EXPIRED);
        let trusted = Trusted::new(vec![ca]);
        let verifier = trusted.agents_verifier();
        verifier(chain.clone(), &Expected::Anybody).unwrap();
        trusted.set_time_is_known(true);
        let distrust = verifier(chain, &Expected::Anybody).unwrap_err();
        assert!(matches!(distrust, Distrust::OutOfDate { .. }), "{distrust}");
    }

    #[test]
    fn an_agent_is_who_its_certificate_says_wherever_a_controller_has_dialled() {
        let (ca, chain) = made(VALID);
        let trusted = Trusted::of_controller(vec![ca.clone()]);
        let session = trusted.controllers_verifier()(chain.clone(), &dialled("192.0.2.7")).unwrap();
        assert!(matches!(session.verdict(), Verdict::VouchedFor { .. }));
        // One that names no Endpoint has to be for the host.
        let nobody = Chain::from_der(&[ca.der()]).unwrap();
        let distrust = trusted.controllers_verifier()(nobody, &dialled("192.0.2.7")).unwrap_err();
        assert!(
            matches!(distrust, Distrust::WrongServer { .. }),
            "{distrust}"
        );
        // An Agent compares the host, too.
        let distrust = trusted.agents_verifier()(chain, &dialled("192.0.2.7")).unwrap_err();
        assert!(
            matches!(distrust, Distrust::WrongServer { .. }),
            "{distrust}"
        );
    }

    #[test]
    fn what_is_trusted_changes_under_the_verifiers_that_were_made() {
        let (ca, chain) = made(VALID);
        let trusted = Trusted::of_controller(Vec::new());
        let verifier = trusted.controllers_verifier();
        let distrust = verifier(chain.clone(), &Expected::Anybody).unwrap_err();
        assert!(matches!(distrust, Distrust::Untrusted { .. }), "{distrust}");
        trusted.set_authorities(vec![ca]);
        verifier(chain.clone(), &Expected::Anybody).unwrap();
        trusted.set(Arc::default());
        verifier(chain, &Expected::Anybody).unwrap_err();
    }
}
