//! The Broadband Forum's USP Controller API (version 1.0), as a second face for software that was written for it.
//!
//! What it calls a Service Element is an object of the data model, by its supported path without instance numbers
//! (`Device.WiFi.SSID`); an identifier with unique keys names one row of it. An action is a command with its `()`.
//! Two Agents are associated where both have the same tag that begins with `site=`.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use usphere_datamodel::operation::{
    Add, AddStatus, Delete, DeleteStatus, Get, GetStatus, ObjectSettings, Operate, OperateOutcome,
    OperateStatus, Operation, Outcome, Set, SetStatus, Setting,
};
use usphere_proto::EndpointId;

use self::shapes::{
    Action, Argument, Associated, Create, Details, Element, Identifier, Mtp, NewElement, OfAgent,
    OfElement, OfRequest, Property, Reachable, Results, RowIdentifier, Started, Status,
};
use super::operations::{carry_out, kept_by};
use super::parameters::InPath;
use super::problem::{Answer, Problem};
use super::{Platform, body_of, devices, read};
use crate::audit::Trail;
use crate::limits::ASSOCIATED_MAX;
use crate::tokens::Caller;

/// What a tag begins with that all Agents of one home have.
const SITE: &str = "site=";

/// Make an Agent known before it connects.
#[utoipa::path(post, path = "/bbf/v2/agents", tag = "agents", operation_id = "create", request_body = Create, responses(
    (status = 201, description = "It is known"),
))]
pub(super) async fn create(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    body: Body,
) -> Answer<Response> {
    let create: Create = read(&body_of(body).await?)?;
    let (id, details) = create.parts();
    let id = EndpointId::parse(&id)
        .map_err(|error| Problem::bad_request(format!("endpointID: {error}")))?;
    trail.target(id.as_str());
    unsettable(&details, None)?;
    platform.inventory.expect(id.as_str()).await?;
    let mut response = StatusCode::CREATED.into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/bbf/v2/agents/{}", id.as_str())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Tell how an Agent is reached.
#[utoipa::path(get, path = "/bbf/v2/agents/{endpointID}", tag = "agents", operation_id = "show",
    params(OfAgent),
    responses((status = 200, description = "How it is reached", body = Details)))]
pub(super) async fn show(
    State(platform): State<Arc<Platform>>,
    InPath(of): InPath<OfAgent>,
) -> Answer<Json<Details>> {
    let known = platform.inventory.find(of.id).await?;
    Ok(Json(Details {
        mtp_to_use: known.last_mtp.is_some().then_some(Mtp::WebSockets),
        communications_address: known.remote_address,
        supported_service_elements: None,
    }))
}

/// Change how an Agent is reached, as far as that can be changed: not.
///
/// What is as it is already is taken.
#[utoipa::path(put, path = "/bbf/v2/agents/{endpointID}", tag = "agents", operation_id = "update",
    params(OfAgent), request_body = Details,
    responses((status = 204, description = "It is so")))]
pub(super) async fn update(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    body: Body,
) -> Answer<StatusCode> {
    let details: Details = read(&body_of(body).await?)?;
    let known = platform.inventory.find(of.id).await?;
    trail.target(&known.endpoint_id);
    unsettable(&details, known.remote_address.as_deref())?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forget an Agent.
#[utoipa::path(delete, path = "/bbf/v2/agents/{endpointID}", tag = "agents", operation_id = "remove",
    params(OfAgent),
    responses((status = 204, description = "It is forgotten")))]
pub(super) async fn remove(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
) -> Answer<StatusCode> {
    devices::forget(&platform, &trail, of.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell whether an Agent can be asked.
#[utoipa::path(get, path = "/bbf/v2/agents/{endpointID}/status", tag = "agents", operation_id = "status",
    params(OfAgent),
    responses((status = 200, description = "Whether it can", body = Status)))]
pub(super) async fn status(
    State(platform): State<Arc<Platform>>,
    InPath(of): InPath<OfAgent>,
) -> Answer<Json<Status>> {
    let known = platform.inventory.find(of.id).await?;
    let is_online = devices::is_online(&platform.controller, &known.endpoint_id);
    Ok(Json(Status {
        communications_status: match is_online {
            true => Reachable::Available,
            false => Reachable::Unavailable,
        },
    }))
}

