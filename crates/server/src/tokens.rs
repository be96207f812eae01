//! Who may use the API: whoever shows the token of the data folder, which allows everything, or one that was made
//! with a scope of its own. A token is kept as its hash, is shown once, and is never written into a log.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::sleep;
use usphere_store::{Milliseconds, NewToken, Scope, Store, StoreError};

use crate::blocking::call;
use crate::data_folder::{DataError, Token, made_token};
use crate::inventory::now;
use crate::limits::{CLOCK_INTERVAL, TOKEN_USE_INTERVAL};
use crate::places::{NoPlace, Place, Rooms, Shares};

/// What the audit calls whoever shows the token of the data folder.
pub(crate) const ROOT: &str = "root";

type Hash = [u8; 32];

/// The tokens of the server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tokens {
    shared: Arc<Shared>,
}

struct Shared {
    root: Hash,
    store: Store,
    kept: RwLock<HashMap<Hash, Arc<Kept>>>,
    rooms: Arc<Rooms>,
}

/// A token that was made.
struct Kept {
    id: i64,
    name: Arc<str>,
    scope: Scope,
    expires: Option<Milliseconds>,
    /// When the store was last told that it is used.
    used: AtomicI64,
    shares: Arc<Shares>,
    /// Becomes true when it is revoked.
    revoked: watch::Sender<bool>,
}

/// What somebody showed.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// A good token.
    Caller(Caller),
    /// One that was good until then.
    Expired {
        name: Arc<str>,
        expires: Milliseconds,
    },
    Nothing,
    /// One that nobody made, or that was revoked.
    Unknown,
}

/// Who may use the API, and how.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The name of the token.
    pub(crate) name: Arc<str>,
    /// The number of the token; none for the one of the data folder.
    pub(crate) id: Option<i64>,
    pub(crate) scope: Scope,
    pub(crate) expires: Option<Milliseconds>,
    revoked: Option<watch::Receiver<bool>>,
    rooms: Arc<Rooms>,
    /// None for the token of the data folder.
    shares: Option<Arc<Shares>>,
}

/// Why a token is not made.
#[derive(Debug)]
pub(crate) enum NotMade {
    Random(DataError),
    Store(StoreError),
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// The token of the data folder, and those that the store keeps. There is this much room for all.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn open(
        store: Store,
        root: &Token,
        rooms: Arc<Rooms>,
    ) -> Result<Self, StoreError> {
        let mut kept = HashMap::new();
        for token in call(&store, Store::tokens).await? {
            let (Some(hash), Some(scope)) = (token.hash, token.scope) else {
                tracing::error!(
                    token = token.name,
                    "a kept token is damaged and not taken; revoke it"
                );
                continue;
            };
            let token = Kept::new(token.id, &token.name, scope, token.expires, token.last_used);
            kept.insert(hash, Arc::new(token));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                root: hash(root.as_str()),
                store,
                kept: RwLock::new(kept),
                rooms,
            }),
        })
    }

    /// Who shows this token. Hashes are compared: how long that takes tells nothing of a token.
    pub(crate) fn recognise(&self, token: Option<&str>) -> Shown {
        let Some(token) = token else {
            return Shown::Nothing;
        };
        let hash = hash(token);
        if hash == self.shared.root {
            return Shown::Caller(Caller::root(Arc::clone(&self.shared.rooms)));
        }
        let kept = self.shared.kept.read();
        let kept = kept
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        let Some(kept) = kept else {
            return Shown::Unknown;
        };
        let now = now();
        match kept.expires {
            Some(expires) if expires <= now => Shown::Expired {
                name: Arc::clone(&kept.name),
                expires,
            },
            _ => {
                self.used(&kept, now);
                Shown::Caller(Caller::of(&kept, Arc::clone(&self.shared.rooms)))
            }
        }
    }

    /// Makes a token, and says which; it is not to be had again.
    pub(crate) async fn make(
        &self,
        name: String,
        scope: Scope,
        expires: Option<Milliseconds>,
        maker: &Caller,
    ) -> Result<(String, usphere_store::Token), NotMade> {
        let token = made_token().map_err(NotMade::Random)?;
        let hash = hash(&token);
        let new = NewToken {
            name: name.clone(),
            hash,
            scope,
            created: now(),
            created_by: maker.name.as_ref().to_owned(),
            expires,
        };
        let row = new.clone();
        let id = call(&self.shared.store, move |store| store.add_token(row));
        let id = id.await.map_err(NotMade::Store)?;
        let kept = Kept::new(id, &name, scope, expires, None);
        let mut all = self
            .shared
            .kept
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(hash, Arc::new(kept));
        drop(all);
        let made = usphere_store::Token {
            id,
            name,
            hash: Some(hash),
            scope: Some(scope),
            created: new.created,
            created_by: new.created_by,
            expires,
            last_used: None,
        };
        Ok((token, made))
    }

    /// All that were made and not revoked.
    pub(crate) async fn list(&self) -> Result<Vec<usphere_store::Token>, StoreError> {
        call(&self.shared.store, Store::tokens).await
    }

    /// Takes a token back: whoever shows it is refused from now on, and streams that it opened end.
    pub(crate) async fn revoke(&self, name: String) -> Result<(), StoreError> {
        let id = call(&self.shared.store, move |store| store.remove_token(&name)).await?;
        let mut all = self
            .shared
            .kept
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, kept| {
            let is_revoked = kept.id == id;
            if is_revoked {
                kept.revoked.send_replace(true);
            }
            !is_revoked
        });
        Ok(())
    }

    fn used(&self, kept: &Kept, now: Milliseconds) {
        let last = kept.used.load(Ordering::Relaxed);
        let is_old = (now - last).abs() >= TOKEN_USE_INTERVAL;
        let swap = |last| {
            kept.used
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
        };
        if is_old && swap(last).is_ok() {
            // What is not told now is told the next time.
            drop(self.shared.store.token_used_soon(kept.id, now));
        }
    }
}

