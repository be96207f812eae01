//! Who may ask for what, how often, and what of it is written down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use usphere_store::{NewAuditEntry, Scope};

use super::kind::Kind;
use super::{Platform, Problem};
use crate::audit::Trail;
use crate::forwarded::Remote;
use crate::inventory::now;
use crate::places::NoPlace;
use crate::rate;
use crate::tokens::{Caller, Shown};

/// The path of a verb.
pub(super) const VERB: &str = "/api/v1/devices/{device}/{verb}";

/// Changes nothing, though it has a body.
const FLEET_GET: &str = "/api/v1/fleet/get";

/// A route that changes something.
struct Change {
    method: Method,
    path: &'static str,
    scope: Scope,
    /// What the audit calls it.
    action: &'static str,
}

/// Every route that changes something. One that is not here needs the scope `admin`.
const CHANGES: &[Change] = &[
    change(
        Method::PATCH,
        "/api/v1/devices/{device}",
        Scope::Operate,
        "device.change",
    ),
    change(
        Method::DELETE,
        "/api/v1/devices/{device}",
        Scope::Admin,
        "device.remove",
    ),
    change(
        Method::PUT,
        "/api/v1/devices/{device}/tags/{tag}",
        Scope::Operate,
        "device.tag",
    ),
    change(
        Method::DELETE,
        "/api/v1/devices/{device}/tags/{tag}",
        Scope::Operate,
        "device.untag",
    ),
    change(
        Method::POST,
        "/api/v1/devices/{device}/add",
        Scope::Operate,
        "add",
    ),
    change(
        Method::POST,
        "/api/v1/devices/{device}/delete",
        Scope::Operate,
        "delete",
    ),
    change(
        Method::POST,
        "/api/v1/devices/{device}/operate",
        Scope::Operate,
        "operate",
    ),
    change(
        Method::POST,
        "/api/v1/devices/{device}/set",
        Scope::Operate,
        "set",
    ),
    change(
        Method::POST,
        "/api/v1/devices/{device}/approve",
        Scope::Admin,
        "device.approve",
    ),
    change(
        Method::PUT,
        "/api/v1/subscriptions/{name}",
        Scope::Admin,
        "subscription.put",
    ),
    change(
        Method::DELETE,
        "/api/v1/subscriptions/{name}",
        Scope::Admin,
        "subscription.remove",
    ),
    change(
        Method::POST,
        "/api/v1/reload",
        Scope::Admin,
        "server.reload",
    ),
    change(
        Method::DELETE,
        "/api/v1/operations/{id}",
        Scope::Operate,
        "operation.cancel",
    ),
    change(
        Method::POST,
        "/bbf/v2/agents",
        Scope::Admin,
        "device.create",
    ),
    change(
        Method::PUT,
        "/bbf/v2/agents/{endpointID}",
        Scope::Operate,
        "device.change",
    ),
    change(
        Method::DELETE,
        "/bbf/v2/agents/{endpointID}",
        Scope::Admin,
        "device.remove",
    ),
    change(
        Method::POST,
        "/bbf/v2/agents/{endpointID}/serviceElements",
        Scope::Operate,
        "add",
    ),
    change(
        Method::PATCH,
        "/bbf/v2/agents/{endpointID}/serviceElements/{name}",
        Scope::Operate,
        "set",
    ),
    change(
        Method::DELETE,
        "/bbf/v2/agents/{endpointID}/serviceElements/{name}",
        Scope::Operate,
        "delete",
    ),
    change(
        Method::POST,
        "/bbf/v2/agents/{endpointID}/commands",
        Scope::Operate,
        "operate",
    ),
    change(Method::POST, "/api/v1/tokens", Scope::Admin, "token.create"),
    change(
        Method::DELETE,
        "/api/v1/tokens/{name}",
        Scope::Admin,
        "token.revoke",
    ),
];

/// What reading needs more than the scope `read` for, or less.
const READS: [(&str, Scope); 4] = [
    ("/api/v1/audit", Scope::Admin),
    ("/api/v1/token", Scope::Metrics),
    ("/api/v1/tokens", Scope::Admin),
    ("/metrics", Scope::Metrics),
];

