//! What a device says of its own accord.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Failure;

/// A notification, and why it came.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notified {
    /// The `ID` of the Subscription that wanted it; empty in an [`OnBoardRequest`](Notification::OnBoardRequest).
    pub subscription: String,
    /// What happened.
    #[serde(flatten)]
    pub notification: Notification,
}

/// What happened on a device. In JSON the field `type` has the name that `NotifType` of a Subscription has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum Notification {
    /// An event of the data model.
    Event {
        /// The object that has it.
        path: String,
        /// Its name, with the exclamation mark.
        event: String,
        /// Its arguments by name.
        arguments: BTreeMap<String, String>,
    },
    /// A row came to be.
    ObjectCreation {
        /// The row.
        path: String,
        /// Its unique keys by name.
        unique_keys: BTreeMap<String, String>,
    },
    /// A row is gone.
    ObjectDeletion {
        /// What was the row.
        path: String,
    },
    /// The device wants to be taken on board.
    OnBoardRequest {
        /// The OUI of its maker.
        oui: String,
        /// What kind of device it is.
        product_class: String,
        /// Which one it is.
        serial_number: String,
        /// The versions of its protocol that it speaks.
        versions: Vec<String>,
    },
    /// An asynchronous command has ended.
    OperationComplete {
        /// The object that has it.
        path: String,
        /// Its name, with the parentheses.
        command: String,
        /// What whoever ran it called this run.
        command_key: String,
        /// How it ended.
        #[serde(flatten)]
        completion: Completion,
    },
    /// A parameter has a new value.
    ValueChange {
        /// The parameter.
        path: String,
        /// Its value in its TR-106 text form.
        value: String,
    },
}

/// How an asynchronous command ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// Well, with these output arguments.
    Completed(BTreeMap<String, String>),
    /// Not well.
    Failed(Failure),
}

/// The kinds of notification. As text they are the values of `NotifType`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NotificationKind {
    /// [`Notification::Event`].
    Event,
    /// [`Notification::ObjectCreation`].
    ObjectCreation,
    /// [`Notification::ObjectDeletion`].
    ObjectDeletion,
    /// [`Notification::OnBoardRequest`]; no Subscription brings it.
    OnBoardRequest,
    /// [`Notification::OperationComplete`].
    OperationComplete,
    /// [`Notification::ValueChange`].
    ValueChange,
}

impl Notification {
    /// Which kind it is.
    pub fn kind(&self) -> NotificationKind {
        match self {
            Self::Event { .. } => NotificationKind::Event,
            Self::ObjectCreation { .. } => NotificationKind::ObjectCreation,
            Self::ObjectDeletion { .. } => NotificationKind::ObjectDeletion,
            Self::OnBoardRequest { .. } => NotificationKind::OnBoardRequest,
            Self::OperationComplete { .. } => NotificationKind::OperationComplete,
            Self::ValueChange { .. } => NotificationKind::ValueChange,
        }
    }
}

impl NotificationKind {
    /// Those that a Subscription may ask for.
    pub const SUBSCRIBABLE: [Self; 5] = [
        Self::ValueChange,
        Self::ObjectCreation,
        Self::ObjectDeletion,
        Self::OperationComplete,
        Self::Event,
    ];

    /// The name of TR-181.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "Event",
            Self::ObjectCreation => "ObjectCreation",
            Self::ObjectDeletion => "ObjectDeletion",
            Self::OnBoardRequest => "OnBoardRequest",
            Self::OperationComplete => "OperationComplete",
            Self::ValueChange => "ValueChange",
        }
    }
}

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind of notification that a Subscription may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected one of ValueChange, ObjectCreation, ObjectDeletion, OperationComplete, Event, in either case"
)]
pub struct UnknownNotification;

impl FromStr for NotificationKind {
    type Err = UnknownNotification;

    fn from_str(text: &str) -> Result<Self, UnknownNotification> {
        Self::SUBSCRIBABLE
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownNotification)
    }
}