/// List the Agents of the same home: those with the same tag that begins with `site=`.
#[utoipa::path(get, path = "/bbf/v2/agents/{endpointID}/associatedAgents", tag = "agents", operation_id = "associated",
    params(OfAgent),
    responses((status = 200, description = "The others", body = Associated)))]
pub(super) async fn associated(
    State(platform): State<Arc<Platform>>,
    InPath(of): InPath<OfAgent>,
) -> Answer<Json<Associated>> {
    let known = platform.inventory.find(of.id).await?;
    let mut others = BTreeSet::new();
    for tag in known.tags.into_iter().filter(|tag| tag.starts_with(SITE)) {
        others.extend(platform.inventory.tagged(tag, ASSOCIATED_MAX).await?);
    }
    others.remove(&known.endpoint_id);
    Ok(Json(Associated {
        output_args: others.into_iter().collect(),
    }))
}

/// Add a row to a table of an Agent.
#[utoipa::path(post, path = "/bbf/v2/agents/{endpointID}/serviceElements", tag = "agents", operation_id = "add",
    params(OfAgent), request_body = NewElement,
    responses((status = 201, description = "It is added")))]
pub(super) async fn add(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    body: Body,
) -> Answer<StatusCode> {
    let element: NewElement = read(&body_of(body).await?)?;
    let values = [element.identifier.unique_key_list, element.property_list];
    let operation = Operation::Add(Add {
        objects: vec![ObjectSettings {
            path: object(&element.name),
            parameters: settings(values.into_iter().flatten()),
        }],
        allow_partial: false,
    });
    let Outcome::Add(outcome) = carry_out(&platform, &trail, of.id, operation).await?.1 else {
        return Err(unexpected());
    };
    let mut failed = outcome
        .results
        .into_iter()
        .filter_map(|result| match result.status {
            AddStatus::Created(_) => None,
            AddStatus::Failed(failure) => Some(refused(failure.code, &failure.text)),
        });
    failed.next().map_or(Ok(StatusCode::CREATED), Err)
}

/// Read an object of an Agent, or one row of a table.
#[utoipa::path(get, path = "/bbf/v2/agents/{endpointID}/serviceElements/{name}", tag = "agents", operation_id = "read",
    params(OfAgent, OfElement),
    request_body = Identifier,
    responses((status = 200, description = "Its values", body = Element)))]
pub(super) async fn get(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    InPath(OfElement { name }): InPath<OfElement>,
    body: Body,
) -> Answer<Json<Element>> {
    let identifier: Identifier = identifier(body).await?;
    let operation = Operation::Get(Get {
        paths: vec![row(&name, &identifier.unique_key_list)],
        max_depth: 1,
    });
    let Outcome::Get(outcome) = carry_out(&platform, &trail, of.id, operation).await?.1 else {
        return Err(unexpected());
    };
    let mut found = Vec::new();
    for result in outcome.results {
        match result.status {
            GetStatus::Failed(failure) => return Err(refused(failure.code, &failure.text)),
            GetStatus::Found(objects) => found.extend(objects),
        }
    }
    match (found.pop(), found.pop()) {
        (None, _) => Err(nothing(&name)),
        (Some(_), Some(_)) => Err(Problem::bad_request(format!(
            "{name}: there are several; name one by its unique keys"
        ))),
        (Some(object), None) => Ok(Json(Element {
            identifier,
            property_list: properties(object.parameters),
        })),
    }
}

/// Write values of an object of an Agent, or of one row of a table.
#[utoipa::path(patch, path = "/bbf/v2/agents/{endpointID}/serviceElements/{name}", tag = "agents", operation_id = "write",
    params(OfAgent, OfElement),
    request_body = Element,
    responses((status = 204, description = "They are written")))]
