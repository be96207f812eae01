//! "Sending a USP Record" and "Trusted Broker Sending a Record": may a Record without protection of its own
//! be sent to a Controller over TLS? (R-SEC.23, R-SEC.26)
//!
//! ```text
//! does the certificate name the receiver, or is it stored for the receiver? ─yes─▶ send
//!      │ no
//!      ▼
//! is it a Trusted Broker's? ─yes─▶ send, with the role determined as for a Record that comes
//!      │ no ─▶ only with protection of its own, which there is none of: do not send
//! ```

use usphere_proto::EndpointId;

use super::check;
use crate::distrust::Distrust;
use crate::session::Session;
use crate::store::Store;

/// Whether a plain Record may be sent to `to_id` in `session`. `time` as in [`judge_mtp`](super::judge_mtp).
///
/// # Errors
/// When the peer is not proven to be `to_id`, or to be a broker that is trusted to bring it there.
pub fn judge_send(
    session: &Session,
    to_id: &EndpointId,
    store: &Store,
    time: Option<i64>,
) -> Result<(), Distrust> {
    let leaf = session.chain().leaf();
    if leaf.authenticates(to_id) || store.peer(to_id).is_some_and(|peer| peer.has(leaf)) {
        return Ok(());
    }
    let mut walk = session.chain().walk(store, time);
    match walk.denied(store) {
        Some(denied) => Err(denied),
        None if check::broker(&walk).is_some() => Ok(()),
        None => Err(Distrust::Unproven {
            certificate: leaf.to_string(),
            endpoint_id: to_id.clone(),
        }),
    }
}
