//! Why a device is not there: every contact that failed is kept with its reason and what to do about it.
//!
//! Contacts that failed alike are counted together, and written together a few times a second at most: whoever
//! floods the doors must not keep the store busy. What is kept is a claim of a stranger, never a proof, and
//! holds no value of a payload.

mod diagnosis;
mod reason;
mod secrets;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{FailedContact, FailedContacts, NextContact};
use usphere_store::{
    Contact, ContactListing, ContactOf, ContactPlace, ContactQuery, Milliseconds, NewContacts,
    Store, StoreError,
};
use utoipa::ToSchema;

use crate::inventory::{self, Inventory};
use crate::limits::{CONTACTS_GATHER, CONTACTS_TOGETHER_MAX};
use crate::metrics::Counts;
use crate::rate::network;

pub use self::reason::Reason;
pub(crate) use self::secrets::{hide_named, hide_of, hide_values, redact};

use self::diagnosis::Diagnosis;

/// The one message transfer protocol so far, as contacts name it.
const MTP: &str = "WebSocket";

/// The contacts that failed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Doctor {
    store: Store,
}

/// A contact as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contact)]
pub(crate) struct Shown {
    /// Its number. It stays the same when more are counted to it.
    id: i64,
    /// When it last came.
    at: Milliseconds,
    /// When it first came.
    first: Milliseconds,
    /// How often it came.
    count: u64,
    /// The address that it last came from.
    remote: String,
    /// The message transfer protocol.
    mtp: String,
    /// Who the peer said it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<String>,
    /// The reason, by name.
    reason: String,
    /// What was wrong with the last.
    detail: String,
    /// What to do about it.
    advice: &'static str,
}

/// A page of contacts, those that came last first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContactPage)]
pub(crate) struct Page {
    contacts: Vec<Shown>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What contacts have to have in common to be counted together.
#[derive(Eq, Hash, PartialEq)]
struct Alike {
    source: IpAddr,
    endpoint_id: Option<EndpointId>,
    reason: Reason,
}

/// Contacts that wait to be written.
#[derive(Default)]
struct Gathered {
    contacts: HashMap<Alike, NewContacts>,
    /// How many did not fit.
    lost: u64,
}

impl Doctor {
    /// The contacts in this store. The second is what [`record`](Recorder::record)s them.
    pub(crate) fn new(store: Store, contacts: FailedContacts, counts: Counts) -> (Self, Recorder) {
        let doctor = Self {
            store: store.clone(),
        };
        let recorder = Recorder {
            store,
            contacts,
            counts,
        };
        (doctor, recorder)
    }

    /// A page of the contacts of a device, or of all. The device is given as everywhere; one that the
    /// inventory does not know is looked for by a part of the Endpoint ID that it claimed, or its address.
    pub(crate) async fn contacts(
        &self,
        inventory: &Inventory,
        device: Option<String>,
        after: Option<ContactPlace>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let of = match device {
            Some(device) => of_device(inventory, device).await?,
            None => Vec::new(),
        };
        let query = ContactQuery { after, of };
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || store.contacts(&query, limit));
        // The work does not panic, so the runtime is going down.
        let ContactListing { contacts, next } = read.await.map_err(|_| StoreError::Busy)??;
        Ok(Page {
            contacts: contacts.into_iter().map(Shown::from).collect(),
            next: next.map(|place| format!("{}-{}", place.at, place.id)),
        })
    }
}

/// Reads what [`Page::next`] gave out.
pub(crate) fn place(text: &str) -> Option<ContactPlace> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 18;
        is_number.then(|| text.parse().ok()).flatten()
    };
    let (at, id) = text.split_once('-')?;
    Some(ContactPlace {
        at: number(at)?,
        id: number(id)?,
    })
}

