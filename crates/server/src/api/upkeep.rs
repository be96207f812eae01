//! What the one who operates the server asks of it, and what watches it.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the server answers at all; no token |
//! | `GET /readyz` | 200 while it can do its work, else 503, and what it lacks; no token |
//! | `GET /metrics` | what is measured, as OpenMetrics text; with a token, or without one at the address `metrics` |
//! | `POST /api/v1/reload` | takes up a configuration and certificates that have changed |

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

use super::Platform;
use super::problem::{Answer, Problem};
use crate::health::Readiness;
use crate::metrics::{CONTENT_TYPE, Exposition};
use crate::reload::{ReloadError, Reloaded};

/// What is measured and how the server is, for a door of their own: nobody needs a token there.
pub(crate) fn open_router(platform: Arc<Platform>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(platform)
}

/// Whether the server is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Tell whether the server is there.
#[utoipa::path(get, path = "/healthz", tag = "server", responses(
    (status = 200, description = "It is", body = Health),
))]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Tell whether the server is there, at an address of the API.
#[utoipa::path(get, path = "/api/v1/health", tag = "server", responses(
    (status = 200, description = "It is", body = Health),
))]
pub(super) async fn health() -> Json<Health> {
    healthz().await
}

/// Whether the server can do its work.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    ready: bool,
    #[serde(flatten)]
    readiness: Readiness,
}

/// Tell whether the server can do its work.
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, description = "It can", body = Ready),
    (status = 503, description = "It cannot; what it lacks", body = Ready),
))]
pub(super) async fn readyz(State(platform): State<Arc<Platform>>) -> (StatusCode, Json<Ready>) {
    let readiness = platform.health.readiness().await;
    let ready = readiness.is_ready();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Ready { ready, readiness }))
}

/// Tell what is measured.
#[utoipa::path(get, path = "/metrics", tag = "server", responses(
    (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"),
))]
pub(super) async fn metrics(State(platform): State<Arc<Platform>>) -> Answer<Response> {
    let exposition: Arc<Exposition> = Arc::clone(&platform.exposition);
    match tokio::task::spawn_blocking(move || exposition.text()).await {
        Ok(Ok(text)) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()),
        // Writing to a text does not fail, so the runtime is going down.
        Ok(Err(_)) | Err(_) => Err(shutting_down()),
    }
}

/// Take up a configuration and certificates that have changed.
#[utoipa::path(post, path = "/api/v1/reload", tag = "server", responses(
    (status = 200, description = "What it changed, and what takes a new start", body = Reloaded),
    (status = 422, description = "The configuration or the certificates are not valid; nothing was changed"),
))]
pub(super) async fn reload(State(platform): State<Arc<Platform>>) -> Answer<Json<Reloaded>> {
    let reloading = tokio::task::spawn_blocking(move || platform.reloader.reload());
    match reloading.await {
        Ok(Ok(reloaded)) => Ok(Json(reloaded)),
        Ok(Err(error @ (ReloadError::Configuration(_) | ReloadError::Tls(_)))) => Err(
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        ),
        // The work does not panic, so the runtime is going down.
        Err(_) => Err(shutting_down()),
    }
}

/// Counts a request and what it was answered with.
pub(super) async fn counted(
    State(platform): State<Arc<Platform>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let begun = Instant::now();
    let response = next.run(request).await;
    // The pattern of the route, never the path that a client chose.
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    platform
        .counts
        .requested(method.as_str(), route, status, begun.elapsed());
    response
}

fn shutting_down() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "the server is shutting down",
    )
}
