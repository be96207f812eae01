//! The REST API, and the console beside it. Every answer is JSON; every error is `application/problem+json`.
//!
//! `GET /api/v1/openapi.json` tells every route with its parameters, bodies and answers; it is made from the code by
//! [`openapi`]. `/api/v1/docs/` shows it. Only these, `GET /api/v1/health` and the console need no token; what each token
//! may do is in [`access`]. The token is sent as `Authorization: Bearer TOKEN`.
//!
//! `{device}` is an Endpoint ID, an alias, or a part of an Endpoint ID that fits one device only. The verbs and
//! their bodies are those of [`usphere_datamodel::operation`].
//!
//! A device that is removed while it is online is sent a Disconnect Record, and its connection is closed. It is
//! back, as a new device without alias, when it connects the next time, which its Agent may do at once.
//!
//! An event is a [`Notified`](usphere_datamodel::operation::Notified) or the coming or going of a device, with `id`, `device`
//! and `at` (milliseconds since 1970). A live stream begins with what comes from now on, or after the event that
//! `Last-Event-ID` or `after` names. Events are kept as [`usphere_store::limits`] and `retention` in the configuration say.

mod access;
mod agents;
mod audit;
mod contacts;
mod devices;
mod events;
mod fleet;
mod kind;
mod log;
mod onboarding;
mod openapi;
mod operations;
mod parameters;
mod problem;
mod tokens;
mod upkeep;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router, middleware};

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;
use usphere_datamodel::operation::whole;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ControllerHandle;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::problem::Answer;
pub(crate) use self::problem::Problem;
pub(crate) use self::upkeep::open_router;
use crate::audit::Audit;
use crate::console;
use crate::doctor::Doctor;
use crate::events::{Events, Presences};
use crate::health::{HealthWatch, StoreHealth};
use crate::inventory::Inventory;
use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::metrics::{Counts, Exposition};
use crate::onboarding::Onboarding;
use crate::operations::Operations;
use crate::rate::Rates;
use crate::reload::Reloader;
use crate::tokens::Tokens;
use crate::tracker::Progress;

/// What every handler needs.
pub(crate) struct Platform {
    pub(crate) controller: ControllerHandle,
    pub(crate) inventory: Inventory,
    pub(crate) events: Events,
    pub(crate) presences: Presences,
    pub(crate) operations: Operations,
    pub(crate) doctor: Doctor,
    pub(crate) onboarding: Onboarding,
    /// Becomes true when the server ends.
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) progress: Progress,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) counts: Counts,
    pub(crate) exposition: Arc<Exposition>,
    pub(crate) health: Arc<HealthWatch>,
    pub(crate) tokens: Tokens,
    pub(crate) rates: Arc<Rates>,
    pub(crate) audit: Audit,
    pub(crate) endpoint_id: EndpointId,
    pub(crate) ws: String,
    pub(crate) api: String,
    /// When the server started, in milliseconds since 1970.
    pub(crate) started: i64,
}

/// Everything that is served.
pub(crate) fn router(platform: Arc<Platform>) -> Router {
    let (router, document) = routes(&platform).split_for_parts();
    router
        .merge(openapi::router(document))
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
            access::admit,
        ))
        // Outside of that, so that refusals are counted, too.
        .layer(middleware::from_fn_with_state(
            Arc::clone(&platform),
            upkeep::counted,
        ))
        .layer(middleware::map_response(kept_by_nobody))
        .with_state(platform)
}

/// What devices say, and a token that was made, are for who asked: no browser keeps an answer that does not say
/// that it may, or takes it for something else than it is.
async fn kept_by_nobody(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Every route of the API. One that is added here says by `utoipa::path` what it takes and answers.
fn routes(platform: &Arc<Platform>) -> OpenApiRouter<Arc<Platform>> {
    let guarded = OpenApiRouter::new()
        .routes(routes!(server))
        .routes(routes!(devices::list))
        .routes(routes!(devices::show, devices::change, devices::remove))
        .routes(routes!(devices::tag, devices::untag))
        .routes(routes!(events::list))
        .routes(routes!(events::live))
        .routes(routes!(events::list_all))
        .routes(routes!(events::live_all))
        .routes(routes!(log::live))
        .routes(routes!(fleet::get))
        .routes(routes!(contacts::list))
        .routes(routes!(onboarding::approve))
        .routes(routes!(onboarding::models))
        .routes(routes!(onboarding::subscriptions))
        .routes(routes!(
            onboarding::put_subscription,
            onboarding::remove_subscription
        ))
        .routes(routes!(upkeep::reload))
        .routes(routes!(upkeep::metrics))
        .route(access::VERB, post(operations::operate))
        .routes(routes!(operations::list))
        .routes(routes!(operations::show, operations::cancel))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::own))
        .routes(routes!(audit::list))
        .routes(routes!(agents::create))
        .routes(routes!(agents::show, agents::update, agents::remove))
        .routes(routes!(agents::status))
        .routes(routes!(agents::associated))
        .routes(routes!(agents::add))
        .routes(routes!(agents::get, agents::set, agents::delete))
        .routes(routes!(agents::run))
        .routes(routes!(agents::ended))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(platform),
            access::allow,
        ));
    OpenApiRouter::new()
        .routes(routes!(upkeep::health))
        .routes(routes!(upkeep::healthz))
        .routes(routes!(upkeep::readyz))
        .merge(guarded)
}

/// What is told of the server.
#[derive(Serialize, ToSchema)]
#[schema(as = Server)]
struct ServerInfo {
    endpoint_id: String,
    version: &'static str,
    /// The URL of the API.
    api: String,
    /// The URL at which Agents connect.
    ws: String,
    /// Since when it runs, in milliseconds since 1970.
    started: i64,
    /// How many devices it knows.
    devices: u64,
    /// How many of them are connected.
    online: usize,
    /// How many of them wait to be approved.
    pending: usize,
    /// Whether what is written is kept, and why not.
    store: StoreHealth,
}

/// Tell about the server.
#[utoipa::path(get, path = "/api/v1/server", tag = "server", responses(
    (status = 200, description = "The server", body = ServerInfo),
))]
async fn server(State(platform): State<Arc<Platform>>) -> Answer<Json<ServerInfo>> {
    Ok(Json(ServerInfo {
        endpoint_id: platform.endpoint_id.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        api: platform.api.clone(),
        ws: platform.ws.clone(),
        started: platform.started,
        devices: platform.inventory.count().await?,
        online: platform.controller.online_count(),
        pending: platform.onboarding.pending_count(),
        store: platform.health.readiness().await.store,
    }))
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

/// Reads a JSON body, which is an object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    // It would be taken for the values of the fields.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::bad_request("the body: an object is expected"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body: {error}")))
}

/// A field that is there, for `deserialize_with`: tells `null` from what is left out.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The same of a whole number.
fn given_whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    whole(deserializer).map(Some)
}

/// An object and no list, which would be taken for the values of its fields.
fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Fields<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    deserializer.deserialize_map(Fields(PhantomData))
}
