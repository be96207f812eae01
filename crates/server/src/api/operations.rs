//! Operations: asking for one, and what has become of it.
//!
//! | method and path | answer |
//! |---|---|
//! | `POST /api/v1/devices/{device}/{verb}?timeout=SECONDS` | 200 and the outcome, with the name of the Operation in `Operation-Id` |
//! | `POST /api/v1/devices/{device}/{verb}?wait=false&expires=SECONDS` | 202 and the Operation; `Prefer: respond-async` does the same |
//! | `GET /api/v1/operations?device=&state=&after=ID&limit=N` | a page of Operations, the newest first; `after` is the `next` of the page before |
//! | `GET /api/v1/operations/{id}` | one Operation |
//! | `DELETE /api/v1/operations/{id}` | cancels it while it is queued; the Operation, 409 when it is too late |
//!
//! With `Idempotency-Key`, the same request is the same Operation, however often it comes; another request
//! with the same key is a 422.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use usphere_datamodel::operation::{Operation, OperationError, OperationKind, Outcome};
use usphere_proto::EndpointId;
use usphere_store::{OperationQuery, OperationState, Scope};
use utoipa::{IntoParams, ToSchema};

use super::kind::Kind;
use super::parameters::{Cursor, InPath, InQuery, OfOperation, limit};
use super::problem::{Answer, Problem};
use super::{Platform, body_of, onboarding};
use crate::audit::Trail;
use crate::doctor;
use crate::limits::{
    EXPIRY_SECONDS, EXPIRY_SECONDS_MAX, IDEMPOTENCY_KEY_BYTES_MAX, OPERATION_SECONDS_MAX,
    OPERATION_TIMEOUT, PAGE_OPERATIONS,
};
use crate::operations::{self, Accepted, End, Failure, NotAccepted, Number, Operations, Wanted};
use crate::tokens::Caller;

