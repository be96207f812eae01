//! How much is verified before a verdict, whatever a peer presents.
//!
//! What was not verified must never pass for what nobody has signed: whoever asks here also asks at the end
//! whether that was all.

use crate::certificate::Certificate;
use crate::limits::SIGNATURES_MAX;

/// How many signatures may yet be verified.
#[derive(Debug)]
pub(crate) struct Signatures {
    left: usize,
    /// Whether there was one too many.
    exhausted: bool,
}

impl Signatures {
    pub(crate) fn new() -> Self {
        Self {
            left: SIGNATURES_MAX,
            exhausted: false,
        }
    }

    /// Whether `issuer` has signed `certificate`, as long as signatures may be verified at all.
    pub(crate) fn verify(&mut self, certificate: &Certificate, issuer: &Certificate) -> bool {
        if !certificate.names_issuer(issuer) {
            return false;
        }
        if self.left == 0 {
            self.exhausted = true;
            return false;
        }
        self.left -= 1;
        certificate.verify(issuer)
    }

    /// Whether there was one too many.
    pub(crate) fn exhausted(&self) -> bool {
        self.exhausted
    }
}
