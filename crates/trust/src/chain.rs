//! The certificates that a peer presents, and the way from them to what is trusted.

use crate::certificate::Certificate;
use crate::distrust::Distrust;
use crate::limits::CHAIN_LENGTH_MAX;
use crate::signatures::Signatures;
use crate::store::{Credential, Store};

/// What a peer has presented: its own certificate, and those of authorities in any order; at most
/// [`CHAIN_LENGTH_MAX`] in all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    leaf: Certificate,
    authorities: Vec<Certificate>,
}

impl Chain {
    /// Reads what a peer presented in DER.
    ///
    /// # Errors
    /// When there is nothing, too much, or something that is no certificate.
    pub fn from_der<D: AsRef<[u8]>>(presented: &[D]) -> Result<Self, Distrust> {
        if presented.len() > CHAIN_LENGTH_MAX {
            return Err(Distrust::TooLong {
                certificates: presented.len(),
            });
        }
        let mut certificates = presented
            .iter()
            .map(|der| Certificate::from_der(der.as_ref()).map_err(Distrust::Unreadable));
        let leaf = certificates.next().ok_or(Distrust::NothingPresented)??;
        Ok(Self {
            leaf,
            authorities: certificates.collect::<Result<_, _>>()?,
        })
    }

    /// The certificate of the peer itself.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The others that it presented.
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// Whether the peer's certificate is valid at `time`, where that is known. ("Dates valid?")
    pub(crate) fn check_dates(&self, time: Option<i64>) -> Result<(), Distrust> {
        let validity = self.leaf.validity();
        match time.filter(|now| !validity.contains(*now)) {
            Some(now) => Err(Distrust::OutOfDate {
                certificate: self.leaf.to_string(),
                not_before: validity.not_before,
                not_after: validity.not_after,
                now,
            }),
            None => Ok(()),
        }
    }

    /// Walks from the peer's certificate up to the first that is trusted, by signatures. (R-SEC.2, R-SEC.25)
    ///
    /// Certificates on the way have to be valid at `time`, where that is known.
    pub(crate) fn walk<'a>(&'a self, store: &'a Store, time: Option<i64>) -> Walk<'a> {
        let mut walk = Walk {
            path: vec![self.leaf()],
            anchor: None,
            signatures: Signatures::new(),
        };
        let is_valid = |certificate: &Certificate| {
            time.is_none_or(|time| certificate.validity().contains(time))
        };
        while let Some(&last) = walk.path.last() {
            walk.anchor = walk.anchor_of(last, store, is_valid);
            if walk.anchor.is_some() {
                break;
            }
            let below = walk.path.len() - 1;
            let next = self.authorities.iter().find(|issuer| {
                !walk.path.contains(issuer)
                    && issuer.may_sign(below)
                    && is_valid(issuer)
                    && walk.signatures.verify(last, issuer)
            });
            match next {
                Some(next) => walk.path.push(next),
                None => break,
            }
        }
        walk
    }
}

/// How far one gets from a peer's certificate.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    /// The peer's certificate and those above it, each signed by the next.
    pub(crate) path: Vec<&'a Certificate>,
    /// What the last of them is, or is signed by.
    pub(crate) anchor: Option<&'a Credential>,
    signatures: Signatures,
}

impl<'a> Walk<'a> {
    /// The Credential that is `last` itself, or has signed it. Those that ban are not trusted.
    fn anchor_of(
        &mut self,
        last: &Certificate,
        store: &'a Store,
        is_valid: impl Fn(&Certificate) -> bool,
    ) -> Option<&'a Credential> {
        let trusted = || {
            store
                .credentials
                .iter()
                .filter(|credential| credential.allowed_uses.is_some())
                .filter(|credential| is_valid(&credential.certificate))
        };
        if let Some(same) = trusted().find(|credential| credential.certificate == *last) {
            return Some(same);
        }
        let below = self.path.len() - 1;
        trusted().find(|credential| {
            let issuer = &credential.certificate;
            issuer.may_sign(below) && self.signatures.verify(last, issuer)
        })
    }

    /// Why the way is not to be gone, if it is not: a certificate of it is denied, or not all that had to be
    /// looked at could be.
    pub(crate) fn denied(&mut self, store: &Store) -> Option<Distrust> {
        let denied = self.revoked(store);
        denied.or_else(|| {
            self.signatures
                .exhausted()
                .then_some(Distrust::TooManySignatures)
        })
    }

    /// Whether any certificate of the way is revoked: by a Credential that bans it or who has signed it, or by
    /// a revocation list that its authority has signed.
    fn revoked(&mut self, store: &Store) -> Option<Distrust> {
        let path = self.path.clone();
        for (place, &certificate) in path.iter().enumerate() {
            if let Some(ban) = store.ban_of(certificate, &mut self.signatures) {
                return Some(Distrust::Banned {
                    certificate: certificate.to_string(),
                    credential: ban.instance,
                });
            }
            let lists = &store.revocation_lists;
            let listed = lists.iter().any(|list| {
                let above = path.get(place + 1).copied();
                let mut authorities = above
                    .into_iter()
                    .chain(store.credentials.iter().map(|found| &found.certificate));
                list.lists(certificate) && authorities.any(|authority| list.is_signed_by(authority))
            });
            if listed {
                return Some(Distrust::Revoked {
                    certificate: certificate.to_string(),
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, authority, chain, draft};

    #[test]
    fn a_chain_is_the_peer_first_and_the_others_behind_it() {
        let ca = authority("CA");
        let leaf = draft("x").signed_by(&ca).certificate;
        let chain = chain(&[&leaf, &ca.certificate]);
        assert_eq!(chain.leaf(), &leaf);
        assert_eq!(chain.authorities(), [ca.certificate]);
    }

    /// A trusted authority that may have no other below it vouches for peers, and for nobody's authority.
    #[test]
    fn how_long_a_way_to_a_trusted_authority_may_be_is_for_it_to_say() {
        let ca = draft("CA").path_length(0).authority();
        let middle = draft("Middle").authority_under(&ca);
        let store = Store::of_authorities(vec![ca.certificate.clone()]);
        let near = draft("near").signed_by(&ca).certificate;
        let far = draft("far").signed_by(&middle).certificate;
        let near = chain(&[&near]);
        assert!(near.walk(&store, Some(NOW)).anchor.is_some());
        let far = chain(&[&far, &middle.certificate]);
        assert!(far.walk(&store, Some(NOW)).anchor.is_none());
    }
}