const OPERATION_ID: HeaderName = HeaderName::from_static("operation-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What is asked of which device.
#[derive(Deserialize)]
pub(super) struct OfVerb {
    device: String,
    verb: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Manner {
    /// Seconds that the device may take; 30 where not given.
    #[param(minimum = 1, maximum = 600)]
    timeout: Option<u64>,
    /// Whether the device is to be asked itself. Only `schema` is answered otherwise, from what is known of its product.
    fresh: Option<bool>,
    /// Whether the answer is the outcome. `true` where not given; `Prefer: respond-async` is as good as `false`.
    wait: Option<bool>,
    /// Seconds that it may wait to be sent, where the answer is not waited for; a day where not given.
    #[param(minimum = 1, maximum = 2_592_000)]
    expires: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only those on this device.
    device: Option<String>,
    /// Only those in this state.
    #[param(value_type = Option<OperationState>)]
    state: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^(op-[0-7][0-9A-Fa-f]{15})?$")]
    after: Option<Cursor>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
}

/// A page of Operations, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = OperationPage)]
pub(super) struct Page {
    operations: Vec<Shown>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An Operation. Times are milliseconds since 1970.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub(super) struct Shown {
    id: String,
    /// The device's Endpoint ID.
    device: String,
    /// The verb.
    kind: String,
    /// The body of the request; `null` where what was kept of it is damaged.
    #[schema(value_type = Option<Object>)]
    request: Value,
    #[schema(value_type = OperationState)]
    state: &'static str,
    created: i64,
    /// Since when it is in this state.
    updated: i64,
    /// Until when it may wait to be sent.
    expires: i64,
    /// How often it was sent.
    attempts: u32,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
    /// How large the outcome was, where it was too large to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_bytes: Option<u64>,
    /// Why nothing came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}

/// Asks a device for something. Its document is made in [`super::openapi`], for each verb.
pub(super) async fn operate(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    Extension(trail): Extension<Trail>,
    InPath(OfVerb { device, verb }): InPath<OfVerb>,
    InQuery(manner): InQuery<Manner>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let patience = duration(&manner)?;
    let expiry = expiry(&manner, &headers)?;
    let key = idempotency_key(&headers, &caller)?;
    let kind: OperationKind = verb.parse().map_err(|error| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("{verb}: no such verb; {error}"),
        )
        .of_kind(Kind::NoSuchVerb)
    })?;
    let operation = operations::read(kind, &body_of(body).await?)
        .map_err(|error| Problem::bad_request(format!("the body: {error}")))?;
    trail.what(paths(&operation));
    let known = platform.inventory.find(device).await?;
    trail.target(&known.endpoint_id);
    onboarding::must_be_approved(&platform, &known)?;
    let device =
        EndpointId::from_wire(&known.endpoint_id).map_err(|_| OperationError::NotConnected)?;
    let is_plain_read = expiry.is_none() && key.is_none() && operations::is_repeatable(kind);
    if is_plain_read
        && let Some(answer) = onboarding::known(
            &platform,
            &known,
            &operation,
            &headers,
            manner.fresh.unwrap_or_default(),
        )
        .await?
    {
        return Ok(answer);
    }
    let wanted = Wanted {
        device,
        operation,
        patience,
        expiry,
        key,
    };
    if is_plain_read {
        let (number, outcome) = platform.operations.read(wanted).await;
        if let Err(away @ OperationError::NotConnected) = outcome {
            // Nobody was asked, so there is no Operation that could be looked at.
            return Err(away.into());
        }
        return Ok(told(number, &outcome.map_err(Failure::Device)));
    }
    let accepted = platform.operations.submit(wanted).await?;
    trail.operation(match &accepted {
        Accepted::Known(row) => Number(row.number),
        Accepted::New(number, _) => *number,
    });
    match expiry {
        Some(_) => acknowledge(&platform.operations, accepted).await,
        None => outcome(&platform.operations, accepted, patience).await,
    }
}

/// List Operations, the newest first.
///
/// Without the scope `operate`, secrets among their values are hidden.
#[utoipa::path(get, path = "/api/v1/operations", tag = "operations", params(PageQuery), responses(
    (status = 200, description = "A page of Operations", body = Page),
    (status = 404, description = "No device has this name", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Several devices have this name", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<PageQuery>,
) -> Answer<Json<Page>> {
    let state = query.state.map(|state| {
        OperationState::named(&state).ok_or_else(|| {
            let names = OperationState::ALL.map(OperationState::name).join(", ");
            Problem::bad_request(format!("state={state}: expected one of {names}"))
        })
    });
    let before = Cursor::read(query.after, |text| Number::from_str(text).ok())?;
    let device = match query.device.filter(|device| !device.is_empty()) {
        Some(device) => Some(platform.inventory.find(device).await?.endpoint_id),
        None => None,
    };
    let query_of_store = OperationQuery {
        device,
        state: state.transpose()?,
        before: before.map(|number| number.0),
    };
    let limit = query.limit.unwrap_or(PAGE_OPERATIONS);
    let listing = platform.operations.list(query_of_store, limit).await?;
    let operations = listing.operations.into_iter().map(shown);
    Ok(Json(Page {
        operations: operations.map(|row| row.seen_by(&caller)).collect(),
        next: listing.next.map(|number| Number(number).to_string()),
    }))
}

/// Show one Operation.
///
/// Without the scope `operate`, secrets among its values are hidden.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations",
    params(OfOperation),
    responses((status = 200, description = "The Operation", body = Shown)))]
pub(super) async fn show(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InPath(of): InPath<OfOperation>,
) -> Answer<Json<Shown>> {
    let row = find(&platform.operations, number(&of.id)?).await?;
    Ok(Json(shown(row).seen_by(&caller)))
}

