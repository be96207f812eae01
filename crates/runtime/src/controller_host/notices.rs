//! What becomes of the engine's reasons and notices outside: the status of a Close frame, and a line of the log.

use usphere_controller::{HangupReason, Notice};
use usphere_mtp::websocket::close_code;

/// The status of the Close frame.
pub(super) fn close_code_of(reason: HangupReason) -> u16 {
    match reason {
        HangupReason::OurEndpointId | HangupReason::Silent => close_code::POLICY,
        HangupReason::Dismissed | HangupReason::Replaced | HangupReason::ShuttingDown => {
            close_code::GOING_AWAY
        }
    }
}

/// Puts a notice into the log.
pub(super) fn log(notice: &Notice) {
    match notice {
        Notice::HungUp {
            reason: HangupReason::Dismissed | HangupReason::ShuttingDown,
            ..
        } => tracing::debug!("{notice}"),
        Notice::HungUp { .. } | Notice::Replaced { .. } => tracing::warn!("{notice}"),
        Notice::Ignored { .. } | Notice::Refused { .. } | Notice::Untaken { .. } => {
            tracing::info!("{notice}")
        }
    }
}
