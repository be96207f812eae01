//! A connection over TLS whose peer was judged.

use crate::chain::Chain;
use crate::distrust::Distrust;
use crate::judge::{Expected, judge_mtp};
use crate::store::{AllowedUses, Store};

/// What is known of the peer of a TLS connection: what it presented, and why that was good enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    chain: Chain,
    verdict: Verdict,
    revision: u64,
}

/// Why a TLS connection may be used. (R-MTP.4)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nobody vouches for the peer; it is trusted on first use, and its silence ends the connection.
    FirstUse,
    /// Its certificate is stored for this Controller.
    Pinned {
        /// The instance number of the Controller's row.
        controller: u32,
    },
    /// A Credential vouches for it.
    VouchedFor {
        /// The instance number of the Credential's row.
        credential: u32,
        /// What that is trusted for.
        allowed_uses: AllowedUses,
    },
}

impl Session {
    /// Judges a peer that has just proved to own the first certificate of `chain`.
    ///
    /// # Errors
    /// Why the connection is not to be used.
    pub fn open(
        chain: Chain,
        store: &Store,
        expected: &Expected,
        time: Option<i64>,
    ) -> Result<Self, Distrust> {
        let verdict = judge_mtp(&chain, store, expected, time)?;
        Ok(Self {
            chain,
            verdict,
            revision: store.revision,
        })
    }

    /// Takes up a session that TLS has resumed. While nothing of what is trusted has changed and the
    /// certificate is valid, what was judged holds ("Cached encrypted session?"); otherwise it is
    /// judged anew.
    ///
    /// # Errors
    /// Why the connection is not to be used.
    pub fn resume(
        &self,
        store: &Store,
        expected: &Expected,
        time: Option<i64>,
    ) -> Result<Self, Distrust> {
        let validity = self.chain.leaf().validity();
        let holds =
            self.revision == store.revision && time.is_none_or(|time| validity.contains(time));
        if holds {
            return Ok(self.clone());
        }
        Self::open(self.chain.clone(), store, expected, time)
    }

    /// The last second, since 1970 and not before `time`, of the next certificate to expire among those that
    /// the judgement may rest on: after it the peer has to be judged again.
    pub fn judged_until(&self, store: &Store, time: i64) -> Option<i64> {
        let anchors = store.credentials.iter().map(|found| &found.certificate);
        let presented = [self.chain.leaf()]
            .into_iter()
            .chain(self.chain.authorities());
        let ends = presented
            .chain(anchors)
            .map(|certificate| certificate.validity().not_after);
        ends.filter(|end| *end >= time).min()
    }

    /// What the peer presented.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Why the connection may be used.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}
