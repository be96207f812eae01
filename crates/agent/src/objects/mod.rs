//! What the Agent itself declares of Device:2, in the order and words of TR-181 2.19.
//!
//! What the Agent does not do yet is left out: Thresholds and what belongs to the other MTPs.

mod boot;
mod certificate;
mod challenge;
mod controller;
mod credential;
mod device;
mod local_agent;
mod mtp;
mod request;
mod subscription;
mod trust;

use usphere_datamodel::declare::Object;

pub(crate) use boot::{FACTORY_RESET, NEXT_BOOT};
pub(crate) use certificate::DER;
pub(crate) use challenge::{FAILURES, LOCKED_UNTIL};
pub(crate) use controller::{CHALLENGED, VOUCHED_BY};
pub(crate) use local_agent::{OWNER, SEEDED_CERTIFICATES, SEEDED_CONTROLLERS, UP_TIME};
pub(crate) use request::{DELAY_SECONDS, DUE, REQUESTS};
pub(crate) use subscription::SUBSCRIPTIONS;
pub(crate) use trust::FULL_ACCESS_ROLE;

/// The one protocol there is yet.
pub(crate) const WEBSOCKET: &str = "WebSocket";

/// Every object that the Agent declares, parents before children.
pub fn objects() -> Vec<&'static Object> {
    vec![
        &device::DEVICE,
        &local_agent::LOCAL_AGENT,
        &mtp::MTP,
        &mtp::WEB_SOCKET,
        &certificate::CERTIFICATE,
        &controller::CONTROLLER,
        &controller::MTP,
        &controller::WEB_SOCKET,
        &controller::E2E_SESSION,
        &subscription::SUBSCRIPTION,
        &controller::BOOT_PARAMETER,
        &request::REQUEST,
        &boot::BOOT,
        &trust::CONTROLLER_TRUST,
        &trust::ROLE,
        &trust::PERMISSION,
        &credential::CREDENTIAL,
        &challenge::CHALLENGE,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use usphere_datamodel::Schema;

    #[test]
    fn the_declarations_fit_together() {
        let schema = Schema::build(&objects()).unwrap();
        assert_eq!(
            schema
                .nodes()
                .iter()
                .filter(|node| node.object().is_some())
                .count(),
            objects().len()
        );
    }
}
