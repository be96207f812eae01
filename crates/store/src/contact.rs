//! Contacts that failed: who tried, how often, and what was wrong.

use crate::Milliseconds;
use crate::device::cut;
use crate::limits::{
    CONTACT_DETAIL_BYTES_MAX, CONTACT_REASON_BYTES_MAX, ENDPOINT_ID_BYTES_MAX, TEXT_BYTES_MAX,
};

/// Contacts that failed for the same reason, from one address and in one name, to be kept. With those that
/// are kept already they become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewContacts {
    /// The address of the peer without its port: what counts as one source.
    pub source: String,
    /// The address of the last, with its port.
    pub remote: String,
    /// The message transfer protocol.
    pub mtp: String,
    /// Who the peer said it is.
    pub endpoint_id: Option<String>,
    /// The reason, by name.
    pub reason: String,
    /// What was wrong with the last, in words.
    pub detail: String,
    /// When the first came.
    pub first: Milliseconds,
    /// When the last came.
    pub at: Milliseconds,
    /// How many they are.
    pub count: u64,
}

/// Contacts that failed alike, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its number. It stays the same when more are counted to it.
    pub id: i64,
    /// As in [`NewContacts`], and so are the others.
    pub source: String,
    /// The address of the last.
    pub remote: String,
    /// The message transfer protocol.
    pub mtp: String,
    /// Who the peer said it is.
    pub endpoint_id: Option<String>,
    /// The reason, by name.
    pub reason: String,
    /// What was wrong with the last, in words.
    pub detail: String,
    /// When the first came.
    pub first: Milliseconds,
    /// When the last came.
    pub at: Milliseconds,
    /// How many they are.
    pub count: u64,
}

/// Where a page of contacts begins: after this one, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactPlace {
    /// When it last came.
    pub at: Milliseconds,
    /// Its number.
    pub id: i64,
}

/// Which contacts are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactQuery {
    /// Only those after this one.
    pub after: Option<ContactPlace>,
    /// Only those of whom one of these fits; all where there is none.
    pub of: Vec<ContactOf>,
}

/// A way for a contact to be of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactOf {
    /// It came in this name.
    EndpointId(String),
    /// It came from this address without a name.
    Nameless(String),
    /// It came in a name that contains this text (ASCII letters in either case).
    Part(String),
    /// It came from this address.
    Source(String),
}

/// One page of contacts, those that came last first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactListing {
    /// The contacts.
    pub contacts: Vec<Contact>,
    /// Where the next page begins; none after the last.
    pub next: Option<ContactPlace>,
}

impl NewContacts {
    /// The same with every text within its limit.
    pub(crate) fn bounded(self) -> Self {
        let text = |text| cut(text, TEXT_BYTES_MAX);
        Self {
            source: text(self.source),
            remote: text(self.remote),
            mtp: text(self.mtp),
            endpoint_id: self.endpoint_id.map(|id| cut(id, ENDPOINT_ID_BYTES_MAX)),
            reason: cut(self.reason, CONTACT_REASON_BYTES_MAX),
            detail: cut(self.detail, CONTACT_DETAIL_BYTES_MAX),
            ..self
        }
    }
}
