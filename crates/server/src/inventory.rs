//! The inventory, for async code: every call of the store is made from a blocking thread.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_store::{Description, Device, Listing, Protocol, Sighting, Store, StoreError};

/// The inventory of devices.
#[derive(Clone)]
pub(crate) struct Inventory {
    store: Store,
}

impl Inventory {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Takes down that a device is there; an unknown one is added. Waits for the disk only when much
    /// waits for it already: what a power cut takes is seen again.
    pub(crate) async fn seen(
        &self,
        endpoint_id: &str,
        remote: SocketAddr,
    ) -> Result<(), StoreError> {
        let sighting = sighting(endpoint_id, Some(remote));
        match self.store.seen_soon(sighting.clone()) {
            Err(StoreError::Busy) => self.call(move |store| store.seen(vec![sighting])).await,
            result => result,
        }
    }

    /// Takes down that a device was there until now, if it is known. One that was removed stays away.
    pub(crate) async fn left(&self, endpoint_id: &str) -> Result<(), StoreError> {
        let sighting = sighting(endpoint_id, None);
        self.call(move |store| match store.find(&sighting.endpoint_id) {
            Ok(known) if known.endpoint_id == sighting.endpoint_id => store.seen(vec![sighting]),
            Ok(_) | Err(StoreError::NotFound(_) | StoreError::Ambiguous { .. }) => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    pub(crate) async fn describe(
        &self,
        endpoint_id: &str,
        said: Description,
    ) -> Result<(), StoreError> {
        let endpoint_id = endpoint_id.to_owned();
        self.call(move |store| store.describe(&endpoint_id, said))
            .await
    }

    pub(crate) async fn list(
        &self,
        after: Option<String>,
        limit: u32,
    ) -> Result<Listing, StoreError> {
        self.call(move |store| store.list(after.as_deref(), limit))
            .await
    }

    pub(crate) async fn find(&self, text: String) -> Result<Device, StoreError> {
        self.call(move |store| store.find(&text)).await
    }

    pub(crate) async fn set_alias(
        &self,
        endpoint_id: String,
        alias: Option<String>,
    ) -> Result<(), StoreError> {
        self.call(move |store| store.set_alias(&endpoint_id, alias.as_deref()))
            .await
    }

    pub(crate) async fn remove(&self, endpoint_id: String) -> Result<(), StoreError> {
        self.call(move |store| store.remove(&endpoint_id)).await
    }

    pub(crate) async fn count(&self) -> Result<u64, StoreError> {
        self.call(|store| store.count()).await
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            // The work does not panic, so the runtime is going down.
            Err(_) => Err(StoreError::Busy),
        }
    }
}

fn sighting(endpoint_id: &str, remote: Option<SocketAddr>) -> Sighting {
    Sighting {
        endpoint_id: endpoint_id.to_owned(),
        protocol: Protocol::Usp,
        at: now(),
        remote_address: remote.map(|remote| remote.to_string()),
        mtp: Some("WebSocket".into()),
    }
}

/// Milliseconds since 1970; 0 while the clock is before that.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
