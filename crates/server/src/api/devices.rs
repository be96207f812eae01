//! The inventory.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ControllerHandle;
use usphere_store::{Device, DeviceState};

use super::problem::{Answer, Problem};
use super::{Platform, body_of, read};

/// Devices of a page where the request does not say.
const PAGE_DEVICES: u32 = 100;

/// A device with what is known of its connection.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    device: Device,
    /// Whether it can be asked now.
    online: bool,
}

#[derive(Serialize)]
pub(super) struct Page {
    devices: Vec<Shown>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
    /// Words that all have to occur in what is known of the device.
    search: Option<String>,
    /// Only those that can be asked now, or only the others.
    online: Option<bool>,
    /// Only those that are approved, or only those that wait to be.
    state: Option<DeviceState>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renaming {
    alias: Option<String>,
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Json<Page>> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let controller = platform.controller.clone();
    let pending = query
        .state
        .map(|state| (platform.onboarding.pending(), state));
    let keep = move |id: &str| {
        let fits_online = query
            .online
            .is_none_or(|wanted| is_online(&controller, id) == wanted);
        let fits_state = pending.as_ref().is_none_or(|(pending, state)| {
            pending.contains(id) == (*state == DeviceState::Pending)
        });
        fits_online && fits_state
    };
    let limit = query.limit.unwrap_or(PAGE_DEVICES);
    let text = query.search.unwrap_or_default();
    let listing = platform
        .inventory
        .list(query.after, limit, text, keep)
        .await?;
    let devices = listing.devices.into_iter();
    Ok(Json(Page {
        devices: devices.map(|device| shown(&platform, device)).collect(),
        next: listing.next,
    }))
}

pub(super) async fn show(
    State(platform): State<Arc<Platform>>,
    device: Result<Path<String>, PathRejection>,
) -> Answer<Json<Shown>> {
    let Path(device) = device.map_err(|error| Problem::bad_request(error.body_text()))?;
    let device = platform.inventory.find(device).await?;
    Ok(Json(shown(&platform, device)))
}

pub(super) async fn rename(
    State(platform): State<Arc<Platform>>,
    device: Result<Path<String>, PathRejection>,
    body: Body,
) -> Answer<Json<Shown>> {
    let Path(device) = device.map_err(|error| Problem::bad_request(error.body_text()))?;
    let renaming: Renaming = read(&body_of(body).await?)?;
    let known = platform.inventory.find(device).await?;
    platform
        .inventory
        .set_alias(known.endpoint_id.clone(), renaming.alias)
        .await?;
    let device = platform.inventory.find(known.endpoint_id).await?;
    Ok(Json(shown(&platform, device)))
}

pub(super) async fn remove(
    State(platform): State<Arc<Platform>>,
    device: Result<Path<String>, PathRejection>,
) -> Answer<StatusCode> {
    let Path(device) = device.map_err(|error| Problem::bad_request(error.body_text()))?;
    let known = platform.inventory.find(device).await?;
    let arrival = platform.controller.arrivals();
    let endpoint_id = known.endpoint_id.clone();
    platform
        .inventory
        .remove_after(endpoint_id, platform.progress.clone(), arrival)
        .await?;
    platform.operations.forget_device(&known.endpoint_id);
    platform.onboarding.forget(&known.endpoint_id);
    // Only now: an arrival that follows is taken down anew, so nobody is connected and not listed.
    if let Ok(agent) = EndpointId::from_wire(&known.endpoint_id) {
        platform.controller.dismiss(agent);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn shown(platform: &Platform, device: Device) -> Shown {
    let online = is_online(&platform.controller, &device.endpoint_id);
    Shown { device, online }
}

fn is_online(controller: &ControllerHandle, endpoint_id: &str) -> bool {
    EndpointId::from_wire(endpoint_id).is_ok_and(|id| controller.is_online(&id))
}
