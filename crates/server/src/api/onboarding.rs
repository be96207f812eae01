//! Taking devices on board: approval, the server's own Subscriptions, and what products can do.
//!
//! | method and path | answer |
//! |---|---|
//! | `POST /api/v1/devices/{device}/approve` | lets a device in that waits; the device |
//! | `GET /api/v1/subscriptions` | the Subscriptions that every device is to have |
//! | `PUT /api/v1/subscriptions/{name}` | has every device have this one, too; those that are there are asked at once |
//! | `DELETE /api/v1/subscriptions/{name}` | 204; takes it away from every device |
//! | `GET /api/v1/models` | the products whose supported data model is known |
//!
//! The verb `schema` is answered from what is known of the device's product, with the seconds since it was told in
//! `Age`, also while the device is away. With `?fresh=true`, or with `Cache-Control: no-cache`, the device is asked, and
//! what is known is fetched anew.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use usphere_datamodel::operation::{NotificationKind, Operation};
use usphere_proto::EndpointId;
use usphere_store::{Device, DeviceState, ModelEntry, Product, Subscription};
use utoipa::ToSchema;

use super::devices::{self, Shown};
use super::kind::Kind;
use super::parameters::{InPath, OfDevice, notif_type, references};
use super::problem::{Answer, Problem};
use super::{Platform, body_of, read};
use crate::audit::Trail;
use crate::inventory::now;
use crate::onboarding::Kept;

/// The Subscriptions that every device is to have.
#[derive(Serialize, ToSchema)]
pub(super) struct Subscriptions {
    subscriptions: Vec<ShownSubscription>,
}

/// A Subscription that every device is to have.
#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
pub(super) struct ShownSubscription {
    name: String,
    /// The `NotifType`.
    #[serde(rename = "type")]
    notif_type: String,
    references: Vec<String>,
    /// Whether it is the server's own, which stays as it is.
    built_in: bool,
    /// When it was made, in milliseconds since 1970; 0 for one of the server's own.
    created: i64,
}

/// A Subscription that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionWish)]
pub(super) struct Wish {
    /// The `NotifType`.
    #[serde(rename = "type")]
    #[schema(schema_with = notif_type)]
    notif_type: String,
    /// Paths that it is about.
    #[schema(schema_with = references)]
    references: Vec<String>,
}

/// The products whose supported data model is known.
#[derive(Serialize, ToSchema)]
pub(super) struct Models {
    models: Vec<ModelEntry>,
}

/// Let a device in that waits for it.
///
/// It is named by its whole Endpoint ID or its alias; a part is not enough.
#[utoipa::path(post, path = "/api/v1/devices/{device}/approve", tag = "devices", params(OfDevice), responses(
    (status = 200, description = "The device", body = Shown),
))]
pub(super) async fn approve(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfDevice>,
) -> Answer<Json<Shown>> {
    let known = platform.inventory.find(of.device.clone()).await?;
    // Whoever wants to be taken for somebody who is not there yet calls itself much like it.
    if known.endpoint_id != of.device && known.alias.as_ref() != Some(&of.device) {
        let detail = format!(
            "no device has this name, but {} has it as a part of its own; to let that one in, give its whole Endpoint ID",
            known.endpoint_id
        );
        let problem = Problem::new(StatusCode::NOT_FOUND, detail);
        return Err(problem.of_kind(Kind::NoSuchDevice));
    }
    trail.target(&known.endpoint_id);
    let waited = platform.onboarding.is_pending(&known.endpoint_id);
    platform.onboarding.approve(&known.endpoint_id).await?;
    // It was there before; from now on that is an event of it.
    if waited
        && let Ok(agent) = EndpointId::from_wire(&known.endpoint_id)
        && platform.controller.is_online(&agent)
        && let Some(Ok(remote)) = known.remote_address.as_deref().map(str::parse)
    {
        platform.presences.online(&known.endpoint_id, remote);
    }
    if !known.proven {
        trail.what(["without proof of its Endpoint ID"]);
    }
    let device = platform.inventory.find(known.endpoint_id).await?;
    Ok(Json(devices::shown(&platform, device)))
}