pub(super) async fn set(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    InPath(OfElement { name }): InPath<OfElement>,
    body: Body,
) -> Answer<StatusCode> {
    let element: Element = read(&body_of(body).await?)?;
    let operation = Operation::Set(Set {
        objects: vec![ObjectSettings {
            path: row(&name, &element.identifier.unique_key_list),
            parameters: settings(element.property_list.into_iter()),
        }],
        allow_partial: false,
    });
    let Outcome::Set(outcome) = carry_out(&platform, &trail, of.id, operation).await?.1 else {
        return Err(unexpected());
    };
    let mut is_written = false;
    for result in outcome.results {
        match result.status {
            SetStatus::Failed(failure) => return Err(refused(failure.code, &failure.text)),
            SetStatus::Updated(updated) => is_written |= !updated.is_empty(),
        }
    }
    something(is_written, &name)
}

/// Delete a row of a table of an Agent.
#[utoipa::path(delete, path = "/bbf/v2/agents/{endpointID}/serviceElements/{name}", tag = "agents", operation_id = "delete",
    params(OfAgent, OfElement),
    request_body = RowIdentifier,
    responses((status = 204, description = "It is deleted")))]
pub(super) async fn delete(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    InPath(OfElement { name }): InPath<OfElement>,
    body: Body,
) -> Answer<StatusCode> {
    let identifier: RowIdentifier = identifier(body).await?;
    if identifier.unique_key_list.is_empty() {
        let detail = "uniqueKeyList: at least one key is expected; all rows are never deleted";
        return Err(Problem::bad_request(detail));
    }
    let operation = Operation::Delete(Delete {
        paths: vec![row(&name, &identifier.unique_key_list)],
        allow_partial: false,
    });
    let Outcome::Delete(outcome) = carry_out(&platform, &trail, of.id, operation).await?.1 else {
        return Err(unexpected());
    };
    let mut is_deleted = false;
    for result in outcome.results {
        match result.status {
            DeleteStatus::Failed(failure) => return Err(refused(failure.code, &failure.text)),
            DeleteStatus::Deleted(deleted) => is_deleted |= !deleted.paths.is_empty(),
        }
    }
    something(is_deleted, &name)
}

/// Run a command on an Agent.
#[utoipa::path(post, path = "/bbf/v2/agents/{endpointID}/commands", tag = "agents", operation_id = "run",
    params(OfAgent), request_body = Action,
    responses(
        (status = 201, description = "It was started, and goes on", body = Started),
        (status = 202, description = "It is done", body = Results),
    ))]
pub(super) async fn run(
    State(platform): State<Arc<Platform>>,
    Extension(trail): Extension<Trail>,
    InPath(of): InPath<OfAgent>,
    body: Body,
) -> Answer<Response> {
    let action: Action = read(&body_of(body).await?)?;
    let arguments = action.input_args.into_iter();
    let operation = Operation::Operate(Operate {
        arguments: arguments
            .map(|argument| (argument.arg_name, argument.arg_value))
            .collect(),
        ..Operate::new(action.name)
    });
    let (number, outcome) = carry_out(&platform, &trail, of.id, operation).await?;
    let Outcome::Operate(outcome) = outcome else {
        return Err(unexpected());
    };
    Ok(match results(outcome)? {
        Some(output) => (StatusCode::ACCEPTED, Json(given(Some(output)))).into_response(),
        None => {
            let async_request_id = number.to_string();
            (StatusCode::CREATED, Json(Started { async_request_id })).into_response()
        }
    })
}

/// Tell what a command that was started gave.
///
/// While it runs there are no `outputArgs`. Without the scope `operate`, secrets among them are hidden.
#[utoipa::path(get, path = "/bbf/v2/agents/{endpointID}/commands/{asyncRequestID}", tag = "agents", operation_id = "results",
    params(OfAgent, OfRequest),
    responses((status = 200, description = "What it gave", body = Results)))]
pub(super) async fn ended(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InPath(of): InPath<OfAgent>,
    InPath(OfRequest { request }): InPath<OfRequest>,
) -> Answer<Json<Results>> {
    let known = platform.inventory.find(of.id).await?;
    let no_request = || {
        Problem::bad_request(format!(
            "{request}: no command was started under it, or it is kept no longer"
        ))
    };
    let number = request.parse().map_err(|_| no_request())?;
    let kept = platform.operations.find(number).await?;
    let kept = kept.filter(|row| row.device == known.endpoint_id && row.kind == "operate");
    match kept_by(&kept.ok_or_else(no_request)?, &caller)? {
        Some(Outcome::Operate(outcome)) => Ok(Json(given(results(outcome)?))),
        _ => Ok(Json(given(None))),
    }
}

