//! The inventory, for async code: every call of the store is made from a blocking thread.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_runtime::controller_host::Proof;
use usphere_store::{
    Device, DeviceState, Field, Filter, Listing, Milliseconds, Protocol, Sighting, Store,
    StoreError,
};

use crate::blocking::call;
use crate::tracker::Progress;

/// The inventory of devices.
#[derive(Clone)]
pub(crate) struct Inventory {
    store: Store,
    lost: Lost,
}

/// The devices whose last coming or going could not be written, and when that was. Clones are the same. As many as may
/// be connected.
#[derive(Clone, Default)]
struct Lost(Arc<Mutex<HashMap<String, Milliseconds>>>);

impl Lost {
    fn add(&self, endpoint_id: String, at: Milliseconds) {
        self.lock().insert(endpoint_id, at);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Milliseconds>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which devices are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Words that all have to occur.
    pub(crate) text: String,
    pub(crate) fields: Vec<(Field, String)>,
    pub(crate) tags: Vec<String>,
}

impl Wanted {
    fn filter<'a>(&'a self, keep: &'a dyn Fn(&str) -> bool) -> Filter<'a> {
        Filter {
            text: &self.text,
            keep,
            fields: &self.fields,
            tags: &self.tags,
        }
    }
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inventory").finish_non_exhaustive()
    }
}

