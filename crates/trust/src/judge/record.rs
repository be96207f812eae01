//! "USP Record without USP Layer Secure Message Exchange" and "Trusted Broker with Received Record": may a
//! Record be processed that came over TLS? (R-SEC.0, R-SEC.0a, R-SEC.22, R-SEC.26, R-E2E.28)
//!
//! ```text
//! does the certificate name from_id, or is it stored for from_id?
//!      │ yes ─▶ check the certificate (check.rs)
//!      │ no
//!      ▼
//! is it a Trusted Broker's? ─no─▶ it proves nothing about from_id: refuse
//!      │ yes
//!      ▼
//! role determined in this session? ─yes─▶ process
//!      │ no ─▶ determine the role, with the roles of the broker's Credential
//! ```
//!
//! A certificate that has expired since the connection was made proves nothing any more.
//!
//! That the connection is encrypted is seen by there being a [`Session`]. Signatures are verified before.

use usphere_proto::EndpointId;

use super::check::{self, Admission, Rejection};
use crate::distrust::Distrust;
use crate::session::Session;
use crate::store::Store;

/// Judges a Record from `from_id` that came in `session`. `earlier` is what was made of the same sender in
/// the same session before: it holds as long as nothing of what is trusted has changed. `time` as in
/// [`judge_mtp`](super::judge_mtp).
///
/// # Errors
/// Why the Record is not to be processed, and whether its sender is to be banned.
pub fn judge_record(
    session: &Session,
    from_id: &EndpointId,
    store: &Store,
    time: Option<i64>,
    earlier: Option<&Admission>,
) -> Result<Admission, Rejection> {
    if let Some(earlier) = earlier.filter(|earlier| earlier.revision == store.revision) {
        return Ok(earlier.clone());
    }
    session.chain().check_dates(time)?;
    let leaf = session.chain().leaf();
    if leaf.authenticates(from_id) || store.peer(from_id).is_some_and(|peer| peer.has(leaf)) {
        return check::check(session, from_id, store, time);
    }
    let mut walk = session.chain().walk(store, time);
    if let Some(denied) = walk.denied(store) {
        return Err(denied.into());
    }
    match check::broker(&walk) {
        Some(broker) => Ok(check::determine_role(from_id, store, Some(broker), None)),
        None => Err(Distrust::Unproven {
            certificate: leaf.to_string(),
            endpoint_id: from_id.clone(),
        }
        .into()),
    }
}