/// An identifier; none where the body is empty, which not every client can send with these methods.
async fn identifier<T: Default + DeserializeOwned>(body: Body) -> Answer<T> {
    match body_of(body).await?.as_slice() {
        [] => Ok(T::default()),
        body => read(body),
    }
}

/// Refuses what the server cannot do for an Agent that connects from `address`.
fn unsettable(details: &Details, address: Option<&str>) -> Answer<()> {
    let is_as_it_is = details
        .communications_address
        .as_deref()
        .is_none_or(|wanted| Some(wanted) == address);
    let reason = if details.mtp_to_use.is_some_and(|mtp| mtp != Mtp::WebSockets) {
        "mtpToUse: only WebSockets is spoken here"
    } else if !is_as_it_is {
        "communicationsAddress: Agents connect to this server; it does not connect to them"
    } else if details.supported_service_elements.is_some() {
        "supportedServiceElements: the device says what it supports"
    } else {
        return Ok(());
    };
    Err(Problem::bad_request(reason))
}

/// The object path of a Service Element.
fn object(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// The path of a Service Element, or of the row that has these keys.
fn row(name: &str, keys: &[Property]) -> String {
    let mut path = object(name);
    for (place, key) in keys.iter().enumerate() {
        path += if place == 0 { "[" } else { "&&" };
        let value = key.element_value.replace('%', "%25").replace('"', "%22");
        // Writing to a String does not fail.
        let _ = write!(path, "{}==\"{value}\"", key.element_property);
    }
    if !keys.is_empty() {
        path += "].";
    }
    path
}

fn settings(properties: impl Iterator<Item = Property>) -> Vec<Setting> {
    properties
        .map(|property| Setting::required(property.element_property, property.element_value))
        .collect()
}

fn properties(parameters: BTreeMap<String, String>) -> Vec<Property> {
    let properties = parameters.into_iter();
    properties
        .map(|(element_property, element_value)| Property {
            element_property,
            element_value,
        })
        .collect()
}

/// The output of a command; none while it runs somewhere.
fn results(outcome: OperateOutcome) -> Answer<Option<Vec<Argument>>> {
    let mut all = Vec::new();
    for result in outcome.results {
        match result.status {
            OperateStatus::Completed(output) => {
                let output = output.into_iter();
                all.extend(output.map(|(arg_name, arg_value)| Argument {
                    arg_name,
                    arg_value,
                }));
            }
            OperateStatus::Failed(failure) => return Err(refused(failure.code, &failure.text)),
            OperateStatus::Started(_) => return Ok(None),
        }
    }
    Ok(Some(all))
}

fn given(output_args: Option<Vec<Argument>>) -> Results {
    Results { output_args }
}

fn refused(code: u32, text: &str) -> Problem {
    Problem::bad_request(format!("the device refused: {text} (code {code})"))
}

/// That a change is done, where it met anything at all.
fn something(is_done: bool, name: &str) -> Answer<StatusCode> {
    match is_done {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(nothing(name)),
    }
}

fn nothing(name: &str) -> Problem {
    Problem::bad_request(format!("{name}: nothing there has these unique keys"))
}

fn unexpected() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "the device answered something else than what it was asked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_its_keys_whatever_is_in_them() {
        let key = |name: &str, value: &str| Property {
            element_property: name.into(),
            element_value: value.into(),
        };
        let keys = [key("Alias", "a\"]b"), key("Name", "100%")];
        assert_eq!(row("Device.WiFi.SSID", &[]), "Device.WiFi.SSID.");
        assert_eq!(
            row("Device.WiFi.SSID.", &keys),
            "Device.WiFi.SSID.[Alias==\"a%22]b\"&&Name==\"100%25\"]."
        );
    }
}
