//! The inventory.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ControllerHandle;
use usphere_store::{Device, DeviceState, Field};
use utoipa::{IntoParams, ToSchema};

use super::parameters::{Cursor, InPath, InQuery, OfDevice, OfTag, limit, tag_list, tags};
use super::problem::{Answer, Problem};
use super::{Platform, body_of, given, read};
use crate::audit::Trail;
use crate::inventory::Wanted;
use crate::limits::SEARCHED_TAGS_MAX;

/// Devices of a page where the request does not say.
const PAGE_DEVICES: u32 = 100;

/// A device with what is known of its connection. Times are milliseconds since 1970.
#[derive(Serialize, ToSchema)]
#[schema(as = ShownDevice)]
pub(super) struct Shown {
    #[serde(flatten)]
    device: Device,
    /// Whether it can be asked now.
    online: bool,
}

/// A page of the inventory, in order of the Endpoint IDs.
#[derive(Serialize, ToSchema)]
#[schema(as = DevicePage)]
pub(super) struct Page {
    devices: Vec<Shown>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
    /// Words that all have to occur in what is known of the device.
    search: Option<String>,
    /// Only those that can be asked now, or only the others.
    online: Option<bool>,
    /// Only those that are approved, or only those that wait to be.
    state: Option<DeviceState>,
    #[param(schema_with = tags)]
    tag: Option<String>,
    /// Only those of this manufacturer. In this and the following, letters are the same in either case, and a `*` at
    /// the end stands for any end.
    manufacturer: Option<String>,
    /// Only those whose manufacturer has this OUI.
    oui: Option<String>,
    /// Only those of this product class.
    product_class: Option<String>,
    /// Only those with this serial number.
    serial_number: Option<String>,
    /// Only those with this version of the hardware.
    hardware_version: Option<String>,
    /// Only those with this version of the software.
    software_version: Option<String>,
}

/// What is to become of a device; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceChange)]
pub(super) struct Change {
    /// A name for it; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64,
        pattern = r"^[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]([^\u0000-\u001F\u007F-\u009F]*[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000])?$")]
    alias: Option<Option<String>>,
    /// Its tags, these and no others.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = tag_list)]
    tags: Option<Vec<String>>,
}

/// List devices.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(PageQuery), responses(
    (status = 200, description = "A page of the inventory", body = Page),
))]
pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    InQuery(mut query): InQuery<PageQuery>,
) -> Answer<Json<Page>> {
    let limit = query.limit.unwrap_or(PAGE_DEVICES);
    let after = Cursor::read(query.after.take(), |text| Some(text.to_owned()))?;
    let (online_wanted, state_wanted) = (query.online, query.state);
    let wanted = wanted(query)?;
    let controller = platform.controller.clone();
    let pending = state_wanted.map(|state| (platform.onboarding.pending(), state));
    let keep = move |id: &str| {
        let fits_online = online_wanted.is_none_or(|wanted| is_online(&controller, id) == wanted);
        let fits_state = pending.as_ref().is_none_or(|(pending, state)| {
            pending.contains(id) == (*state == DeviceState::Pending)
        });
        fits_online && fits_state
    };
    let listing = platform.inventory.list(after, limit, wanted, keep).await?;
    let devices = listing.devices.into_iter();
    Ok(Json(Page {
        devices: devices.map(|device| shown(&platform, device)).collect(),
        next: listing.next,
    }))
}

/// Show one device.
#[utoipa::path(get, path = "/api/v1/devices/{device}", tag = "devices",
    params(OfDevice),
    responses((status = 200, description = "The device", body = Shown)))]
pub(super) async fn show(
    State(platform): State<Arc<Platform>>,
    InPath(of): InPath<OfDevice>,
) -> Answer<Json<Shown>> {
    let device = platform.inventory.find(of.device).await?;
    Ok(Json(shown(&platform, device)))
}

/// Give a device an alias or tags, or take them away.
#[utoipa::path(patch, path = "/api/v1/devices/{device}", tag = "devices",
    params(OfDevice),
    request_body = Change,
    responses((status = 200, description = "The device as it is now", body = Shown)))]
