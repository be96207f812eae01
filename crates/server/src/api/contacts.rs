//! Who tried to connect and did not get in, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Platform;
use super::parameters::{Cursor, InQuery, limit};
use super::problem::Answer;
use crate::doctor::{self, Page};
use crate::limits::PAGE_CONTACTS;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^([0-9]{1,18}-[0-9]{1,18})?$")]
    after: Option<Cursor>,
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
    let after = Cursor::read(query.after, doctor::place)?;
    let limit = query.limit.unwrap_or(PAGE_CONTACTS);
    let contacts = platform
        .doctor
        .contacts(&platform.inventory, query.device, after, limit);
    Ok(Json(contacts.await?))
}
