//! What devices said of their own accord.

use crate::device::{check_endpoint_id, cut};
use crate::limits::MSG_ID_BYTES_MAX;
use crate::{Milliseconds, StoreError};

/// Something that a device said, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The device's Endpoint ID.
    pub device: String,
    /// When it came.
    pub at: Milliseconds,
    /// What its message was called. The same content under the same name, within
    /// [`limits::REPEATED_TIME`](crate::limits::REPEATED_TIME), is the same event once more.
    pub msg_id: String,
    /// What it said, in a form that the store does not look into.
    pub content: String,
}

/// Something that a device said, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number: later ones have higher numbers, and none is used twice.
    pub id: i64,
    /// The device's Endpoint ID.
    pub device: String,
    /// When it came.
    pub at: Milliseconds,
    /// What it said.
    pub content: String,
}

impl NewEvent {
    /// Cuts the msg_id to what is kept of it, and refuses an impossible device.
    pub(crate) fn checked(self) -> Result<Self, StoreError> {
        check_endpoint_id(&self.device)?;
        Ok(Self {
            msg_id: cut(self.msg_id, MSG_ID_BYTES_MAX),
            ..self
        })
    }
}
