//! Who is let in, and who waits.
//!
//! The devices that wait are known here, before and beside the store: what concerns them is decided without the
//! disk. This module must never let anybody in because something could not be read.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use usphere_runtime::controller_host::Proof;
use usphere_store::limits::PENDING_MAX;
use usphere_store::{DeviceState, Milliseconds, StoreError};

use super::FirstContact;
use crate::inventory::Inventory;

/// Who is let in.
#[derive(Debug)]
pub(super) struct Gate {
    policy: Mutex<FirstContact>,
    inventory: Inventory,
    pending: Mutex<HashSet<String>>,
}

impl Gate {
    /// `pending` are the devices that wait already.
    pub(super) fn new(policy: FirstContact, inventory: Inventory, pending: Vec<String>) -> Self {
        Self {
            policy: Mutex::new(policy),
            inventory,
            pending: Mutex::new(pending.into_iter().collect()),
        }
    }

    /// Whether somebody may have to wait at all.
    pub(super) fn is_guarded(&self) -> bool {
        self.policy() != FirstContact::Open || !self.lock().is_empty()
    }

    /// Who is let in from now on.
    pub(super) fn set_policy(&self, policy: FirstContact) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    fn policy(&self) -> FirstContact {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a device that arrives is; none where it is not even to wait, since too many do.
    pub(super) async fn arrived(
        &self,
        device: &str,
        proof: Proof,
    ) -> Result<Option<DeviceState>, StoreError> {
        let waits = self.is_pending(device);
        if self.policy().admits(proof) {
            if waits {
                self.approve(device).await?;
            }
            return Ok(Some(DeviceState::Approved));
        }
        if waits {
            return Ok(Some(DeviceState::Pending));
        }
        if let Some(DeviceState::Approved) = self.inventory.state(device).await? {
            return Ok(Some(DeviceState::Approved));
        }
        let mut pending = self.lock();
        if pending.len() >= PENDING_MAX {
            return Ok(None);
        }
        pending.insert(device.to_owned());
        Ok(Some(DeviceState::Pending))
    }

    /// Lets a device in, durably.
    pub(super) async fn approve(&self, device: &str) -> Result<(), StoreError> {
        self.inventory
            .set_state(device, DeviceState::Approved)
            .await?;
        self.lock().remove(device);
        Ok(())
    }

    /// Whether a device waits.
    pub(super) fn is_pending(&self, device: &str) -> bool {
        self.lock().contains(device)
    }

    /// Whether so many wait that those who come on top are sent away.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= PENDING_MAX
    }

    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// All that wait.
    pub(super) fn pending(&self) -> HashSet<String> {
        self.lock().clone()
    }

    /// How many wait.
    pub(super) fn pending_count(&self) -> usize {
        self.lock().len()
    }

    /// Lets those go that `is_away`, at most `most`: they are new ones when they come back, and wait again. Which those are;
    /// they have to be taken out of the inventory, or to [`wait`](Self::wait) as before.
    pub(super) fn let_go(
        &self,
        devices: Vec<(String, Milliseconds)>,
        most: usize,
        is_away: impl Fn(&str) -> bool,
    ) -> Vec<(String, Milliseconds)> {
        // One that arrives meanwhile is found waiting by its row, or is a new one, which waits.
        let mut pending = self.lock();
        let gone = devices
            .into_iter()
            .filter(|(device, _)| is_away(device) && pending.remove(device));
        gone.take(most).collect()
    }

    /// Has devices wait again.
    pub(super) fn wait(&self, devices: impl IntoIterator<Item = String>) {
        self.lock().extend(devices);
    }

    /// A device was taken out of the inventory: it is a new one when it comes back.
    pub(super) fn forget(&self, device: &str) {
        self.lock().remove(device);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
