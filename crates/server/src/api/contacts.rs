//! Who tried to connect and did not get in, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use usphere_datamodel::limits::Clipped;
use utoipa::IntoParams;

use super::Platform;
use super::parameters::{InQuery, limit};
use super::problem::{Answer, Problem};
use crate::doctor::{self, Page};
use crate::limits::PAGE_CONTACTS;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only those after this `next` of a page.
    #[param(pattern = "^([0-9]{1,18}-[0-9]{1,18})?$")]
    after: Option<String>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
    /// A device, known or not, or an address.
    device: Option<String>,
}

/// List the contacts that failed, and why.
#[utoipa::path(get, path = "/api/v1/contacts", tag = "contacts", params(PageQuery), responses(
    (status = 200, description = "A page of contacts, those that came last first", body = Page),
))]
pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    InQuery(query): InQuery<PageQuery>,
) -> Answer<Json<Page>> {
    let after = match query.after.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(doctor::place(text).ok_or_else(|| {
            let given = Clipped::new(text);
            Problem::bad_request(format!("after: {given} is not the `next` of a page"))
        })?),
        None => None,
    };
    let limit = query.limit.unwrap_or(PAGE_CONTACTS);
    let contacts = platform
        .doctor
        .contacts(&platform.inventory, query.device, after, limit);
    Ok(Json(contacts.await?))
}
