//! What a device said: page by page, or live.

use std::collections::VecDeque;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use usphere_datamodel::limits::Clipped;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{self, ControllerEvent, ControllerHandle};

use super::Platform;
use super::problem::{Answer, Problem};
use crate::events::{Announcement, Event, Events};
use crate::http::{Endless, stopped};
use crate::limits::{PAGE_EVENTS, STREAM_ALIVE, STREAM_READ_EVENTS, STREAMS_MAX};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    after: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Page {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    after: Option<String>,
}

pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    device: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Json<Page>> {
    let Path(device) = device.map_err(|error| Problem::bad_request(error.body_text()))?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let after = number("after", query.after.as_deref(), i64::MAX)?;
    let limit = number("limit", query.limit.as_deref(), u32::MAX)?;
    let known = platform.inventory.find(device).await?;
    let (after, limit) = (after.unwrap_or_default(), limit.unwrap_or(PAGE_EVENTS));
    let events = &platform.events;
    Ok(Json(Page {
        events: events.list(&known.endpoint_id, after, limit).await?.events,
    }))
}

/// Events as they come, from after the one that the client names on: those that came meanwhile are told first.
pub(super) async fn live(
    State(platform): State<Arc<Platform>>,
    device: Result<Path<String>, PathRejection>,
    query: Result<Query<StreamQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    let Path(device) = device.map_err(|error| Problem::bad_request(error.body_text()))?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let after = number("after", query.after.as_deref(), i64::MAX)?;
    let after = last_event_id(&headers)?.or(after);
    let place = Arc::clone(&platform.streams).try_acquire_owned();
    let place = place.map_err(|_| {
        let detail = format!("{STREAMS_MAX} streams are open, and more are not allowed");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
    })?;
    let known = platform.inventory.find(device).await?;
    let follower = Follower {
        announcements: platform.events.announcements(),
        comings: platform.controller.events(),
        last: match after {
            Some(after) => after,
            None => platform.events.last().await?,
        },
        events: platform.events.clone(),
        controller: platform.controller.clone(),
        agent: EndpointId::from_wire(&known.endpoint_id).ok(),
        device: known.endpoint_id,
        read: VecDeque::new(),
        is_behind: true,
        presence: None,
        stop: platform.stopped.clone(),
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((event, follower))
    });
    let alive = KeepAlive::new().interval(STREAM_ALIVE);
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    response.extensions_mut().insert(Endless);
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Answer<Option<i64>> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let id = String::from_utf8_lossy(id.as_bytes());
    number("Last-Event-ID", Some(id.trim()), i64::MAX)
}

/// The number from 0 to `most` that `name` is given as, if it is given at all.
fn number<T>(name: &str, given: Option<&str>, most: T) -> Answer<Option<T>>
where
    T: Display + FromStr + PartialOrd + From<u8>,
{
    let Some(given) = given else {
        return Ok(None);
    };
    match given.parse() {
        Ok(number) if number >= T::from(0) && number <= most => Ok(Some(number)),
        _ => Err(Problem::bad_request(format!(
            "{name}: {} is not a number from 0 to {most}",
            Clipped::new(given)
        ))),
    }
}

/// One stream. It holds no more than one read of the store, however fast events come and however slowly
/// they are read.
struct Follower {
    events: Events,
    announcements: broadcast::Receiver<Announcement>,
    controller: ControllerHandle,
    comings: controller_host::Events,
    device: String,
    agent: Option<EndpointId>,
    /// The last event that was read.
    last: i64,
    read: VecDeque<Event>,
    /// Whether the store may have more.
    is_behind: bool,
    /// What was told of whether the device can be asked.
    presence: Option<bool>,
    stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next thing to tell; `None` when the stream ends.
    async fn next(&mut self) -> Option<Result<sse::Event, axum::Error>> {
        loop {
            if let Some(presence) = self.presence() {
                let event = sse::Event::default().event("presence");
                return Some(event.json_data(json!({"online": presence})));
            }
            if let Some(event) = self.read.pop_front() {
                let told = sse::Event::default().id(event.id.to_string());
                return Some(told.json_data(&event));
            }
            if self.is_behind {
                let read = self
                    .events
                    .list(&self.device, self.last, STREAM_READ_EVENTS);
                // Without the store there is nothing to tell; the client comes again.
                let read = read.await.ok()?;
                self.is_behind = read.last.is_some();
                self.last = read.last.unwrap_or(self.last);
                self.read = read.events.into();
                continue;
            }
            tokio::select! {
                announced = self.announcements.recv() => match announced {
                    Ok(event) => self.is_behind = event.id > self.last && *event.device == *self.device,
                    Err(RecvError::Lagged(_)) => self.is_behind = true,
                    Err(RecvError::Closed) => return None,
                },
                coming = self.comings.next() => self.came(coming?),
                () = stopped(&mut self.stop) => return None,
            }
        }
    }

    /// Whether the device can be asked, where that was not told yet.
    fn presence(&mut self) -> Option<bool> {
        if self.presence.is_some() {
            return None;
        }
        let agent = self.agent.as_ref();
        let is_online = agent.is_some_and(|agent| self.controller.is_online(agent));
        self.presence = Some(is_online);
        Some(is_online)
    }

    /// Each coming and going has the presence told anew: a device that is back at once may have forgotten much.
    fn came(&mut self, event: ControllerEvent) {
        let is_ours = |agent: &EndpointId| self.agent.as_ref() == Some(agent);
        let is_news = match &event {
            ControllerEvent::Missed(_) => true,
            ControllerEvent::Offline { agent, .. } => is_ours(agent),
            ControllerEvent::Online(online) => is_ours(&online.agent),
            ControllerEvent::Closed { .. } => false,
        };
        if is_news {
            self.presence = None;
        }
    }
}
