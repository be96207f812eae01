//! What the configuration says of taking devices on board: the table `[onboarding]`.

use std::time::Duration;

use serde::Deserialize;
use usphere_runtime::controller_host::Proof;

use crate::limits::CHECK_INTERVAL;

/// How devices are taken on board.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OnboardingConfig {
    /// Who is let in without being asked for.
    pub first_contact: FirstContact,
    /// Whether the server keeps Subscriptions of its own on every device.
    pub subscriptions: bool,
    /// Minutes after which a device that stays connected is checked again, at least 1: who it is, and whether the
    /// Subscriptions are as they should be.
    pub check_minutes: u32,
    /// Days after which a device that waits and is away is forgotten; 0 for never.
    pub pending_days: u32,
}

/// Who is let in at first contact; all others wait until somebody approves them. Who was let in once stays so.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum FirstContact {
    /// Nobody.
    Approval,
    /// Who has a certificate that the server's CAs vouch for, or comes from within this host.
    #[default]
    Certificate,
    /// Everybody.
    Open,
}

impl Default for OnboardingConfig {
    fn default() -> Self {
        Self {
            first_contact: FirstContact::default(),
            subscriptions: true,
            check_minutes: u32::try_from(CHECK_INTERVAL.as_secs() / 60).unwrap_or(u32::MAX),
            pending_days: 30,
        }
    }
}

impl OnboardingConfig {
    /// How long a check holds.
    pub(super) fn check_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.check_minutes.max(1)) * 60)
    }
}

impl FirstContact {
    /// Whether who gives this proof is let in without being asked for.
    pub(super) fn admits(self, proof: Proof) -> bool {
        match self {
            Self::Approval => false,
            Self::Certificate => matches!(proof, Proof::Certificate | Proof::Loopback),
            Self::Open => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_checked() {
        let read = |text: &str| toml::from_str::<OnboardingConfig>(text);
        assert_eq!(read("").unwrap(), OnboardingConfig::default());
        let config = read("first_contact = \"approval\"\ncheck_minutes = 5").unwrap();
        assert_eq!(config.first_contact, FirstContact::Approval);
        assert_eq!(config.check_interval(), Duration::from_secs(300));
        assert!(config.subscriptions);
        for wrong in ["first_contact = \"nobody\"", "first = \"open\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_is_let_in_depends_on_the_proof() {
        let proofs = [Proof::Certificate, Proof::Loopback, Proof::Nothing];
        for (policy, expected) in [
            (FirstContact::Approval, [false, false, false]),
            (FirstContact::Certificate, [true, true, false]),
            (FirstContact::Open, [true, true, true]),
        ] {
            assert_eq!(proofs.map(|proof| policy.admits(proof)), expected);
        }
    }
}
