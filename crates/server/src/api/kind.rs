//! The kinds of problems that a client may want to tell apart, where the status alone does not say it.

use serde::{Serialize, Serializer};

/// What kind of problem it is, as `kind` in its JSON. A name that was given out stays as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Another device has this alias.
    AliasTaken,
    /// Several devices fit what was given as the name of one.
    AmbiguousDevice,
    /// The `Idempotency-Key` belongs to another request.
    KeyTaken,
    NoSuchDevice,
    NoSuchOperation,
    /// The API has nothing at this path.
    NoSuchResource,
    NoSuchSubscription,
    NoSuchToken,
    NoSuchVerb,
    /// The device waits to be approved.
    NotApproved,
    /// The token may not do this.
    ScopeTooSmall,
    TokenExpired,
    TokenMissing,
    /// Another token has this name.
    TokenNameTaken,
    /// The token is none of this server, or was revoked.
    TokenUnknown,
}

impl Kind {
    pub(crate) const ALL: [Self; 15] = [
        Self::AliasTaken,
        Self::AmbiguousDevice,
        Self::KeyTaken,
        Self::NoSuchDevice,
        Self::NoSuchOperation,
        Self::NoSuchResource,
        Self::NoSuchSubscription,
        Self::NoSuchToken,
        Self::NoSuchVerb,
        Self::NotApproved,
        Self::ScopeTooSmall,
        Self::TokenExpired,
        Self::TokenMissing,
        Self::TokenNameTaken,
        Self::TokenUnknown,
    ];

    /// Its name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AliasTaken => "alias_taken",
            Self::AmbiguousDevice => "ambiguous_device",
            Self::KeyTaken => "key_taken",
            Self::NoSuchDevice => "no_such_device",
            Self::NoSuchOperation => "no_such_operation",
            Self::NoSuchResource => "no_such_resource",
            Self::NoSuchSubscription => "no_such_subscription",
            Self::NoSuchToken => "no_such_token",
            Self::NoSuchVerb => "no_such_verb",
            Self::NotApproved => "not_approved",
            Self::ScopeTooSmall => "scope_too_small",
            Self::TokenExpired => "token_expired",
            Self::TokenMissing => "token_missing",
            Self::TokenNameTaken => "token_name_taken",
            Self::TokenUnknown => "token_unknown",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
