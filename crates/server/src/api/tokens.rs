//! Tokens of the API. The secret of one is told once, when it is made.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer, Serialize};
use usphere_datamodel::operation::whole;
use usphere_store::{Milliseconds, Scope};
use utoipa::ToSchema;

use super::kind::Kind;
use super::parameters::InPath;
use super::problem::{Answer, Problem};
use super::{Platform, body_of, read};
use crate::audit::Trail;
use crate::inventory::now;
use crate::limits::TOKEN_SECONDS_MAX;
use crate::tokens::{Caller, NotMade, ROOT};

/// A token, without its secret. Times are milliseconds since 1970.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct Shown {
    name: String,
    /// What it allows; `null` where that is damaged, and the token is not taken.
    scope: Option<Scope>,
    created: Milliseconds,
    /// Who made it.
    created_by: String,
    /// From when on it is not taken any more; `null` for never.
    expires: Option<Milliseconds>,
    /// When it was last used, give or take a minute.
    last_used: Option<Milliseconds>,
}

/// All tokens but the one of the data folder.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenList)]
pub(super) struct List {
    tokens: Vec<Shown>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeToken)]
pub(super) struct Made {
    /// What is sent as `Authorization: Bearer TOKEN`. It is told here and never again.
    token: String,
    #[serde(flatten)]
    shown: Shown,
}

/// The token that the request showed.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnToken)]
pub(super) struct Own {
    /// `root` for the one of the data folder.
    name: String,
    scope: Scope,
    expires: Option<Milliseconds>,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub(super) struct New {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._@-]+$")]
    name: String,
    scope: Scope,
    /// After how many seconds it is not taken any more; never where not given.
    #[serde(default, deserialize_with = "seconds")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    expires_in: Option<u64>,
}

/// List the tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses(
    (status = 200, description = "The tokens, without their secrets", body = List),
))]
pub(super) async fn list(State(platform): State<Arc<Platform>>) -> Answer<Json<List>> {
    let tokens = platform.tokens.list().await?;
    Ok(Json(List {
        tokens: tokens.into_iter().map(shown).collect(),
    }))
}

/// Make a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = New, responses(
    (status = 201, description = "The token, with its secret", body = Made),
    (status = 409, description = "There is one with this name, or there are too many", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn make(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    Extension(trail): Extension<Trail>,
    body: Body,
) -> Answer<(StatusCode, Json<Made>)> {
    let new: New = read(&body_of(body).await?)?;
    trail.target(&new.name);
    trail.what([new.scope.name()]);
    if new.name == ROOT {
        let detail = "the name \"root\" is that of the token in the data folder; choose another";
        return Err(Problem::new(StatusCode::CONFLICT, detail).of_kind(Kind::TokenNameTaken));
    }
    let expires = match new.expires_in {
        None => None,
        Some(seconds @ 1..=TOKEN_SECONDS_MAX) => {
            let milliseconds = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
            Some(now().saturating_add(milliseconds))
        }
        Some(seconds) => {
            return Err(Problem::bad_request(format!(
                "expires_in: {seconds}, 1 to {TOKEN_SECONDS_MAX} seconds are allowed"
            )));
        }
    };
    let made = platform.tokens.make(new.name, new.scope, expires, &caller);
    let (token, row) = made.await.map_err(|error| match error {
        NotMade::Random(error) => {
            tracing::error!(%error, "a token could not be made");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
        NotMade::Store(error) => error.into(),
    })?;
    let shown = shown(row);
    Ok((StatusCode::CREATED, Json(Made { token, shown })))
}

/// Revoke a token.
///
/// Whoever shows it is refused from now on, and live streams that it opened end.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "tokens",
    params(("name" = String, Path, description = "The name of the token")),
    responses((status = 204, description = "It is revoked"), (status = 404, description = "There is none with this name", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke(
    State(platform): State<Arc<Platform>>,
    InPath(name): InPath<String>,
) -> Answer<StatusCode> {
    platform.tokens.revoke(name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell whose token this is, and what it allows.
#[utoipa::path(get, path = "/api/v1/token", tag = "tokens", responses(
    (status = 200, description = "The token that was shown", body = Own),
))]
pub(super) async fn own(Extension(caller): Extension<Caller>) -> Json<Own> {
    Json(Own {
        name: caller.name.as_ref().to_owned(),
        scope: caller.scope,
        expires: caller.expires,
    })
}

/// A number of seconds, if there is one.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Seconds(#[serde(deserialize_with = "whole")] u64);
    let given: Option<Seconds> = Option::deserialize(deserializer)?;
    Ok(given.map(|Seconds(seconds)| seconds))
}

fn shown(token: usphere_store::Token) -> Shown {
    Shown {
        name: token.name,
        scope: token.scope,
        created: token.created,
        created_by: token.created_by,
        expires: token.expires,
        last_used: token.last_used,
    }
}