/// List the Subscriptions that every device is to have.
#[utoipa::path(get, path = "/api/v1/subscriptions", tag = "subscriptions", responses(
    (status = 200, description = "All of them", body = Subscriptions),
))]
pub(super) async fn subscriptions(
    State(platform): State<Arc<Platform>>,
) -> Answer<Json<Subscriptions>> {
    let subscriptions = platform.onboarding.subscriptions().await?;
    Ok(Json(Subscriptions {
        subscriptions: subscriptions.into_iter().map(shown).collect(),
    }))
}

/// Have every device keep a Subscription.
#[utoipa::path(put, path = "/api/v1/subscriptions/{name}", tag = "subscriptions",
    params(("name" = String, Path, description = "Its name", pattern = "^[A-Za-z0-9_.-]{1,48}$")), request_body = Wish,
    responses((status = 200, description = "The Subscription", body = ShownSubscription)))]
pub(super) async fn put_subscription(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(name): InPath<String>,
    body: Body,
) -> Answer<Json<ShownSubscription>> {
    let wish: Wish = read(&body_of(body).await?)?;
    let kind: NotificationKind = wish
        .notif_type
        .parse()
        .map_err(|error| Problem::bad_request(format!("type: {error}")))?;
    trail.what([kind.as_str()]);
    trail.what(&wish.references);
    let subscription = Subscription {
        name,
        notif_type: kind.as_str().to_owned(),
        references: wish.references,
        created: now(),
    };
    let kept = platform.onboarding.put_subscription(subscription).await?;
    Ok(Json(shown(kept)))
}

/// Take a Subscription away from every device.
#[utoipa::path(delete, path = "/api/v1/subscriptions/{name}", tag = "subscriptions",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone")))]
pub(super) async fn remove_subscription(
    State(platform): State<Arc<Platform>>,
    InPath(name): InPath<String>,
) -> Answer<StatusCode> {
    platform.onboarding.remove_subscription(name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the products whose supported data model is known.
#[utoipa::path(get, path = "/api/v1/models", tag = "devices", responses(
    (status = 200, description = "All of them", body = Models),
))]
pub(super) async fn models(State(platform): State<Arc<Platform>>) -> Answer<Json<Models>> {
    let models = platform.onboarding.models().list().await?;
    Ok(Json(Models { models }))
}

/// Nothing is asked of a device that nobody has let in.
pub(super) fn must_be_approved(platform: &Platform, device: &Device) -> Answer<()> {
    let id = &device.endpoint_id;
    if device.state == DeviceState::Approved && !platform.onboarding.is_pending(id) {
        return Ok(());
    }
    let detail = format!("{id} waits to be approved: `usphere devices approve {id}` lets it in");
    Err(Problem::new(StatusCode::CONFLICT, detail).of_kind(Kind::NotApproved))
}

/// What need not be asked of the device, since it is known what its product can do.
pub(super) async fn known(
    platform: &Platform,
    device: &Device,
    operation: &Operation,
    headers: &HeaderMap,
    is_fresh: bool,
) -> Answer<Option<Response>> {
    let Operation::SupportedModel(request) = operation else {
        return Ok(None);
    };
    let Some(product) = Product::of(&device.description) else {
        return Ok(None);
    };
    let models = platform.onboarding.models();
    if is_fresh || wants_fresh(headers) {
        // What is known is kept where nobody can tell it anew.
        if let Ok(agent) = EndpointId::from_wire(&device.endpoint_id)
            && platform.controller.is_online(&agent)
        {
            models.forget(product).await?;
            platform.onboarding.check(agent);
        }
        return Ok(None);
    }
    let answer = models.answer(&product, &device.endpoint_id, request).await;
    let Some((outcome, fetched)) = answer else {
        return Ok(None);
    };
    let mut response = Json(outcome).into_response();
    let age = now().saturating_sub(fetched).max(0) / 1000;
    response
        .headers_mut()
        .insert(header::AGE, HeaderValue::from(age));
    Ok(Some(response))
}

fn wants_fresh(headers: &HeaderMap) -> bool {
    headers.get_all(header::CACHE_CONTROL).iter().any(|value| {
        let mut wishes = value.to_str().unwrap_or_default().split(',');
        wishes.any(|wish| wish.trim().eq_ignore_ascii_case("no-cache"))
    })
}

fn shown(kept: Kept) -> ShownSubscription {
    let Subscription {
        name,
        notif_type,
        references,
        created,
    } = kept.subscription;
    ShownSubscription {
        name,
        notif_type,
        references,
        built_in: kept.is_built_in,
        created,
    }
}