/// Cancel an Operation while it is queued.
#[utoipa::path(delete, path = "/api/v1/operations/{id}", tag = "operations",
    params(OfOperation),
    responses(
        (status = 200, description = "The Operation, which ended as failed", body = Shown),
        (status = 409, description = "It is not queued any more", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfOperation>,
) -> Answer<Json<Shown>> {
    let number = number(&of.id)?;
    trail.operation(number);
    let is_cancelled = platform.operations.cancel(number).await;
    let row = shown(find(&platform.operations, number).await?);
    match is_cancelled {
        true => Ok(Json(row)),
        false => {
            let detail = format!(
                "{number} is {}; only what is queued can be cancelled",
                row.state
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

/// The answer to one who does not wait: 202 while it goes on, 200 where an earlier one of this key has ended.
async fn acknowledge(operations: &Operations, accepted: Accepted) -> Answer<Response> {
    let row = match accepted {
        Accepted::Known(row) => *row,
        Accepted::New(number, ..) => find(operations, number).await?,
    };
    let status = match row.state.is_some_and(|state| !state.is_end()) {
        true => StatusCode::ACCEPTED,
        false => StatusCode::OK,
    };
    let number = Number(row.number);
    let mut response = (status, Json(shown(row))).into_response();
    let location = format!("/api/v1/operations/{number}");
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(named(response, number))
}

/// The answer to one who waits.
async fn outcome(
    operations: &Operations,
    accepted: Accepted,
    patience: Duration,
) -> Answer<Response> {
    let (number, ended) = match accepted {
        Accepted::New(number, ended) => (number, Some(ended)),
        Accepted::Known(row) => {
            let number = Number(row.number);
            (number, operations.follow(number))
        }
    };
    let Some(ended) = ended else {
        let row = find(operations, number).await?;
        return Ok(named(kept(row), number));
    };
    // It is bounded by itself, but for one that was queued earlier under the same key.
    match timeout(patience + OPERATION_TIMEOUT, ended).await {
        Ok(Ok(end)) => Ok(told(number, &end)),
        Ok(Err(_)) => Err(Problem::from(NotAccepted::Shut)),
        Err(_) => {
            let detail =
                format!("{number} has not ended yet; /api/v1/operations/{number} tells when");
            Ok(named(
                Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response(),
                number,
            ))
        }
    }
}

/// Asks a device for something and waits for what comes of it.
pub(super) async fn carry_out(
    platform: &Platform,
    trail: &Trail,
    device: String,
    operation: Operation,
) -> Answer<(Number, Outcome)> {
    trail.what(paths(&operation));
    let known = platform.inventory.find(device).await?;
    trail.target(&known.endpoint_id);
    onboarding::must_be_approved(platform, &known)?;
    let device =
        EndpointId::from_wire(&known.endpoint_id).map_err(|_| OperationError::NotConnected)?;
    let kind = operation.kind();
    let wanted = Wanted {
        device,
        operation,
        patience: OPERATION_TIMEOUT,
        expiry: None,
        key: None,
    };
    if operations::is_repeatable(kind) {
        let (number, outcome) = platform.operations.read(wanted).await;
        return Ok((number, outcome?));
    }
    let Accepted::New(number, ended) = platform.operations.submit(wanted).await? else {
        // Only a key makes it an earlier one.
        return Err(Failure::Damaged.into());
    };
    trail.operation(number);
    let end = ended.await.map_err(|_| NotAccepted::Shut)?;
    match end.as_ref() {
        Ok(outcome) => Ok((number, outcome.clone())),
        Err(failure) => Err(failure.clone().into()),
    }
}

/// What came of a kept Operation so far; none where nothing is known yet. Secrets are hidden as in what is shown of it.
pub(super) fn kept_by(row: &usphere_store::Operation, caller: &Caller) -> Answer<Option<Outcome>> {
    if let Some(error) = &row.error {
        return Err(Failure::from_json(error).into());
    }
    let Some(outcome) = &row.outcome else {
        return Ok(None);
    };
    let mut json: Value = serde_json::from_str(outcome).map_err(|_| Failure::Damaged)?;
    if caller.scope < Scope::Operate {
        doctor::hide_values(&mut json);
    }
    let kind: OperationKind = row.kind.parse().map_err(|_| Failure::Damaged)?;
    let outcome = Outcome::from_json(kind, json).map_err(|_| Failure::Damaged)?;
    Ok(Some(outcome))
}

fn told(number: Number, end: &End) -> Response {
    let response = match end {
        Ok(outcome) => Json(outcome).into_response(),
        Err(failure) => Problem::from(failure.clone()).into_response(),
    };
    named(response, number)
}

/// What came of one that has ended, from its row.
fn kept(row: usphere_store::Operation) -> Response {
    let json = row.outcome.as_deref().map(serde_json::from_str::<Value>);
    match (json, row.error) {
        (Some(Ok(outcome)), _) => Json(outcome).into_response(),
        (_, Some(error)) => Problem::from(Failure::from_json(&error)).into_response(),
        (None, None) if row.outcome_bytes > 0 => {
            let detail = "the operation is done; what came of it was too large to be kept";
            Problem::new(StatusCode::CONFLICT, detail).into_response()
        }
        (Some(Err(_)) | None, None) => Problem::from(Failure::Damaged).into_response(),
    }
}

fn named(mut response: Response, number: Number) -> Response {
    if let Ok(id) = HeaderValue::from_str(&number.to_string()) {
        response.headers_mut().insert(OPERATION_ID, id);
    }
    response
}

/// Whatever is in the row, it can be shown.
fn shown(row: usphere_store::Operation) -> Shown {
    let damaged = || Failure::Damaged.to_json();
    let is_kept = row.outcome.is_some();
    let json = |text: &String| serde_json::from_str(text).ok();
    let error = match (row.state, &row.error) {
        (None, _) => Some(damaged()),
        (Some(_), error) => error
            .as_ref()
            .map(|error| json(error).unwrap_or_else(damaged)),
    };
    Shown {
        id: Number(row.number).to_string(),
        device: row.device,
        kind: row.kind,
        request: json(&row.request).unwrap_or_default(),
        state: row.state.unwrap_or(OperationState::Failed).name(),
        created: row.created,
        updated: row.updated,
        expires: row.expires,
        attempts: row.attempts,
        outcome: row.outcome.as_ref().and_then(json),
        outcome_bytes: (row.outcome_bytes > 0 && !is_kept).then_some(row.outcome_bytes),
        error,
    }
}

impl Shown {
    /// Who may not write a secret may not read the one that somebody else wrote either: no device tells it.
    fn seen_by(mut self, caller: &Caller) -> Self {
        if caller.scope < Scope::Operate {
            doctor::hide_values(&mut self.request);
            self.outcome.iter_mut().for_each(doctor::hide_values);
        }
        self
    }
}

async fn find(operations: &Operations, number: Number) -> Answer<usphere_store::Operation> {
    let row = operations.find(number).await?;
    row.ok_or_else(|| no_operation(&number.to_string()))
}

fn number(id: &str) -> Answer<Number> {
    Number::from_str(id).map_err(|_| no_operation(id))
}

fn no_operation(id: &str) -> Problem {
    let detail = format!("{id}: there is no such operation, or it is kept no longer");
    Problem::new(StatusCode::NOT_FOUND, detail).of_kind(Kind::NoSuchOperation)
}

fn duration(manner: &Manner) -> Answer<Duration> {
    match manner.timeout {
        None => Ok(OPERATION_TIMEOUT),
        Some(seconds @ 1..=OPERATION_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        Some(seconds) => Err(Problem::bad_request(format!(
            "timeout={seconds}: 1 to {OPERATION_SECONDS_MAX} seconds are allowed"
        ))),
    }
}

/// How long it may wait for its device; none where its caller waits for it.
fn expiry(manner: &Manner, headers: &HeaderMap) -> Answer<Option<Duration>> {
    let preferred = headers.get_all(PREFER).iter().any(|value| {
        let mut wishes = value.to_str().unwrap_or_default().split(',');
        wishes.any(|wish| wish.trim().eq_ignore_ascii_case("respond-async"))
    });
    let is_awaited = manner.wait.unwrap_or(!preferred);
    match manner.expires {
        None if is_awaited => Ok(None),
        None => Ok(Some(Duration::from_secs(EXPIRY_SECONDS))),
        Some(_) if is_awaited => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "expires: goes with wait=false only; who waits for the answer is told at once that the device is away",
        )),
        Some(seconds @ 1..=EXPIRY_SECONDS_MAX) => Ok(Some(Duration::from_secs(seconds))),
        Some(seconds) => Err(Problem::bad_request(format!(
            "expires={seconds}: 1 to {EXPIRY_SECONDS_MAX} seconds are allowed"
        ))),
    }
}

/// The key, which belongs to the token that was shown: those of others are others.
fn idempotency_key(headers: &HeaderMap, caller: &Caller) -> Answer<Option<String>> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key.to_str().ok().map(str::trim);
    let is_visible = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
    let key =
        key.filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && is_visible(key));
    let key = key.ok_or_else(|| {
        Problem::bad_request(format!(
            "Idempotency-Key: 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters are expected"
        ))
    })?;
    Ok(Some(match caller.id {
        // No key that is sent has a line break.
        Some(id) => format!("{id}\n{key}"),
        None => key.to_owned(),
    }))
}

/// What an Operation is about, without values.
fn paths(operation: &Operation) -> Vec<String> {
    match operation {
        Operation::Add(add) => add.objects.iter().map(|row| row.path.clone()).collect(),
        Operation::Delete(delete) => delete.paths.clone(),
        Operation::Get(get) => get.paths.clone(),
        Operation::Instances(instances) => instances.paths.clone(),
        Operation::Operate(operate) => vec![operate.command.clone()],
        Operation::Set(set) => {
            let objects = set.objects.iter();
            let parameters = objects.flat_map(|object| {
                let names = object.parameters.iter().map(|setting| &setting.name);
                names.map(|name| format!("{}{name}", object.path))
            });
            parameters.collect()
        }
        Operation::SupportedModel(model) => model.paths.clone(),
        Operation::SupportedProtocol(_) => Vec::new(),
    }
}
