//! What products can do: their supported data models, fetched once from one device of each, and kept.
//!
//! A product is its maker, its class and its software; what one device of it supports, all of them do. A part of
//! the model that differs from device to device is never answered from here.

mod answer;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use usphere_datamodel::operation::{
    Supported, SupportedModel, SupportedModelOutcome, SupportedModelStatus,
};
use usphere_store::{Milliseconds, ModelEntry, Product, Store, StoreError};

use crate::blocking::call;
use crate::inventory::now;
use crate::limits::{MODEL_FETCHES_MAX, MODEL_RETRY, MODELS_FAILED_MAX, MODELS_READ_MAX};

/// The supported data models that are kept.
pub(crate) struct Models {
    store: Store,
    state: Arc<Mutex<State>>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    kept: HashSet<Product>,
    busy: HashSet<Product>,
    /// Until when it is not tried again.
    failed: HashMap<Product, Instant>,
    /// Those that were asked for last.
    read: VecDeque<(Product, Arc<Model>)>,
}

/// A supported data model that was read from the store.
struct Model {
    fetched: Milliseconds,
    supported: Supported,
}

/// The right to fetch the supported data model of a product, which nobody else has meanwhile.
pub(super) struct Fetch {
    product: Product,
    state: Arc<Mutex<State>>,
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models").finish_non_exhaustive()
    }
}

impl Models {
    /// Those in the store.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let kept = store.models()?.into_iter().map(|entry| entry.product);
        let state = State {
            kept: kept.collect(),
            ..State::default()
        };
        Ok(Self {
            store,
            state: Arc::new(Mutex::new(state)),
            places: Arc::new(Semaphore::new(MODEL_FETCHES_MAX)),
        })
    }

    /// What is asked, from what is kept, and how old that is; none where the device has to be asked.
    pub(crate) async fn answer(
        &self,
        product: &Product,
        request: &SupportedModel,
    ) -> Option<(SupportedModelOutcome, Milliseconds)> {
        let model = self.read(product).await?;
        let outcome = answer::answer(&model.supported, request)?;
        Some((outcome, model.fetched))
    }

    /// All that are kept.
    pub(crate) async fn list(&self) -> Result<Vec<ModelEntry>, StoreError> {
        call(&self.store, |store| store.models()).await
    }

    /// Forgets the model of a product, so that it is fetched anew.
    pub(crate) async fn forget(&self, product: Product) -> Result<(), StoreError> {
        let removed = product.clone();
        call(&self.store, move |store| store.remove_model(removed)).await?;
        self.lock().forget(&product);
        Ok(())
    }

    /// The right to fetch the model of a product, where it is not kept, nobody else fetches it, and it did not fail
    /// a while ago. Waits for its turn.
    pub(super) async fn missing(&self, product: Product) -> Option<Fetch> {
        {
            let mut state = self.lock();
            let failed = state.failed.get(&product);
            if state.kept.contains(&product) || failed.is_some_and(|until| *until > Instant::now())
            {
                return None;
            }
            if !state.busy.insert(product.clone()) {
                return None;
            }
        }
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Fetch {
            product,
            state: Arc::clone(&self.state),
            _place: place,
        })
    }

    /// Keeps what a device has told.
    pub(super) async fn learnt(&self, fetch: Fetch, device: &str, outcome: SupportedModelOutcome) {
        let supported = outcome
            .results
            .into_iter()
            .find_map(|result| match result.status {
                SupportedModelStatus::Supported(supported) => Some(supported),
                SupportedModelStatus::Failed(_) => None,
            });
        let supported = supported.filter(|supported| !supported.objects.is_empty());
        let content = supported.and_then(|supported| serde_json::to_string(&supported).ok());
        let Some(content) = content else {
            tracing::info!(device, "the device tells no supported data model");
            return self.failed(fetch);
        };
        let (product, device) = (fetch.product.clone(), device.to_owned());
        let kept = call(&self.store, move |store| {
            store.put_model(product, &device, now(), content)
        });
        match kept.await {
            Ok(()) => {
                let mut state = self.lock();
                state.forget(&fetch.product);
                state.kept.insert(fetch.product.clone());
            }
            Err(error) => {
                tracing::warn!(%error, "a supported data model is not kept");
                self.failed(fetch);
            }
        }
    }

    /// Has it not be tried again for a while.
    pub(super) fn failed(&self, fetch: Fetch) {
        let mut state = self.lock();
        if state.failed.len() >= MODELS_FAILED_MAX {
            state.failed.clear();
        }
        let until = Instant::now() + MODEL_RETRY;
        state.failed.insert(fetch.product.clone(), until);
    }

    async fn read(&self, product: &Product) -> Option<Arc<Model>> {
        {
            let mut state = self.lock();
            if !state.kept.contains(product) {
                return None;
            }
            let place = state.read.iter().position(|(known, _)| known == product);
            if let Some(found) = place.and_then(|place| state.read.remove(place)) {
                let model = Arc::clone(&found.1);
                state.read.push_back(found);
                return Some(model);
            }
        }
        let wanted = product.clone();
        let found = call(&self.store, move |store| {
            let found = store.model(&wanted)?;
            // A large one takes a while, so it is read here, beside the store.
            Ok(found.map(|(fetched, content)| {
                serde_json::from_str(&content).map(|supported| Model { fetched, supported })
            }))
        });
        match found.await {
            Ok(Some(Ok(model))) => {
                let model = Arc::new(model);
                let mut state = self.lock();
                if state.read.len() >= MODELS_READ_MAX {
                    state.read.pop_front();
                }
                state.read.push_back((product.clone(), Arc::clone(&model)));
                Some(model)
            }
            // The oldest give way in the store.
            Ok(None) => {
                self.lock().forget(product);
                None
            }
            Ok(Some(Err(error))) => {
                tracing::warn!(%error, "a kept supported data model cannot be read, and is fetched anew");
                drop(self.forget(product.clone()).await);
                None
            }
            Err(error) => {
                tracing::error!(%error, "a supported data model could not be read");
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn forget(&mut self, product: &Product) {
        self.kept.remove(product);
        self.failed.remove(product);
        self.read.retain(|(known, _)| known != product);
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        lock(&self.state).busy.remove(&self.product);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
