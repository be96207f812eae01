//! What the Controller proves who it is by, within Records: its certificate, and such as are not to be trusted.

use std::fmt;

use usphere_mtp::tls::{Authority, Holder, Identity, Issued, Term};
use usphere_proto::EndpointId;

/// Seconds of a day.
const DAY: i64 = 24 * 3600;

/// The Controller's certificate, and the CA that has signed it where its key is at hand.
pub struct Credentials {
    own: EndpointId,
    identity: Identity,
    certificate: String,
    authority: Option<Authority>,
    /// The time, in seconds since 1970 began in UTC.
    now: i64,
}

/// Which certificate is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// One of the Controller whose time is over.
    Expired,
    /// A good one of somebody else.
    SomebodyElses,
    /// The Controller's.
    Usual,
}

/// A certificate that is shown, ready for use.
#[derive(Clone)]
pub(crate) struct Badge {
    /// With its key.
    pub identity: Identity,
    /// PEM.
    pub certificate: String,
}

impl Credentials {
    /// Of the Controller `own`, whose certificate is in `identity` and, PEM, in `certificate`. With the CA's key it
    /// can also show certificates that are not to be trusted. `now` is in seconds since 1970 began in UTC.
    pub fn new(
        own: EndpointId,
        identity: Identity,
        certificate: String,
        authority: Option<Authority>,
        now: i64,
    ) -> Self {
        Self {
            own,
            identity,
            certificate,
            authority,
            now,
        }
    }

    /// A certificate to show.
    ///
    /// # Errors
    /// It cannot be made: why.
    pub(crate) fn badge(&self, shown: Shown) -> Result<Badge, String> {
        let valid = Term {
            not_before: self.now - DAY,
            not_after: self.now + DAY,
        };
        let expired = Term {
            not_before: self.now - 3 * DAY,
            not_after: self.now - DAY,
        };
        match shown {
            Shown::Usual => Ok(Badge {
                identity: self.identity.clone(),
                certificate: self.certificate.clone(),
            }),
            Shown::Expired => self.made(&self.own, expired),
            Shown::SomebodyElses => {
                let other = format!("{}-else", self.own);
                let other = other.parse().map_err(|error| format!("{other}: {error}"))?;
                self.made(&other, valid)
            }
        }
    }

    fn made(&self, id: &EndpointId, term: Term) -> Result<Badge, String> {
        let authority = self.authority.as_ref().ok_or_else(|| {
            "a certificate has to be made for this test, and the CA's key is not at hand; --certs names a folder that has it".to_owned()
        })?;
        let holder = Holder {
            endpoints: vec![id.clone()],
            ..Holder::default()
        };
        let issued: Issued = authority
            .issue(&holder, term)
            .map_err(|error| error.to_string())?;
        let identity = issued.identity().map_err(|error| error.to_string())?;
        Ok(Badge {
            identity,
            certificate: issued.certificate,
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
