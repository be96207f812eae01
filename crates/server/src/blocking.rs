//! The store for async code: a disk takes as long as it takes, so every call is made from a blocking thread.

use usphere_store::{Store, StoreError};

/// Does `work` on the store.
///
/// # Errors
/// What the work says, or [`StoreError::Busy`] while the server goes down.
pub(crate) async fn call<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result,
        // The work does not panic, so the runtime is going down.
        Err(_) => Err(StoreError::Busy),
    }
}
