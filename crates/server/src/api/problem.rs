//! Errors of the API, as `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use usphere_datamodel::operation::{OperationError, ParameterFailure};
use usphere_store::StoreError;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::kind::Kind;
use crate::limits::OPERATIONS_PER_DEVICE_MAX;
use crate::operations::{Failure, Full, NAMES, NotAccepted};

/// An error and the status that it is answered with.
///
/// Its JSON has `type`, `title`, `status` and `detail`, and a `kind` where the status leaves open what it is. An error of an Operation adds the fields of its
/// [`Failure`]: `error`, and for a refusal `code`, `text` and `parameters`.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    type_: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(flatten)]
    failure: Option<Box<Value>>,
    /// The devices that a short name fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
}

pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem without further fields.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            type_: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            kind: None,
            failure: None,
            candidates: Vec::new(),
        }
    }

    /// The same, told apart from others of its status.
    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        let kind = Some(kind);
        Self { kind, ..self }
    }

    /// What the client sent cannot be understood.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// No route leads there.
    pub(crate) fn no_such_page(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("{path}: there is no such resource; the API begins at /api/v1/server"),
        )
        .of_kind(Kind::NoSuchResource)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        Failure::Device(error).into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match &failure {
            Failure::Device(error) => refusal(error),
            Failure::Cancelled => StatusCode::CONFLICT,
            Failure::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::Expired(_) | Failure::Uncompleted => StatusCode::GATEWAY_TIMEOUT,
            Failure::Interrupted => StatusCode::BAD_GATEWAY,
            Failure::Unsent => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self {
            failure: Some(Box::new(failure.fields())),
            ..Self::new(status, failure.to_string())
        }
    }
}

fn refusal(error: &OperationError) -> StatusCode {
    match error {
        OperationError::Disconnected | OperationError::InvalidAnswer { .. } => {
            StatusCode::BAD_GATEWAY
        }
        OperationError::NotConnected => StatusCode::SERVICE_UNAVAILABLE,
        OperationError::Overloaded { .. } => StatusCode::TOO_MANY_REQUESTS,
        OperationError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        OperationError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        OperationError::Unsupported { .. } => StatusCode::NOT_IMPLEMENTED,
    }
}

impl From<NotAccepted> for Problem {
    fn from(refusal: NotAccepted) -> Self {
        match refusal {
            NotAccepted::Full(Full::Device) => OperationError::Overloaded {
                limit: OPERATIONS_PER_DEVICE_MAX,
            }
            .into(),
            NotAccepted::Full(Full::Server) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "as many operations as may wait do so already; try again when some have ended",
            ),
            NotAccepted::NotConnected => OperationError::NotConnected.into(),
            NotAccepted::OtherRequest(number) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "the Idempotency-Key belongs to {number}, which asks for something else; use another"
                ),
            )
            .of_kind(Kind::KeyTaken),
            NotAccepted::Shut => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is shutting down",
            ),
            NotAccepted::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::AliasTaken { .. }
            | StoreError::Ambiguous { .. }
            | StoreError::Fixed(_)
            | StoreError::Full(_)
            | StoreError::NameTaken { .. } => StatusCode::CONFLICT,
            StoreError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::DiskFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Invalid(_) => StatusCode::BAD_REQUEST,
            StoreError::NoSubscription(_) | StoreError::NoToken(_) | StoreError::NotFound(_) => {
                StatusCode::NOT_FOUND
            }
            StoreError::Damaged { .. } | StoreError::Failed { .. } | StoreError::Newer { .. } => {
                tracing::error!(%error, "the inventory failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let detail = error.to_string();
        let kind = kind(&error);
        let candidates = match error {
            StoreError::Ambiguous { candidates, .. } => candidates,
            _ => Vec::new(),
        };
        Self {
            kind,
            candidates,
            ..Self::new(status, detail)
        }
    }
}

fn kind(error: &StoreError) -> Option<Kind> {
    match error {
        StoreError::AliasTaken { .. } => Some(Kind::AliasTaken),
        StoreError::Ambiguous { .. } => Some(Kind::AmbiguousDevice),
        StoreError::NameTaken { .. } => Some(Kind::TokenNameTaken),
        StoreError::NoSubscription(_) => Some(Kind::NoSuchSubscription),
        StoreError::NoToken(_) => Some(Kind::NoSuchToken),
        StoreError::NotFound(_) => Some(Kind::NoSuchDevice),
        StoreError::Busy
        | StoreError::Damaged { .. }
        | StoreError::DiskFull { .. }
        | StoreError::Failed { .. }
        | StoreError::Fixed(_)
        | StoreError::Full(_)
        | StoreError::Invalid(_)
        | StoreError::Newer { .. } => None,
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = |what: &str| described(Type::String, what);
        let number = |what: &str| described(Type::Integer, what);
        let kind = text("What kind of problem it is, where the status leaves that open");
        let error = text("Why nothing came of an Operation, if that is what it is about");
        let parameters = ArrayBuilder::new()
            .items(Ref::from_schema_name(ParameterFailure::name()))
            .description(Some("Which parameters were the cause of a refusal"));
        let candidates = ArrayBuilder::new()
            .items(String::schema())
            .description(Some("The Endpoint IDs of devices that a short name fits"));
        let object = ObjectBuilder::new()
            .description(Some("What went wrong (RFC 9457)"))
            .property(
                "type",
                text("`about:blank`: the status tells what kind of problem it is, and `kind`"),
            )
            .property("title", text("The name of the status"))
            .property("status", number("The status of the answer"))
            .property("detail", text("What is wrong and what to do, for people"))
            .property("kind", kind.enum_values(Some(Kind::ALL.map(Kind::name))))
            .property("error", error.enum_values(Some(NAMES)))
            .property("code", number("With what number the device refused"))
            .property(
                "text",
                text("With what words the device refused, or why an Operation is not supported"),
            )
            .property("parameters", parameters)
            .property(
                "limit",
                number("How many Operations may wait for the device"),
            )
            .property("candidates", candidates);
        let object = ["type", "title", "status", "detail"]
            .into_iter()
            .fold(object, ObjectBuilder::required);
        RefOr::T(Schema::Object(object.build()))
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let parameter = ParameterFailure::schema();
        schemas.push((ParameterFailure::name().into_owned(), parameter));
    }
}

fn described(kind: Type, what: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(kind)
        .description(Some(what))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response()
    }
}
