//! TLS for a visit: the certificate of the other end is looked at, whatever is wrong with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_mtp::tls::{Identity, Tls, Verifier, authorities};
use usphere_proto::EndpointId;
use usphere_trust::{Certificate, Chain, Distrust, Expected, Session, Store};

use crate::failure::Failure;
use crate::print;
use crate::tls::TlsOptions;
use crate::verbs::certs;

/// Days before its end from which a certificate is said to end soon.
const SOON_DAYS: i64 = 30;

const DAY: i64 = 24 * 3600;

/// What was seen of the other end's certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Presented>>>);

/// The certificates that the other end presents.
#[derive(Clone, Debug)]
pub(super) struct Presented {
    leaf: Certificate,
    authorities: usize,
    /// Whether it is neither for the host nor for whom is expected there. A Controller bears that of an Agent, an
    /// Agent bears it of nobody.
    pub(super) is_for_another: bool,
}

/// TLS that shows what there is for `own`, and looks at what comes.
///
/// # Errors
/// A file cannot be used, or a certificate was named without its key.
pub(super) fn visiting(options: TlsOptions, own: &EndpointId) -> Result<(Tls, Seen), Failure> {
    let kept = certs::kept(own);
    let kept_authorities = kept.as_ref().map(|files| files.authorities.clone());
    let trusted = options.authorities.clone().or(kept_authorities);
    let pair = match (options.certificate, options.key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => kept.map(|files| (files.certificate, files.key)),
        _ => return Err(Failure::usage("--tls-cert and --tls-key go together")),
    };
    let identity = pair.map(|(certificate, key)| Identity::from_files(&certificate, &key));
    let identity = identity.transpose().map_err(Failure::local)?;
    let trusted = trusted.map(|file| authorities(&file));
    let trusted = trusted.transpose().map_err(Failure::local)?;
    let seen = Seen::default();
    let verifier = verifier(
        seen.clone(),
        Store::of_authorities(trusted.unwrap_or_default()),
    );
    Ok((Tls::new(identity, verifier), seen))
}

fn verifier(seen: Seen, store: Store) -> Verifier {
    Arc::new(move |chain, expected| {
        let leaf = chain.leaf().clone();
        let presented = Presented {
            authorities: chain.authorities().len(),
            is_for_another: false,
            leaf,
        };
        seen.set(presented.clone());
        let verdict = Session::open(chain.clone(), &store, expected, now());
        match verdict {
            Err(Distrust::WrongServer { .. }) if presented.leaf.names_an_endpoint() => {
                seen.set(Presented {
                    is_for_another: true,
                    ..presented
                });
                judge_anybody(chain, &store)
            }
            verdict => verdict,
        }
    })
}

fn judge_anybody(chain: Chain, store: &Store) -> Result<Session, Distrust> {
    Session::open(chain, store, &Expected::Anybody, now())
}

/// Seconds since 1970, if the clock is right.
fn now() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

impl Seen {
    /// What came last.
    pub(super) fn presented(&self) -> Option<Presented> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    fn set(&self, presented: Presented) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(presented);
    }
}

impl Presented {
    /// Whose it is, who vouches for it, for how long, and for which names.
    pub(super) fn told(&self) -> String {
        let leaf = &self.leaf;
        let issuer = match leaf.is_self_signed() {
            true => "itself".to_owned(),
            false => format!("{:?}", print::clean(leaf.issuer())),
        };
        let date = |seconds| {
            let time = usphere_agent::date_time(i64::saturating_mul(seconds, 1_000_000));
            time.split('T').next().unwrap_or_default().to_owned()
        };
        let validity = leaf.validity();
        let mut told = format!(
            "certificate {:?}, signed by {issuer}, valid {} to {}",
            print::clean(leaf.subject()),
            date(validity.not_before),
            date(validity.not_after),
        );
        if let Some(days) = now().map(|now| (validity.not_after - now) / DAY)
            && (0..SOON_DAYS).contains(&days)
        {
            told += &format!(" (it ends in {days} days)");
        }
        let endpoints = leaf.endpoint_names().iter().map(ToString::to_string);
        let hosts = leaf.dns_names().iter().cloned();
        let addresses = leaf.addresses().iter().map(ToString::to_string);
        let names: Vec<_> = endpoints.chain(hosts).chain(addresses).collect();
        told += &match names.is_empty() {
            true => ", for no name".to_owned(),
            false => format!(", for {}", print::clean(&names.join(", "))),
        };
        match self.authorities {
            0 => told,
            1 => told + ", with one more of its chain",
            more => told + &format!(", with {more} more of its chain"),
        }
    }
}
