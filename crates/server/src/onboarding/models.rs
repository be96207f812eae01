//! What products can do: their supported data models, fetched from one device of each, confirmed by another, and kept.
//!
//! A product is its maker, its class and its software; what two devices of it say that they support, all of them do
//! ([`votes`]). A part of the model that differs from device to device is never answered from here, and nobody is told
//! the word of a single device of any other.

mod answer;
mod votes;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use usphere_datamodel::operation::{
    Supported, SupportedModel, SupportedModelOutcome, SupportedModelStatus, SupportedObject,
};
use usphere_store::{Milliseconds, ModelEntry, Product, Store, StoreError};

use self::votes::{Digest, Votes};
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
    kept: HashMap<Product, Votes>,
    busy: HashSet<Product>,
    /// Until when it is not tried again.
    failed: HashMap<Product, Instant>,
    /// Until when these devices are not asked again.
    lost: HashMap<String, Instant>,
    /// Those that were asked for last.
    read: VecDeque<(Product, Arc<Model>)>,
}

/// A supported data model that was read from the store.
struct Model {
    fetched: Milliseconds,
    supported: Supported,
    is_agreed: bool,
}

/// A supported data model as it is stored.
#[derive(Deserialize, Serialize)]
struct Content<'c> {
    model_uri: Cow<'c, str>,
    objects: Cow<'c, [SupportedObject]>,
    /// Whether two devices have told it.
    #[serde(default)]
    is_agreed: bool,
}

/// The right to fetch the supported data model of a product, which nobody else has meanwhile.
pub(super) struct Fetch {
    busy: Busy,
    _place: OwnedSemaphorePermit,
}

/// Keeps others from fetching the model of this product.
struct Busy {
    product: Product,
    state: Arc<Mutex<State>>,
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
        let kept = store.models()?.into_iter();
        let kept = kept.map(|entry| (entry.product, Votes::of(entry.device)));
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

