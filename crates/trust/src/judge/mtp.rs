//! "Receiving a X.509 Certificate": may this TLS connection be used at all? (R-MTP.2 to R-MTP.4a)
//!
//! ```text
//! presented ─▶ resumed session, judged before? ─yes─▶ use it        (Session::resume)
//!      │ no
//!      ▼
//! valid at this time? ─no─▶ end                                   (skipped while the time is not known)
//!      │ yes
//!      ▼
//! right server? ─no─▶ end                                         (only where we have dialled)
//!      │ yes
//!      ▼
//! stored for a Controller? ─yes──┐
//!      │ no                      ▼
//!      ▼                   denied? ─yes─▶ end
//! trusted CA or broker? ─yes──▶  │ no ─▶ use it
//!      │ no
//!      ▼
//! denied? ─yes─▶ end                                              (first use is for nobody who is denied)
//!      │ no
//!      ▼
//! trusted signature required? ─yes─▶ end
//!      │ no ─▶ use it, until it has been silent for too long
//! ```

use usphere_proto::EndpointId;

use crate::certificate::quoted;
use crate::chain::Chain;
use crate::distrust::Distrust;
use crate::session::Verdict;
use crate::store::Store;

/// Who should be at the other end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// Anybody: the peer has connected to us.
    Anybody,
    /// The server that we have dialled.
    Server {
        /// The host of the URL, a name or an address without brackets.
        host: String,
        /// The Endpoint that is wanted there, if one is.
        endpoint_id: Option<EndpointId>,
    },
}

/// Judges what a peer presented while TLS was set up; TLS itself has to prove that the peer owns the first
/// certificate. `time` is in seconds since 1970, `None` while it is not known for sure; dates are not looked at
/// then. (R-MTP.2, R-MTP.3)
///
/// # Errors
/// Why the connection is not to be used.
pub fn judge_mtp(
    chain: &Chain,
    store: &Store,
    expected: &Expected,
    time: Option<i64>,
) -> Result<Verdict, Distrust> {
    let leaf = chain.leaf();
    let certificate = || leaf.to_string();
    if let Some(extension) = leaf.unknown_extension() {
        return Err(Distrust::UnknownExtension {
            certificate: certificate(),
            extension: extension.to_owned(),
        });
    }
    chain.check_dates(time)?;
    if let Expected::Server { host, endpoint_id } = expected {
        let is_it = leaf.permits_host(host)
            || is_beyond_proof(host)
            || endpoint_id
                .as_ref()
                .is_some_and(|id| leaf.authenticates(id));
        if !is_it {
            return Err(Distrust::WrongServer {
                certificate: certificate(),
                host: host.clone(),
                endpoint_id: endpoint_id.clone(),
            });
        }
    }
    let mut walk = chain.walk(store, time);
    if let Some(denied) = walk.denied(store) {
        return Err(denied);
    }
    if let Some(peer) = store.pinned(leaf) {
        return Ok(Verdict::Pinned {
            controller: peer.instance,
        });
    }
    if let Some((anchor, allowed_uses)) = walk
        .anchor
        .and_then(|anchor| Some((anchor, anchor.allowed_uses?)))
    {
        return Ok(Verdict::VouchedFor {
            credential: anchor.instance,
            allowed_uses,
        });
    }
    if !store.tofu_allowed {
        let last = walk.path.last().map_or(leaf, |last| *last);
        return Err(Distrust::Untrusted {
            certificate: certificate(),
            issuer: quoted(last.issuer()),
        });
    }
    Ok(Verdict::FirstUse)
}

/// Whether no authority can vouch for who owns this name: it means another host in each house.
fn is_beyond_proof(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.ends_with(".local") || host.ends_with(".home.arpa")
}
