//! "Checking a Certificate" and "Determining the Role": what a certificate makes of the Controller that it
//! belongs to. (R-SEC.3, R-SEC.4, R-SEC.6, R-SEC.8, R-SEC.24, R-SEC.25)
//!
//! ```text
//! is the Controller known? ─yes─▶ by this certificate? ─yes─▶ denied? ─yes─▶ ban it, refuse
//!      │ no                            │ no                     │ no ─▶ role
//!      │                               ▼
//!      │                         trusted CA? ─no─▶ refuse
//!      │                               │ yes ─▶ denied? ─yes─▶ refuse
//!      │                               │           │ no ─▶ role
//!      ▼
//! trusted CA? ─yes─▶ denied? ─yes─▶ refuse
//!      │ no             │ no ─▶ role
//!      ▼
//! denied? ─yes─▶ refuse
//!      │ no
//!      ▼
//! trusted signature required? ─yes─▶ refuse
//!      │ no ─▶ role
//!
//! role: the roles of the first Credential on the way up are inherited;
//!       a Controller that has neither inherited nor assigned roles gets the untrusted one;
//!       a certificate that nobody vouches for is stored with the Controller.
//! ```
//!
//! A Credential for connections only authenticates nobody. Being the first on the way it also hides those
//! above it: who restricts an intermediate authority means it.

use usphere_proto::EndpointId;

use crate::certificate::{Certificate, quoted};
use crate::chain::Walk;
use crate::distrust::Distrust;
use crate::session::Session;
use crate::store::{AllowedUses, Credential, Store};

/// What follows for a Controller that may speak.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// Whether its row is there.
    pub standing: Standing,
    /// The paths of the roles that it inherits; they replace what it inherited before.
    pub inherited: Vec<String>,
    /// The instance number of the Credential that vouches for it, whether or not it gives roles.
    pub vouched_by: Option<u32>,
    /// Whether it has no role at all and so gets the untrusted one.
    pub untrusted: bool,
    /// The certificate to be stored with it: the next use has to be by the same. (R-SEC.8)
    pub remember: Option<Certificate>,
    /// The revision of the [`Store`] by which it was judged.
    pub revision: u64,
}

/// Whether a Controller is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its row.
    Known {
        /// The instance number.
        instance: u32,
    },
    /// It is to get a row.
    New,
}

/// Why a Record is not processed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{distrust}")]
pub struct Rejection {
    /// Why.
    pub distrust: Distrust,
    /// The Controller that gets the banned role and no other, by its instance number.
    pub ban: Option<u32>,
}

impl From<Distrust> for Rejection {
    fn from(distrust: Distrust) -> Self {
        Self {
            distrust,
            ban: None,
        }
    }
}

/// The first chart. That the certificate is the one of `from_id` was seen before.
pub(super) fn check(
    session: &Session,
    from_id: &EndpointId,
    store: &Store,
    time: Option<i64>,
) -> Result<Admission, Rejection> {
    let leaf = session.chain().leaf();
    let mut walk = session.chain().walk(store, time);
    let denied = walk.denied(store);
    let authority = authority(&walk);
    let known = store.peer(from_id);
    if let Some(known) = known.filter(|known| known.has(leaf)) {
        return match denied {
            Some(distrust @ (Distrust::Banned { .. } | Distrust::Revoked { .. })) => {
                Err(Rejection {
                    distrust,
                    ban: Some(known.instance),
                })
            }
            Some(distrust) => Err(distrust.into()),
            None => Ok(determine_role(from_id, store, authority, None)),
        };
    }
    match (denied, authority) {
        (Some(denied), _) => Err(denied.into()),
        (None, Some(_)) => Ok(determine_role(from_id, store, authority, None)),
        (None, None) if known.is_some() => Err(Distrust::NotItsCertificate {
            endpoint_id: from_id.clone(),
            certificate: leaf.to_string(),
        }
        .into()),
        (None, None) if !store.tofu_allowed => Err(Distrust::Untrusted {
            certificate: leaf.to_string(),
            issuer: quoted(leaf.issuer()),
        }
        .into()),
        (None, None) => Ok(determine_role(from_id, store, None, Some(leaf))),
    }
}

/// The second chart.
pub(super) fn determine_role(
    from_id: &EndpointId,
    store: &Store,
    authority: Option<&Credential>,
    first_used: Option<&Certificate>,
) -> Admission {
    let known = store.peer(from_id);
    let inherited = authority
        .map(|authority| authority.roles.clone())
        .unwrap_or_default();
    let assigned = known.is_some_and(|known| known.has_roles);
    Admission {
        standing: match known {
            Some(known) => Standing::Known {
                instance: known.instance,
            },
            None => Standing::New,
        },
        untrusted: inherited.is_empty() && !assigned,
        inherited,
        vouched_by: authority.map(|authority| authority.instance),
        remember: first_used.cloned(),
        revision: store.revision,
    }
}

/// The Credential at the end of the way, where it may authenticate Controllers.
fn authority<'a>(walk: &Walk<'a>) -> Option<&'a Credential> {
    walk.anchor
        .filter(|anchor| anchor.allowed_uses == Some(AllowedUses::MtpAndUsp))
}

/// The Credential at the end of the way, where it is that of a Trusted Broker. (R-SEC.4a)
pub(super) fn broker<'a>(walk: &Walk<'a>) -> Option<&'a Credential> {
    walk.anchor
        .filter(|anchor| anchor.allowed_uses == Some(AllowedUses::MtpAndBroker))
}
