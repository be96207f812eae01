//! What requests name in their path, query and headers: read in one way, and told of in one way.
//!
//! What cannot be read is answered with a [`Problem`]. A parameter of a query that is empty is as good as none where it is
//! a text. Lists are in pages, all in one way: a page has `next` where there is another, and that is given as `after`
//! ([`Cursor`]).

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use usphere_datamodel::limits::Clipped;
use usphere_datamodel::operation::NotificationKind;
use usphere_store::limits::{
    SUBSCRIPTION_REFERENCE_CHARACTERS_MAX, SUBSCRIPTION_REFERENCES_MAX, TAG_BYTES_MAX,
    TAGS_PER_DEVICE_MAX,
};
use utoipa::IntoParams;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Type};

use super::problem::{Answer, Problem};
use crate::events::Happened;
use crate::limits::SEARCHED_TAGS_MAX;

/// What stands in the path.
pub(super) struct InPath<T>(pub(super) T);

/// What stands in the query.
pub(super) struct InQuery<T>(pub(super) T);

/// Where a page begins: the `next` of the page before. What it is made of is the business of each list.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Cursor(String);

impl Cursor {
    /// What `place` makes of the cursor; none where a list is read from its beginning.
    pub(super) fn read<T>(
        given: Option<Self>,
        place: impl FnOnce(&str) -> Option<T>,
    ) -> Answer<Option<T>> {
        let Some(Self(text)) = given.filter(|cursor| !cursor.0.is_empty()) else {
            return Ok(None);
        };
        let place = place(&text).ok_or_else(|| {
            let given = Clipped::new(&text);
            Problem::bad_request(format!("after: {given} is not the `next` of a page"))
        });
        place.map(Some)
    }

    /// The number of an entry, for lists whose entries have one.
    pub(super) fn number(given: Option<Self>) -> Answer<Option<i64>> {
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        Self::read(given, |text| Some(text).filter(is_number)?.parse().ok())
    }
}

/// Which device it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfDevice {
    /// An Endpoint ID, an alias, or a part of an Endpoint ID that fits one device only
    pub(super) device: String,
}

/// Which tag it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfTag {
    /// The tag
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._:=/@-]+$")]
    pub(super) tag: String,
}

/// Which Operation it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfOperation {
    /// The ID of an Operation
    #[param(pattern = "^op-[0-7][0-9A-Fa-f]{15}$")]
    pub(super) id: String,
}

/// After which event a client that comes again goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Resumed {
    /// As `after`, which it goes before
    #[param(rename = "last-event-id", minimum = 0, nullable = false)]
    pub(super) last_event_id: Option<i64>,
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(read) = read.map_err(|error| Problem::bad_request(error.body_text()))?;
        Ok(Self(read))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let read = Query::from_request_parts(parts, state).await;
        let Query(read) = read.map_err(|error| Problem::bad_request(error.body_text()))?;
        Ok(Self(read))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Resumed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let given = parts.headers.get("last-event-id");
        let given = given.map(|id| String::from_utf8_lossy(id.as_bytes()));
        let given = given.as_deref().map(str::trim);
        Ok(Self {
            last_event_id: number("Last-Event-ID", given, i64::MAX)?,
        })
    }
}

/// The number from 0 to `most` that `name` is given as, if it is given at all.
pub(super) fn number<T>(name: &str, given: Option<&str>, most: T) -> Answer<Option<T>>
where
    T: Display + FromStr + PartialOrd + From<u8>,
{
    let Some(given) = given else {
        return Ok(None);
    };
    match given.parse() {
        Ok(number) if number >= T::from(0) && number <= most => Ok(Some(number)),
        _ => Err(Problem::bad_request(format!(
            "{name}: {} is not a number from 0 to {most}",
            Clipped::new(given)
        ))),
    }
}

/// The schema of how many are wanted: more than a page holds may be.
pub(super) fn limit() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(u32::MAX))
        .description(Some("At most so many; a page holds 1000 at most."))
        .build()
}

/// The schema of the types of events that are wanted.
pub(super) fn kinds() -> Object {
    let kind = format!("({}|)", Happened::KINDS.join("|"));
    let what = "Only those of this type, or of these, with commas between them.";
    text(format!("^{kind}(,{kind})*$"), what)
}

/// The schema of the tags that are wanted.
pub(super) fn tags() -> Object {
    let more = SEARCHED_TAGS_MAX - 1;
    let what = "Only those that have this tag, or all of these, with commas between them.";
    text(format!("^,*([^,]+,+){{0,{more}}}([^,]+)?$"), what)
}

/// The schema of all tags of a device.
pub(super) fn tag_list() -> Array {
    let tag = text(
        format!("^[A-Za-z0-9._:=/@-]{{1,{TAG_BYTES_MAX}}}$"),
        "One of them.",
    );
    ArrayBuilder::new()
        .items(tag)
        .max_items(Some(TAGS_PER_DEVICE_MAX))
        .description(Some("Its tags, these and no others."))
        .build()
}

/// The schema of what a Subscription brings.
pub(super) fn notif_type() -> Object {
    let kinds = [
        NotificationKind::Event,
        NotificationKind::ObjectCreation,
        NotificationKind::ObjectDeletion,
        NotificationKind::OperationComplete,
        NotificationKind::ValueChange,
    ];
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(kinds.map(NotificationKind::as_str)))
        .description(Some("The `NotifType`."))
        .build()
}

/// The schema of the paths that a Subscription is about.
pub(super) fn references() -> Array {
    let most = SUBSCRIPTION_REFERENCE_CHARACTERS_MAX;
    let path = text(
        format!("^[^\\u0000-\\u001F\\u007F-\\u009F]{{1,{most}}}$"),
        "One of them.",
    );
    ArrayBuilder::new()
        .items(path)
        .min_items(Some(1))
        .max_items(Some(SUBSCRIPTION_REFERENCES_MAX))
        .description(Some("Paths that it is about."))
        .build()
}

fn text(pattern: String, what: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(what))
        .build()
}