pub(super) async fn change(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfDevice>,
    body: Body,
) -> Answer<Json<Shown>> {
    let change: Change = read(&body_of(body).await?)?;
    let id = platform.inventory.find(of.device).await?.endpoint_id;
    trail.target(&id);
    let alias = change.alias.iter().map(|_| "alias".to_owned());
    let tags = change.tags.iter().flatten();
    trail.what(alias.chain(tags.map(|tag| format!("tag {tag}"))));
    let inventory = &platform.inventory;
    inventory
        .change(id.clone(), change.alias, change.tags)
        .await?;
    let device = platform.inventory.find(id).await?;
    Ok(Json(shown(&platform, device)))
}

/// Forget a device, with its alias, its tags and what it said.
///
/// If it is online, it is sent a Disconnect Record and its connection is closed. It is back, as a new device, when it
/// connects the next time, which its Agent may do at once.
#[utoipa::path(delete, path = "/api/v1/devices/{device}", tag = "devices",
    params(OfDevice),
    responses((status = 204, description = "It is forgotten")))]
pub(super) async fn remove(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfDevice>,
) -> Answer<StatusCode> {
    forget(&platform, &trail, of.device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a device one more tag.
#[utoipa::path(put, path = "/api/v1/devices/{device}/tags/{tag}", tag = "devices",
    params(OfDevice, OfTag),
    responses((status = 200, description = "The device as it is now", body = Shown)))]
pub(super) async fn tag(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfDevice>,
    InPath(OfTag { tag }): InPath<OfTag>,
) -> Answer<Json<Shown>> {
    let id = to_be_tagged(&platform, &trail, of, &tag).await?;
    platform.inventory.add_tag(id.clone(), tag).await?;
    let device = platform.inventory.find(id).await?;
    Ok(Json(shown(&platform, device)))
}

/// Take a tag from a device.
#[utoipa::path(delete, path = "/api/v1/devices/{device}/tags/{tag}", tag = "devices",
    params(OfDevice, OfTag),
    responses((status = 200, description = "The device as it is now", body = Shown)))]
pub(super) async fn untag(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfDevice>,
    InPath(OfTag { tag }): InPath<OfTag>,
) -> Answer<Json<Shown>> {
    let id = to_be_tagged(&platform, &trail, of, &tag).await?;
    platform.inventory.remove_tag(id.clone(), tag).await?;
    let device = platform.inventory.find(id).await?;
    Ok(Json(shown(&platform, device)))
}

/// The Endpoint ID of a device whose tags are about to change, which is written down.
async fn to_be_tagged(
    platform: &Platform,
    trail: &Trail,
    of: OfDevice,
    tag: &str,
) -> Answer<String> {
    let id = platform.inventory.find(of.device).await?.endpoint_id;
    trail.target(&id);
    trail.what([format!("tag {tag}")]);
    Ok(id)
}

/// Forgets a device, and ends its connection.
pub(super) async fn forget(platform: &Platform, trail: &Trail, device: String) -> Answer<()> {
    let known = platform.inventory.find(device).await?;
    trail.target(&known.endpoint_id);
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
    Ok(())
}

fn wanted(query: PageQuery) -> Answer<Wanted> {
    let fields = [
        (Field::HardwareVersion, query.hardware_version),
        (Field::Manufacturer, query.manufacturer),
        (Field::Oui, query.oui),
        (Field::ProductClass, query.product_class),
        (Field::SerialNumber, query.serial_number),
        (Field::SoftwareVersion, query.software_version),
    ];
    let fields = fields
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)));
    let tags = query.tag.unwrap_or_default();
    let tags = tags.split(',').filter(|tag| !tag.is_empty());
    let tags: Vec<_> = tags.map(str::to_owned).collect();
    if tags.len() > SEARCHED_TAGS_MAX {
        return Err(Problem::bad_request(format!(
            "tag: {} tags, at most {SEARCHED_TAGS_MAX} are looked for at a time",
            tags.len()
        )));
    }
    Ok(Wanted {
        text: query.search.unwrap_or_default(),
        fields: fields.collect(),
        tags,
    })
}

pub(super) fn shown(platform: &Platform, mut device: Device) -> Shown {
    // What was so once is nothing to rely on.
    if !platform.onboarding.keeps_subscriptions() {
        device.subscriptions = None;
    }
    let online = is_online(&platform.controller, &device.endpoint_id);
    Shown { device, online }
}

pub(super) fn is_online(controller: &ControllerHandle, endpoint_id: &str) -> bool {
    EndpointId::from_wire(endpoint_id).is_ok_and(|id| controller.is_online(&id))
}
