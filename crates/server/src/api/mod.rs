//! The REST API, and the console beside it. Every answer is JSON; every error is `application/problem+json`.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /healthz`, `GET /api/v1/health` | `{"status": "ok"}`; without token |
//! | `GET /readyz` | whether the server can do its work: 200 or 503, with what it lacks; without token |
//! | `GET /metrics` | what is measured, as OpenMetrics text |
//! | `GET /api/v1/server` | the server: Endpoint ID, version, addresses, numbers of devices |
//! | `POST /api/v1/reload` | takes up a configuration and certificates that have changed; which keys, and which need a new start |
//! | `GET /api/v1/devices?after=ID&limit=N&search=WORDS&online=BOOL&state=STATE` | a page of the inventory; of those in which all words occur, that are online or not, and that are approved or pending |
//! | `GET /api/v1/devices/{device}` | one device |
//! | `PATCH /api/v1/devices/{device}` | `{"alias": "name"}` gives an alias, `null` takes it away; the device |
//! | `DELETE /api/v1/devices/{device}` | 204; forgets the device with its alias, see below |
//! | `POST /api/v1/devices/{device}/approve` | lets a device in that waits; the device |
//! | `GET /api/v1/subscriptions` | the Subscriptions that every device is to have |
//! | `PUT /api/v1/subscriptions/{name}` | `{"type": "ValueChange", "references": ["Device.X."]}`: every device is to have this one, too |
//! | `DELETE /api/v1/subscriptions/{name}` | 204; none is to have it any more |
//! | `GET /api/v1/models` | the products whose supported data model is known |
//! | `GET /api/v1/devices/{device}/events?after=ID&limit=N` | what the device said after the event ID, oldest first |
//! | `GET /api/v1/devices/{device}/events/live?after=ID` | the same as it comes, as server-sent events, see below |
//! | `POST /api/v1/devices/{device}/{verb}?timeout=SECONDS` | the outcome of an Operation |
//! | `POST /api/v1/devices/{device}/{verb}?wait=false&expires=SECONDS` | 202 and the Operation, which waits for a device that is away |
//! | `GET /api/v1/devices/{device}/log/live` | what the server and the device say to each other, as server-sent events, see below |
//! | `GET /api/v1/contacts?device=&after=NEXT&limit=N` | contacts that failed, and why, those that came last first |
//! | `GET /api/v1/operations?device=&state=&after=ID&limit=N` | a page of Operations, the newest first |
//! | `GET /api/v1/operations/{id}` | one Operation |
//! | `DELETE /api/v1/operations/{id}` | cancels it while it is queued; the Operation |
//!
//! `{device}` is an Endpoint ID, an alias, or a part of an Endpoint ID that fits one device only. The verbs and
//! their bodies are those of [`usphere_datamodel::operation`]. The token is sent as
//! `Authorization: Bearer TOKEN`.
//!
//! A device that is removed while it is online is sent a Disconnect Record, and its connection is closed. It is
//! back, as a new device without alias, when it connects the next time, which its Agent may do at once.
//!
//! An event is a [`Notified`](usphere_datamodel::operation::Notified) with `id`, `device` and `at` (milliseconds since
//! 1970). A live stream begins with what comes from now on, or after the event that `Last-Event-ID` or `after` names;
//! it tells `event: presence` with `{"online": true}` at its beginning and whenever the device comes or goes. So many
//! events of a device are kept as [`usphere_store::limits`] says; older ones are gone.
//!
//! A contact is `{id, at, first, count, remote, mtp, endpoint_id?, reason, detail, advice}`; the reasons are those of
//! [`Reason`](crate::Reason), and those that failed alike are one. With `device` it is the contacts of a device, known
//! or not, or from an address. A log has messages `{at, type, record | note | count}` with the `type` `received`, `sent`,
//! `note` or `missed`; secrets are hidden in it.

mod contacts;
mod devices;
mod events;
mod log;
mod onboarding;
mod operations;
mod problem;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ControllerHandle;

use self::problem::Answer;
pub(crate) use self::problem::Problem;
pub(crate) use self::upkeep::open_router;
use crate::console;
use crate::data_folder::Token;
use crate::doctor::Doctor;
use crate::events::Events;
use crate::health::{HealthWatch, StoreHealth};
use crate::inventory::Inventory;
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::metrics::{Counts, Exposition};
use crate::onboarding::Onboarding;
use crate::operations::Operations;
use crate::reload::Reloader;
use crate::tracker::Progress;

