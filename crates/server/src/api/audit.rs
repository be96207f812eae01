//! Who changed what, for those who have to know.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use usphere_store::{AuditEntry, AuditQuery, Milliseconds};
use utoipa::{IntoParams, ToSchema};

use super::Platform;
use super::parameters::{Cursor, InQuery, limit};
use super::problem::Answer;
use crate::limits::PAGE_AUDIT;
use crate::operations::Number;

/// Somebody changed something, or tried to.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Shown {
    /// Its number; later ones have higher numbers.
    id: i64,
    /// When, in milliseconds since 1970.
    at: Milliseconds,
    /// The name of the token that was shown; `root` for the one of the data folder.
    actor: String,
    /// From which address.
    remote: Option<String>,
    /// What was done: a verb, `device.change`, `device.remove`, `token.create` and so on.
    action: String,
    /// To what: the Endpoint ID of a device, the name of a token, an Operation.
    target: String,
    /// What exactly, without values.
    what: String,
    /// The Operation that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The status that it was answered with. Without one it is not known what came of it: the server ended, or the
    /// caller went away.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

/// A page of the audit, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(super) struct Page {
    audit: Vec<Shown>,
    /// What to give as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only what was done with the token of this name.
    actor: Option<String>,
    /// Only what is called this.
    action: Option<String>,
    /// Only what was done to this device (an Endpoint ID, an alias or a part of one), token or Operation.
    target: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^([0-9]{1,18})?$")]
    after: Option<Cursor>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
}

/// List who changed what, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(PageQuery), responses(
    (status = 200, description = "A page of the audit", body = Page),
))]
pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    InQuery(query): InQuery<PageQuery>,
) -> Answer<Json<Page>> {
    let target = match query.target {
        // What is no device now may have been one, or is something else.
        Some(target) => match platform.inventory.find(target.clone()).await {
            Ok(device) => Some(device.endpoint_id),
            Err(_) => Some(target),
        },
        None => None,
    };
    let wanted = AuditQuery {
        actor: query.actor,
        action: query.action,
        target,
        before: Cursor::number(query.after)?,
    };
    let limit = query.limit.unwrap_or(PAGE_AUDIT);
    let listing = platform.audit.list(wanted, limit).await?;
    Ok(Json(Page {
        audit: listing.entries.into_iter().map(shown).collect(),
        next: listing.next.map(|number| number.to_string()),
    }))
}

fn shown(AuditEntry { id, entry }: AuditEntry) -> Shown {
    Shown {
        id,
        at: entry.at,
        actor: entry.actor,
        remote: entry.remote,
        action: entry.action,
        target: entry.target,
        what: entry.what,
        operation: entry.operation.map(|number| Number(number).to_string()),
        status: entry.status,
    }
}