const fn change(method: Method, path: &'static str, scope: Scope, action: &'static str) -> Change {
    Change {
        method,
        path,
        scope,
        action,
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Need {
    pub(super) scope: Scope,
    /// What the audit calls it; none where nothing is changed.
    pub(super) action: Option<&'static str>,
}

/// What a request to this route needs. `path` is that of the route, with the verb where one stands.
pub(super) fn need(method: &Method, path: &str) -> Need {
    let read = |scope| Need {
        scope,
        action: None,
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        let special = READS.iter().find(|(special, _)| *special == path);
        return read(special.map_or(Scope::Read, |(_, scope)| *scope));
    }
    let found = CHANGES
        .iter()
        .find(|change| change.method == *method && change.path == path);
    match found {
        Some(change) => Need {
            scope: change.scope,
            action: Some(change.action),
        },
        // Verbs that change nothing, and what is no verb.
        None if *method == Method::POST && (is_verb(path) || path == FLEET_GET) => {
            read(Scope::Read)
        }
        None => Need {
            scope: Scope::Admin,
            action: Some("other"),
        },
    }
}

fn is_verb(path: &str) -> bool {
    let verb = path.strip_prefix("/api/v1/devices/{device}/");
    verb.is_some_and(|verb| !verb.contains('/'))
}

/// Finds out who asks, and lets nobody ask too often.
pub(super) async fn admit(
    State(platform): State<Arc<Platform>>,
    mut request: Request,
    next: Next,
) -> Response {
    let shown = platform.tokens.recognise(shown_token(request.headers()));
    let caller = match &shown {
        Shown::Caller(caller) => rate::Caller::Token(caller.id),
        Shown::Expired { .. } | Shown::Nothing | Shown::Unknown => {
            let remote: Option<&Remote> = request.extensions().get();
            remote.map_or(rate::Caller::Address(None), |remote| {
                rate::Caller::at(remote.address)
            })
        }
    };
    if let Err(wait) = platform.rates.take(caller, Instant::now()) {
        return too_often(wait);
    }
    let place = match &shown {
        Shown::Caller(caller) => caller.request_place(),
        Shown::Expired { .. } | Shown::Nothing | Shown::Unknown => Ok(None),
    };
    let place = match place {
        Ok(place) => place.map(Arc::new),
        Err(why) => return too_many(why),
    };
    request.extensions_mut().insert(shown);
    let mut response = next.run(request).await;
    if let Some(place) = place {
        // For whoever sends the answer: it is under way until it has ended.
        response.extensions_mut().insert(place);
    }
    response
}

/// Lets nobody through without a token that allows it, and writes down what is changed.
pub(super) async fn allow(
    State(platform): State<Arc<Platform>>,
    matched: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let parameters = RawPathParams::from_request_parts(&mut parts, &()).await;
    // What cannot be decoded is refused by the handler.
    let parameter = |wanted: &str| {
        let mut all = parameters.as_ref().ok()?.iter();
        all.find(|(name, _)| *name == wanted)
            .map(|(_, value)| value)
    };
    let path = match (matched.as_str(), parameter("verb")) {
        (VERB, Some(verb)) => VERB.replace("{verb}", verb),
        (path, _) => path.to_owned(),
    };
    let need = need(&parts.method, &path);
    let caller = match parts.extensions.get() {
        Some(Shown::Caller(caller)) => caller.clone(),
        Some(Shown::Expired { name, expires }) => return expired(name, *expires),
        Some(Shown::Unknown) => {
            let detail = "the token is none of this server, or was revoked; the server's own is in the file `token` of its data folder";
            let challenge = "Bearer error=\"invalid_token\"";
            return unauthorized(Kind::TokenUnknown, challenge, detail);
        }
        Some(Shown::Nothing) | None => {
            let detail = "a valid token is needed, as `Authorization: Bearer TOKEN`; the server's own is in the file `token` of its data folder";
            return unauthorized(Kind::TokenMissing, "Bearer", detail);
        }
    };
    let entry = need.action.map(|action| {
        let first = parameters.as_ref().ok().and_then(|all| all.iter().next());
        let remote: Option<&Remote> = parts.extensions.get();
        NewAuditEntry {
            at: now(),
            actor: caller.name.as_ref().to_owned(),
            remote: remote.map(Remote::to_string),
            action: action.to_owned(),
            target: first.map(|(_, value)| value.to_owned()).unwrap_or_default(),
            ..NewAuditEntry::default()
        }
    });
    if caller.scope < need.scope {
        if let Some(entry) = entry {
            let entry = NewAuditEntry {
                status: Some(StatusCode::FORBIDDEN.as_u16()),
                ..entry
            };
            platform.audit.refused(&caller, entry);
        }
        return forbidden(&caller, need.scope);
    }
    let open = match entry {
        // What is not written down is not done.
        Some(entry) => match platform.audit.begin(entry).await {
            Ok(open) => Some(open),
            Err(error) => return Problem::from(error).into_response(),
        },
        None => None,
    };
    let trail = open
        .as_ref()
        .map_or_else(Trail::default, |open| open.trail());
    parts.extensions.insert(trail);
    parts.extensions.insert(caller);
    let response = next.run(Request::from_parts(parts, body)).await;
    if let Some(open) = open {
        open.answered(response.status().as_u16());
    }
    response
}

fn shown_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn expired(name: &str, expires: i64) -> Response {
    let seconds = now().saturating_sub(expires) / 1000;
    let detail = format!("the token {name:?} expired {seconds} s ago; have another made");
    unauthorized(
        Kind::TokenExpired,
        "Bearer error=\"invalid_token\", error_description=\"expired\"",
        &detail,
    )
}

fn unauthorized(kind: Kind, challenge: &'static str, detail: &str) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    challenged(problem.of_kind(kind), challenge)
}

fn forbidden(caller: &Caller, needed: Scope) -> Response {
    let (name, scope, needed_name) = (&caller.name, caller.scope.name(), needed.name());
    let detail = format!("the token {name:?} has the scope {scope}, and this needs {needed_name}");
    let challenge = match needed {
        Scope::Admin => "Bearer error=\"insufficient_scope\", scope=\"admin\"",
        Scope::Metrics => "Bearer error=\"insufficient_scope\", scope=\"metrics\"",
        Scope::Operate => "Bearer error=\"insufficient_scope\", scope=\"operate\"",
        Scope::Read => "Bearer error=\"insufficient_scope\", scope=\"read\"",
    };
    let problem = Problem::new(StatusCode::FORBIDDEN, detail);
    challenged(problem.of_kind(Kind::ScopeTooSmall), challenge)
}

fn challenged(problem: Problem, challenge: &'static str) -> Response {
    let mut response = problem.into_response();
    let challenge = HeaderValue::from_static(challenge);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn too_many(why: NoPlace) -> Response {
    put_off(1, why.told("requests are under way"))
}

fn too_often(wait: Duration) -> Response {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let detail = format!("more requests than the server takes; try again in {seconds} s");
    put_off(seconds, detail)
}

fn put_off(seconds: u128, detail: String) -> Response {
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).into_response();
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_change_nothing_needs_admin() {
        let scope = |method: Method, path| need(&method, path).scope;
        assert_eq!(scope(Method::GET, "/api/v1/anything"), Scope::Read);
        assert_eq!(scope(Method::HEAD, "/api/v1/audit"), Scope::Admin);
        assert_eq!(scope(Method::POST, "/api/v1/anything"), Scope::Admin);
        assert_eq!(
            scope(Method::PUT, "/api/v1/devices/{device}/get"),
            Scope::Admin
        );
        assert_eq!(
            scope(Method::POST, "/api/v1/devices/{device}/get"),
            Scope::Read
        );
        assert_eq!(
            scope(Method::POST, "/api/v1/devices/{device}/set"),
            Scope::Operate
        );
        assert_eq!(scope(Method::POST, FLEET_GET), Scope::Read);
        let get = need(&Method::POST, "/api/v1/devices/{device}/get");
        assert_eq!(get.action, None);
    }
}