    /// What is asked of a device of this product, from what is kept, and how old that is; none where the device has to
    /// be asked.
    pub(crate) async fn answer(
        &self,
        product: &Product,
        device: &str,
        request: &SupportedModel,
    ) -> Option<(SupportedModelOutcome, Milliseconds)> {
        self.complete(product).await;
        let is_good = |votes: &Votes| votes.is_good_for(device);
        if !self.lock().kept.get(product).is_some_and(is_good) {
            return None;
        }
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

    /// The right to have this device tell the model of its product, where it is not kept or rests on another's word alone,
    /// nobody else fetches it, and it did not fail a while ago. Waits for its turn.
    pub(super) async fn missing(&self, product: Product, device: &str) -> Option<Fetch> {
        {
            let mut state = self.lock();
            let failed = state.failed.get(&product).or(state.lost.get(device));
            let is_known = |votes: &Votes| !votes.wants(device);
            if state.kept.get(&product).is_some_and(is_known)
                || failed.is_some_and(|until| *until > Instant::now())
            {
                return None;
            }
            if !state.busy.insert(product.clone()) {
                return None;
            }
        }
        let state = Arc::clone(&self.state);
        let busy = Busy { product, state };
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        // Perhaps two have agreed on it in an earlier life of the server.
        self.complete(&busy.product).await;
        let is_known = |votes: &Votes| !votes.wants(device);
        let is_known = self.lock().kept.get(&busy.product).is_some_and(is_known);
        let fetch = Fetch {
            busy,
            _place: place,
        };
        (!is_known).then_some(fetch)
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
        let Some(supported) = supported else {
            tracing::info!(device, "the device tells no supported data model");
            return self.failed(fetch);
        };
        if let Err(error) = self.keep(&fetch.busy.product, device, supported).await {
            tracing::warn!(%error, "a supported data model is not kept");
            self.lock().forget(&fetch.busy.product);
            return self.failed(fetch);
        }
        let is_disputed = |votes: &Votes| !votes.are_only_of(device) && !votes.is_agreed();
        let is_disputed = self
            .lock()
            .kept
            .get(&fetch.busy.product)
            .is_some_and(is_disputed);
        if is_disputed {
            tracing::info!(
                device,
                "the device tells another model than others of its product; each is asked for itself until two agree"
            );
            self.failed(fetch);
        }
    }

    /// Keeps what a device says of its product, and forgets what it alone said of another: it is one product at a time.
    async fn keep(
        &self,
        product: &Product,
        device: &str,
        supported: Supported,
    ) -> Result<(), StoreError> {
        self.complete(product).await;
        let digested = tokio::task::spawn_blocking(move || (votes::digest(&supported), supported));
        // The work does not panic, so the runtime is going down.
        let (digest, supported) = digested.await.map_err(|_| StoreError::Busy)?;
        let agrees = |votes: &Votes| votes.agree_with(device, digest);
        let is_agreed = self.lock().kept.get(product).is_some_and(agrees);
        let (told, teller) = (product.clone(), device.to_owned());
        call(&self.store, move |store| {
            let content = Content {
                model_uri: supported.model_uri.into(),
                objects: supported.objects.into(),
                is_agreed,
            };
            // What came from a message is written as JSON.
            let content = serde_json::to_string(&content).unwrap_or_default();
            store.put_model(told, &teller, now(), content)
        })
        .await?;
        let others = self.lock().heard(product, device, digest);
        for other in others {
            drop(self.forget(other).await);
        }
        Ok(())
    }

    /// Finds out what is kept since an earlier life of the server, so that it can be compared.
    async fn complete(&self, product: &Product) {
        let lacks = |votes: &Votes| votes.lack_a_digest();
        if !self.lock().kept.get(product).is_some_and(lacks) {
            return;
        }
        let Some(model) = self.read(product).await else {
            return;
        };
        let digested =
            tokio::task::spawn_blocking(move || (votes::digest(&model.supported), model.is_agreed));
        if let Ok((digest, is_agreed)) = digested.await
            && let Some(votes) = self.lock().kept.get_mut(product)
        {
            votes.complete(digest, is_agreed);
        }
    }

    /// Has it not be tried again for a while.
    pub(super) fn failed(&self, fetch: Fetch) {
        let mut state = self.lock();
        if state.failed.len() >= MODELS_FAILED_MAX {
            state.failed.clear();
        }
        let until = Instant::now() + MODEL_RETRY;
        state.failed.insert(fetch.busy.product.clone(), until);
    }

    /// The device went away before it had told: others of its product may be asked at once, and it itself after a
    /// while, for perhaps it does not survive being asked.
    pub(super) fn lost(&self, fetch: Fetch, device: &str) {
        let mut state = self.lock();
        if state.lost.len() >= MODELS_FAILED_MAX {
            state.lost.clear();
        }
        let until = Instant::now() + MODEL_RETRY;
        state.lost.insert(device.to_owned(), until);
        drop(state);
        drop(fetch);
    }

    async fn read(&self, product: &Product) -> Option<Arc<Model>> {
        {
            let mut state = self.lock();
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
                serde_json::from_str(&content).map(|content: Content<'_>| Model {
                    fetched,
                    is_agreed: content.is_agreed,
                    supported: Supported {
                        model_uri: content.model_uri.into_owned(),
                        objects: content.objects.into_owned(),
                    },
                })
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
    /// A device has told the model of its product, which is kept. Which other products rest on its word alone.
    fn heard(&mut self, product: &Product, device: &str, digest: Digest) -> Vec<Product> {
        self.failed.remove(product);
        self.read.retain(|(known, _)| known != product);
        let votes = self.kept.entry(product.clone()).or_default();
        votes.hear(device, digest);
        let others = self
            .kept
            .iter()
            .filter(|(other, votes)| *other != product && votes.are_only_of(device));
        others.map(|(other, _)| other.clone()).collect()
    }

    fn forget(&mut self, product: &Product) {
        self.kept.remove(product);
        self.failed.remove(product);
        self.read.retain(|(known, _)| known != product);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        lock(&self.state).busy.remove(&self.product);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