impl Kept {
    fn new(
        id: i64,
        name: &str,
        scope: Scope,
        expires: Option<Milliseconds>,
        used: Option<Milliseconds>,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            scope,
            expires,
            used: AtomicI64::new(used.unwrap_or_default()),
            shares: Arc::default(),
            revoked: watch::channel(false).0,
        }
    }
}

impl Caller {
    fn root(rooms: Arc<Rooms>) -> Self {
        Self {
            name: ROOT.into(),
            id: None,
            scope: Scope::Admin,
            expires: None,
            revoked: None,
            rooms,
            shares: None,
        }
    }

    fn of(kept: &Kept, rooms: Arc<Rooms>) -> Self {
        Self {
            name: Arc::clone(&kept.name),
            id: Some(kept.id),
            scope: kept.scope,
            expires: kept.expires,
            revoked: Some(kept.revoked.subscribe()),
            rooms,
            shares: Some(Arc::clone(&kept.shares)),
        }
    }

    /// A place for one question to many devices.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn fleet_place(&self) -> Result<Place, NoPlace> {
        let share = self.shares.as_ref().map(|shares| &shares.fleets);
        self.rooms.fleets.place(share)
    }

    /// A place for one request. The token of the data folder goes on without one where none is free.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn request_place(&self) -> Result<Option<Place>, NoPlace> {
        let room = &self.rooms.requests;
        match &self.shares {
            Some(shares) => room.place(Some(&shares.requests)).map(Some),
            None => Ok(room.place(None).ok()),
        }
    }

    /// A place for one live stream.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn stream_place(&self) -> Result<Place, NoPlace> {
        let share = self.shares.as_ref().map(|shares| &shares.streams);
        self.rooms.streams.place(share)
    }

    /// Whether the token is not good any more.
    pub(crate) fn has_ended(&self) -> bool {
        let is_revoked = self
            .revoked
            .as_ref()
            .is_some_and(|revoked| *revoked.borrow());
        is_revoked || self.expires.is_some_and(|expires| expires <= now())
    }

    /// Waits until the token is not good any more.
    pub(crate) async fn ended(&mut self) {
        let expires = self.expires;
        let expired = async {
            loop {
                let left = expires.map_or(i64::MAX, |expires| expires - now());
                let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                    return;
                };
                sleep(Duration::from_millis(left).min(CLOCK_INTERVAL)).await;
            }
        };
        let revoked = async {
            match &mut self.revoked {
                // An error means that it is kept no more, which is as good as revoked.
                Some(revoked) => drop(revoked.wait_for(|revoked| *revoked).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            () = revoked => {}
        }
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}
