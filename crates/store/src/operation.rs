//! What devices were asked for, and how far each of these Operations got.
//!
//! An Operation is kept from the moment when it is accepted until some time after its end. The store
//! does not look into requests, outcomes and errors, and it does not judge a state: a row that
//! somebody damaged is read as far as it can be, so that it is in nobody's way.

use utoipa::ToSchema;

use crate::device::{check_endpoint_id, cut};
use crate::limits::{OPERATION_KEY_BYTES_MAX, TEXT_BYTES_MAX};
use crate::{Milliseconds, StoreError};

/// How far an Operation got.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum OperationState {
    /// It waits to be sent.
    Queued,
    /// It was sent, and its answer has not come.
    Sent,
    /// Its answer has come, and a command that it started still runs.
    Waiting,
    /// The device carried it out; its outcome says what came of each part.
    Done,
    /// Nothing came of it, or nobody knows what did.
    Failed,
    /// Its time was over before it could be sent.
    Expired,
}

impl OperationState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Sent,
        Self::Waiting,
        Self::Done,
        Self::Failed,
        Self::Expired,
    ];

    /// The name under which it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing follows it.
    pub const fn is_end(self) -> bool {
        match self {
            Self::Queued | Self::Sent | Self::Waiting => false,
            Self::Done | Self::Failed | Self::Expired => true,
        }
    }
}

/// An Operation to be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewOperation {
    /// Its number, chosen by whoever accepts it; later ones have higher numbers.
    pub number: i64,
    /// The device's Endpoint ID.
    pub device: String,
    /// The verb.
    pub kind: String,
    /// What is asked.
    pub request: String,
    /// The name that its caller gave it, unique.
    pub key: Option<String>,
    /// The name by which the device tells of the end of a command, where it runs one.
    pub command_key: Option<String>,
    /// Whether its caller waits for the answer, so that nobody is there any more after a restart.
    pub is_awaited: bool,
    /// Whether it changes nothing. Such ones are kept apart, so that they push out nothing that does.
    pub is_read: bool,
    /// How long the answer may take, in milliseconds.
    pub patience: i64,
    /// When it was accepted.
    pub created: Milliseconds,
    /// Until when it may wait to be sent.
    pub expires: Milliseconds,
    /// How far it is.
    pub progress: OperationProgress,
}

/// How far an Operation is, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperationProgress {
    /// Its state.
    pub state: OperationState,
    /// Since when.
    pub updated: Milliseconds,
    /// How often it was sent.
    pub attempts: u32,
    /// What came of it, where that is kept.
    pub outcome: Option<String>,
    /// The bytes of what came of it, also where it is not kept.
    pub outcome_bytes: u64,
    /// Why nothing came of it.
    pub error: Option<String>,
}

/// A change of what is kept of Operations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OperationWrite {
    /// A new one.
    Add(NewOperation),
    /// One that got further. An unknown one stays unknown.
    Change(i64, OperationProgress),
}

/// What came of an [`OperationWrite`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OperationWritten {
    /// It was written.
    Written,
    /// Its key belongs to this Operation, and nothing was written.
    Known(Box<Operation>),
}

/// An Operation as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    /// Its number.
    pub number: i64,
    /// The device's Endpoint ID.
    pub device: String,
    /// The verb.
    pub kind: String,
    /// What is asked.
    pub request: String,
    /// The name by which the device tells of the end of a command.
    pub command_key: Option<String>,
    /// Whether its caller waited for the answer.
    pub is_awaited: bool,
    /// How long the answer may take, in milliseconds.
    pub patience: i64,
    /// When it was accepted.
    pub created: Milliseconds,
    /// Until when it may wait to be sent.
    pub expires: Milliseconds,
    /// Its state; none where that is not one.
    pub state: Option<OperationState>,
    /// Since when.
    pub updated: Milliseconds,
    /// How often it was sent.
    pub attempts: u32,
    /// What came of it, where that is kept.
    pub outcome: Option<String>,
    /// The bytes of what came of it, also where it is not kept.
    pub outcome_bytes: u64,
    /// Why nothing came of it.
    pub error: Option<String>,
}

/// Which Operations are looked for, and from where on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OperationQuery {
    /// Only those of the device with this Endpoint ID.
    pub device: Option<String>,
    /// Only those in this state.
    pub state: Option<OperationState>,
    /// Only those before this number.
    pub before: Option<i64>,
}

/// One page of Operations, the newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperationListing {
    /// The Operations.
    pub operations: Vec<Operation>,
    /// Before which number the next page begins; none after the last.
    pub next: Option<i64>,
}

impl OperationWrite {
    /// Refuses an impossible device or key, and cuts an overlong command key.
    pub(crate) fn checked(self) -> Result<Self, StoreError> {
        let Self::Add(operation) = self else {
            return Ok(self);
        };
        check_endpoint_id(&operation.device)?;
        if let Some(length) = operation.key.as_ref().map(String::len)
            && !(1..=OPERATION_KEY_BYTES_MAX).contains(&length)
        {
            return Err(StoreError::Invalid(format!(
                "an idempotency key of {length} bytes; 1 to {OPERATION_KEY_BYTES_MAX} are allowed"
            )));
        }
        Ok(Self::Add(NewOperation {
            command_key: operation.command_key.map(|key| cut(key, TEXT_BYTES_MAX)),
            ..operation
        }))
    }
}
