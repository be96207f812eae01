//! Operations on one device.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use usphere_datamodel::operation::{Operation, OperationError, OperationKind, Outcome};
use usphere_proto::EndpointId;

use super::problem::{Answer, Problem};
use super::{Platform, body_of, read};
use crate::limits::{OPERATION_SECONDS_MAX, OPERATION_TIMEOUT};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patience {
    /// Seconds that the device may take.
    timeout: Option<u64>,
}

pub(super) async fn operate(
    State(platform): State<Arc<Platform>>,
    path: Result<Path<(String, String)>, PathRejection>,
    patience: Result<Query<Patience>, QueryRejection>,
    body: Body,
) -> Answer<Json<Outcome>> {
    let Path((device, verb)) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
    let Query(patience) = patience.map_err(|error| Problem::bad_request(error.body_text()))?;
    let patience = duration(patience)?;
    let kind: OperationKind = verb.parse().map_err(|error| {
        Problem::new(
            StatusCode::NOT_FOUND,
            format!("{verb}: no such verb; {error}"),
        )
    })?;
    let operation = operation(kind, &body_of(body).await?)?;
    let known = platform.inventory.find(device).await?;
    let agent =
        EndpointId::from_wire(&known.endpoint_id).map_err(|_| OperationError::NotConnected)?;
    let outcome = platform
        .controller
        .request(&agent, operation, patience)
        .await?;
    Ok(Json(outcome))
}

fn duration(patience: Patience) -> Answer<Duration> {
    match patience.timeout {
        None => Ok(OPERATION_TIMEOUT),
        Some(seconds @ 1..=OPERATION_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        Some(seconds) => Err(Problem::bad_request(format!(
            "timeout={seconds}: 1 to {OPERATION_SECONDS_MAX} seconds are allowed"
        ))),
    }
}

/// Reads the body that belongs to a verb. An empty body is an empty object.
fn operation(kind: OperationKind, body: &[u8]) -> Answer<Operation> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    Ok(match kind {
        OperationKind::Add => Operation::Add(read(body)?),
        OperationKind::Delete => Operation::Delete(read(body)?),
        OperationKind::Get => Operation::Get(read(body)?),
        OperationKind::Instances => Operation::Instances(read(body)?),
        OperationKind::Operate => Operation::Operate(read(body)?),
        OperationKind::Set => Operation::Set(read(body)?),
        OperationKind::SupportedModel => Operation::SupportedModel(read(body)?),
        OperationKind::SupportedProtocol => Operation::SupportedProtocol(read(body)?),
    })
}