/// What every handler needs.
pub(crate) struct Platform {
    pub(crate) controller: ControllerHandle,
    pub(crate) inventory: Inventory,
    pub(crate) events: Events,
    pub(crate) operations: Operations,
    pub(crate) doctor: Doctor,
    pub(crate) onboarding: Onboarding,
    /// Places for live streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Becomes true when the server ends.
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) progress: Progress,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) counts: Counts,
    pub(crate) exposition: Arc<Exposition>,
    pub(crate) health: Arc<HealthWatch>,
    pub(crate) token: Token,
    pub(crate) endpoint_id: EndpointId,
    pub(crate) ws: String,
    pub(crate) api: SocketAddr,
    /// When the server started, in milliseconds since 1970.
    pub(crate) started: i64,
}

/// Everything that is served.
pub(crate) fn router(platform: Arc<Platform>) -> Router {
    let guarded = Router::new()
        .route("/api/v1/server", get(server))
        .route("/api/v1/reload", post(upkeep::reload))
        .route("/metrics", get(upkeep::metrics))
        .route("/api/v1/devices", get(devices::list))
        .route(
            "/api/v1/devices/{device}",
            get(devices::show)
                .patch(devices::rename)
                .delete(devices::remove),
        )
        .route("/api/v1/devices/{device}/events", get(events::list))
        .route("/api/v1/devices/{device}/events/live", get(events::live))
        .route("/api/v1/devices/{device}/log/live", get(log::live))
        .route("/api/v1/contacts", get(contacts::list))
        .route(
            "/api/v1/devices/{device}/approve",
            post(onboarding::approve),
        )
        .route("/api/v1/devices/{device}/{verb}", post(operations::operate))
        .route("/api/v1/models", get(onboarding::models))
        .route("/api/v1/subscriptions", get(onboarding::subscriptions))
        .route(
            "/api/v1/subscriptions/{name}",
            put(onboarding::put_subscription).delete(onboarding::remove_subscription),
        )
        .route("/api/v1/operations", get(operations::list))
        .route(
            "/api/v1/operations/{id}",
            get(operations::show).delete(operations::cancel),
        )
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&platform),
            with_token,
        ));
    Router::new()
        .route("/api/v1/health", get(upkeep::healthz))
        .route("/healthz", get(upkeep::healthz))
        .route("/readyz", get(upkeep::readyz))
        .merge(guarded)
        .merge(console::router())
        .fallback(|uri: Uri| async move { Problem::no_such_page(uri.path()) })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this resource does not take that method",
            )
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&platform),
            upkeep::counted,
        ))
        .with_state(platform)
}

/// What is told of the server.
#[derive(Serialize)]
struct ServerInfo {
    endpoint_id: String,
    version: &'static str,
    api: String,
    ws: String,
    started: i64,
    devices: u64,
    online: usize,
    /// Whether what is written is kept, and why not.
    store: StoreHealth,
}

async fn server(State(platform): State<Arc<Platform>>) -> Answer<Json<ServerInfo>> {
    Ok(Json(ServerInfo {
        endpoint_id: platform.endpoint_id.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        api: format!("http://{}", platform.api),
        ws: platform.ws.clone(),
        started: platform.started,
        devices: platform.inventory.count().await?,
        online: platform.controller.online_count(),
        store: platform.health.readiness().await.store,
    }))
}

/// Lets nobody through without the token.
async fn with_token(
    State(platform): State<Arc<Platform>>,
    request: Request,
    next: Next,
) -> Response {
    if shown_token(request.headers())
        .is_some_and(|shown| same(shown.as_bytes(), platform.token.as_str().as_bytes()))
    {
        return next.run(request).await;
    }
    let detail = "a valid token is needed, as `Authorization: Bearer TOKEN`; it is in the file `token` of the server's data folder";
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static("Bearer"),
    );
    response
}

fn shown_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Compares in a time that does not tell how much of the token was right.
fn same(shown: &[u8], expected: &[u8]) -> bool {
    let difference = shown
        .iter()
        .zip(expected)
        .fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    shown.len() == expected.len() && difference == 0
}

/// The whole body, within limits of size and time.
async fn body_of(body: Body) -> Answer<Vec<u8>> {
    match timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => {
            let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes, or was cut off");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
        )),
    }
}

/// Reads a JSON body.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body: {error}")))
}