impl Inventory {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            lost: Lost::default(),
        }
    }

    /// Takes down that a device is there; an unknown one is added in this state. Waits for the disk only when much
    /// waits for it already: what a power cut takes is seen again. What cannot be written is known to
    /// [`lost`](Self::lost).
    pub(crate) async fn seen(
        &self,
        endpoint_id: &str,
        remote: SocketAddr,
        state: DeviceState,
        proof: Proof,
    ) -> Result<(), StoreError> {
        let sighting = Sighting {
            proven: proof == Proof::Certificate,
            ..sighting(endpoint_id, remote, state, now())
        };
        let (lost, id, at) = (self.lost.clone(), endpoint_id.to_owned(), sighting.at);
        let when_lost = move || lost.add(id, at);
        let seen = match self.store.seen_soon(sighting.clone(), when_lost) {
            Err(StoreError::Busy) => {
                call(&self.store, move |store| store.seen(vec![sighting])).await
            }
            result => result,
        };
        self.unless_lost(endpoint_id, at, seen)
    }

    /// Takes down that a device was there until now, if it is known. One that was removed stays away. What cannot be
    /// written is known to [`lost`](Self::lost).
    pub(crate) async fn left(&self, endpoint_id: &str) -> Result<(), StoreError> {
        let (lost, id, at) = (self.lost.clone(), endpoint_id.to_owned(), now());
        let when_lost = move || lost.add(id, at);
        let left = match self.store.left_soon(endpoint_id, at, when_lost) {
            Err(StoreError::Busy) => self.all_left(vec![endpoint_id.to_owned()]).await,
            result => result,
        };
        self.unless_lost(endpoint_id, at, left)
    }

    fn unless_lost(
        &self,
        endpoint_id: &str,
        at: Milliseconds,
        written: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if written.is_err() {
            self.lost.add(endpoint_id.to_owned(), at);
        }
        written
    }

    /// Of the devices that came or went up to these moments: those of which that could not be written. They are told
    /// once. Where something is written later and that is known, so is what was lost before.
    pub(crate) fn lost<'a>(
        &self,
        moments: impl Iterator<Item = (&'a str, Milliseconds)>,
    ) -> HashSet<String> {
        let mut lost = self.lost.lock();
        if lost.is_empty() {
            return HashSet::new();
        }
        let mut found = HashSet::new();
        for (device, at) in moments {
            if lost.get(device).is_some_and(|lost| *lost <= at) {
                found.extend(lost.remove_entry(device).map(|(device, _)| device));
            }
        }
        found
    }

    /// As [`left`](Self::left) for many, and waits for the disk.
    pub(crate) async fn all_left(&self, endpoint_ids: Vec<String>) -> Result<(), StoreError> {
        call(&self.store, move |store| store.left(endpoint_ids, now())).await
    }

    /// Whether the device with exactly this Endpoint ID is managed; none where it is not known.
    pub(crate) async fn state(&self, endpoint_id: &str) -> Result<Option<DeviceState>, StoreError> {
        let endpoint_id = endpoint_id.to_owned();
        call(&self.store, move |store| store.device_state(&endpoint_id)).await
    }

    pub(crate) async fn set_state(
        &self,
        endpoint_id: &str,
        state: DeviceState,
    ) -> Result<(), StoreError> {
        let endpoint_id = endpoint_id.to_owned();
        call(&self.store, move |store| {
            store.set_device_state(&endpoint_id, state)
        })
        .await
    }

    /// Where all of this is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The devices in which all words of `text` occur and that `keep` wants.
    pub(crate) async fn list(
        &self,
        after: Option<String>,
        limit: u32,
        wanted: Wanted,
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Listing, StoreError> {
        call(&self.store, move |store| {
            store.list(after.as_deref(), limit, &wanted.filter(&keep))
        })
        .await
    }

    /// As [`list`](Self::list), their Endpoint IDs alone. Fewer than `limit` are the last.
    pub(crate) async fn names(
        &self,
        after: Option<String>,
        limit: u32,
        wanted: Wanted,
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<String>, StoreError> {
        call(&self.store, move |store| {
            store.names(after.as_deref(), limit, &wanted.filter(&keep))
        })
        .await
    }

    pub(crate) async fn find(&self, text: String) -> Result<Device, StoreError> {
        call(&self.store, move |store| store.find(&text)).await
    }

    /// The device with exactly this Endpoint ID.
    pub(crate) async fn known(&self, endpoint_id: String) -> Result<Option<Device>, StoreError> {
        call(&self.store, move |store| store.known(&endpoint_id)).await
    }

    /// Gives a device an alias and tags: both or nothing. What is `None` stays as it is.
    pub(crate) async fn change(
        &self,
        endpoint_id: String,
        alias: Option<Option<String>>,
        tags: Option<Vec<String>>,
    ) -> Result<(), StoreError> {
        call(&self.store, move |store| {
            store.change_device(&endpoint_id, alias, tags)
        })
        .await
    }

    pub(crate) async fn add_tag(&self, endpoint_id: String, tag: String) -> Result<(), StoreError> {
        call(&self.store, move |store| store.add_tag(&endpoint_id, &tag)).await
    }

    pub(crate) async fn remove_tag(
        &self,
        endpoint_id: String,
        tag: String,
    ) -> Result<(), StoreError> {
        call(&self.store, move |store| {
            store.remove_tag(&endpoint_id, &tag)
        })
        .await
    }

    /// The Endpoint IDs of the devices that have this tag, in order, at most `limit`.
    pub(crate) async fn tagged(&self, tag: String, limit: u32) -> Result<Vec<String>, StoreError> {
        call(&self.store, move |store| store.tagged(&tag, limit)).await
    }

    /// Adds a device that was never there, unless it is known.
    pub(crate) async fn expect(&self, endpoint_id: &str) -> Result<(), StoreError> {
        let expected = Sighting {
            endpoint_id: endpoint_id.to_owned(),
            protocol: Protocol::Usp,
            at: now(),
            remote_address: None,
            mtp: None,
            state: DeviceState::Approved,
            proven: false,
        };
        call(&self.store, move |store| {
            match store.known(&expected.endpoint_id)? {
                Some(_) => Ok(()),
                None => store.seen(vec![expected]),
            }
        })
        .await
    }

    /// Forgets a device, once every arrival up to this one was taken down: else one that is under way
    /// would bring it back.
    pub(crate) async fn remove_after(
        &self,
        endpoint_id: String,
        mut progress: Progress,
        arrival: u64,
    ) -> Result<(), StoreError> {
        progress.reach(arrival).await?;
        self.lost.lock().remove(&endpoint_id);
        call(&self.store, move |store| store.remove(&endpoint_id)).await
    }

    pub(crate) async fn count(&self) -> Result<u64, StoreError> {
        call(&self.store, |store| store.count()).await
    }
}

/// A device that was there, by its word.
pub(crate) fn sighting(
    endpoint_id: &str,
    remote: impl ToString,
    state: DeviceState,
    at: Milliseconds,
) -> Sighting {
    Sighting {
        endpoint_id: endpoint_id.to_owned(),
        protocol: Protocol::Usp,
        at,
        remote_address: Some(remote.to_string()),
        mtp: Some("WebSocket".into()),
        state,
        proven: false,
    }
}

/// Milliseconds since 1970; 0 while the clock is before that.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