async fn of_device(inventory: &Inventory, text: String) -> Result<Vec<ContactOf>, StoreError> {
    match inventory.find(text.clone()).await {
        Ok(known) => {
            let remote: Option<SocketAddr> =
                known.remote_address.and_then(|remote| remote.parse().ok());
            let nameless = remote.map(|remote| ContactOf::Nameless(source(remote).to_string()));
            let named = ContactOf::EndpointId(known.endpoint_id);
            Ok([named].into_iter().chain(nameless).collect())
        }
        Err(StoreError::Ambiguous { .. } | StoreError::NotFound(_)) => {
            let address = text.parse::<SocketAddr>().map(source);
            let address = address.or_else(|_| text.parse::<IpAddr>().map(network));
            Ok(vec![match address {
                Ok(address) => ContactOf::Source(address.to_string()),
                Err(_) => ContactOf::Part(text),
            }])
        }
        Err(error) => Err(error),
    }
}

fn source(remote: SocketAddr) -> IpAddr {
    network(remote.ip())
}

impl From<Contact> for Shown {
    fn from(contact: Contact) -> Self {
        Self {
            id: contact.id,
            at: contact.at,
            first: contact.first,
            count: contact.count,
            remote: contact.remote,
            mtp: contact.mtp,
            endpoint_id: contact.endpoint_id,
            advice: Reason::named(&contact.reason).map_or("", Reason::advice),
            reason: contact.reason,
            detail: contact.detail,
        }
    }
}

/// Writes contacts into the store.
pub(crate) struct Recorder {
    store: Store,
    contacts: FailedContacts,
    counts: Counts,
}

impl Recorder {
    /// Writes down what comes. Ends when the Controller is gone.
    pub(crate) async fn record(mut self) {
        let mut gathered = Gathered::default();
        while self.take(&mut gathered).await {
            let end = Instant::now() + CONTACTS_GATHER;
            while let Ok(true) = timeout_at(end, self.take(&mut gathered)).await {}
            self.write(std::mem::take(&mut gathered)).await;
        }
    }

    /// Takes in the next; whether there was one. Cancelling loses nothing.
    async fn take(&mut self, gathered: &mut Gathered) -> bool {
        match self.contacts.next().await {
            Some(NextContact::Failed(contact)) => {
                let reason = gathered.add(contact);
                self.counts.contact_failed(reason.name());
            }
            Some(NextContact::Missed(count)) => gathered.lost += count,
            None => return false,
        }
        true
    }

    async fn write(&self, gathered: Gathered) {
        if gathered.lost > 0 {
            tracing::warn!(
                count = gathered.lost,
                "failed contacts were too many to be kept"
            );
        }
        let contacts: Vec<_> = gathered.contacts.into_values().collect();
        if contacts.is_empty() {
            return;
        }
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || store.add_contacts(contacts)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "failed contacts could not be kept");
        }
    }
}

impl Gathered {
    /// Counts one in, and says why it failed.
    fn add(&mut self, contact: FailedContact) -> Reason {
        let FailedContact {
            remote,
            claimed: endpoint_id,
            fault,
        } = contact;
        let Diagnosis { reason, detail } = Diagnosis::of(&fault);
        let at = inventory::now();
        let alike = Alike {
            source: source(remote),
            endpoint_id,
            reason,
        };
        if let Some(known) = self.contacts.get_mut(&alike) {
            known.count += 1;
            known.at = at;
            known.remote = remote.to_string();
            known.detail = detail;
        } else if self.contacts.len() < CONTACTS_TOGETHER_MAX {
            let contact = NewContacts {
                source: alike.source.to_string(),
                remote: remote.to_string(),
                mtp: MTP.to_owned(),
                endpoint_id: alike.endpoint_id.as_ref().map(|id| id.as_str().to_owned()),
                reason: reason.name().to_owned(),
                detail,
                first: at,
                at,
                count: 1,
            };
            self.contacts.insert(alike, contact);
        } else {
            self.lost += 1;
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who has an IPv6 network has more addresses than contacts are kept of.
    #[test]
    fn a_network_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap()).to_string();
        assert_eq!(of("[2001:db8:1:2::1]:5"), of("[2001:db8:1:2:3:4:5:6]:7"));
        assert_ne!(of("[2001:db8:1:2::1]:5"), of("[2001:db8:1:3::1]:5"));
        assert_eq!(of("[::ffff:192.0.2.1]:5"), "192.0.2.1");
    }
}
