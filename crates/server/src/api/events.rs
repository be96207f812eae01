//! What devices said, and when they came and went: page by page, or live.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use usphere_datamodel::limits::Clipped;
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{self, ControllerEvent, ControllerHandle};
use usphere_store::Scope;
use usphere_store::limits::PAGE_EVENTS_MAX;
use utoipa::{IntoParams, ToSchema};

use super::Platform;
use super::parameters::{Cursor, InPath, InQuery, OfDevice, Resumed, kinds, limit, number};
use super::problem::{Answer, Problem};
use crate::events::{Announcement, Event, Events, Happened};
use crate::http::{Endless, stopped};
use crate::limits::{PAGE_EVENTS, SCANNED_EVENTS_MAX, STREAM_ALIVE, STREAM_READ_EVENTS};
use crate::places::Place;
use crate::tokens::Caller;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The `next` of the page before, or the number of an event, that of a stream included: only events after that one.
    #[param(value_type = Option<String>, pattern = "^([0-9]{1,18})?$")]
    after: Option<Cursor>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
}

/// Events, in the order in which they came.
#[derive(Serialize, ToSchema)]
#[schema(as = EventPage)]
pub(super) struct Page {
    events: Vec<Event>,
    /// What to give as `after` for the next page; absent where there is nothing more yet. A page may have a next one
    /// and no events, where none of those that were looked at is of the wanted type.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The number of the newest event of all, where `after` is beyond it: the server was put back to a backup. What comes
    /// from now on is after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Only events after the one with this number; those that came meanwhile are told first. From now on where
    /// neither this nor `Last-Event-ID` is given.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AllQuery {
    /// As with the events of one device.
    #[param(value_type = Option<String>, pattern = "^([0-9]{1,18})?$")]
    after: Option<Cursor>,
    #[param(schema_with = limit)]
    limit: Option<u32>,
    /// Only those of this device.
    device: Option<String>,
    #[serde(rename = "type")]
    #[param(schema_with = kinds)]
    kinds: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AllStreamQuery {
    /// As with the events of one device.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// Only those of this device.
    device: Option<String>,
    #[serde(rename = "type")]
    #[param(schema_with = kinds)]
    kinds: Option<String>,
}

/// List what a device said, and when it came and went.
///
/// Without the scope `operate`, secrets among it are hidden.
#[utoipa::path(get, path = "/api/v1/devices/{device}/events", tag = "events",
    params(OfDevice, PageQuery),
    responses((status = 200, description = "A page of events, the oldest first", body = Page)))]
pub(super) async fn list(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InPath(of): InPath<OfDevice>,
    InQuery(query): InQuery<PageQuery>,
) -> Answer<Json<Page>> {
    let known = platform.inventory.find(of.device).await?;
    let filter = Filter {
        device: Some(known.endpoint_id),
        kinds: Vec::new(),
    };
    page(&platform, &caller, &filter, query.after, query.limit).await
}

/// List what all devices said, and when they came and went.
///
/// Without the scope `operate`, secrets among it are hidden.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(AllQuery), responses(
    (status = 200, description = "A page of events, the oldest first", body = Page),
))]
pub(super) async fn list_all(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<AllQuery>,
) -> Answer<Json<Page>> {
    let filter = Filter::read(&platform, query.device, query.kinds).await?;
    page(&platform, &caller, &filter, query.after, query.limit).await
}

/// A page of those events that are wanted. Looks at a bounded number.
async fn page(
    platform: &Platform,
    caller: &Caller,
    filter: &Filter,
    after: Option<Cursor>,
    limit: Option<u32>,
) -> Answer<Json<Page>> {
    let after = Cursor::number(after)?.unwrap_or_default();
    let limit = limit.unwrap_or(PAGE_EVENTS).clamp(1, PAGE_EVENTS_MAX);
    let (mut events, mut last) = (Vec::new(), after);
    let (mut next, mut scanned) = (None, 0);
    while events.len() < limit as usize && scanned < SCANNED_EVENTS_MAX {
        let device = filter.device.as_deref();
        let room = match filter.kinds.is_empty() {
            true => limit,
            false => PAGE_EVENTS_MAX,
        };
        let read = platform.events.list(device, last, room).await?;
        let Some(read_last) = read.last else {
            break;
        };
        (last, next) = (read_last, Some(read_last));
        let mut wanted = read.events.into_iter().filter(|event| filter.wants(event));
        events.extend(wanted.by_ref().take(limit as usize - events.len()));
        if let (Some(_), Some(event)) = (wanted.next(), events.last()) {
            next = Some(event.id);
        }
        if filter.kinds.is_empty() {
            break;
        }
        scanned += PAGE_EVENTS_MAX;
    }
    let events = events.into_iter().map(|event| seen_by(caller, event));
    Ok(Json(Page {
        events: events.collect(),
        next: next.map(|number| number.to_string()),
        reset: reset(platform, after, next.is_none()).await?,
    }))
}

/// Follow what a device says.
///
/// Server-sent events: what the device says comes as `message`, with its number as `id`; `presence` with
/// `{"online": true}` comes at the beginning and whenever the device comes or goes; `reset` with `{"last": 7}` comes first
/// where `after` is beyond the newest event, because the server was put back to a backup. Without the scope `operate`, secrets among it are hidden.
#[utoipa::path(get, path = "/api/v1/devices/{device}/events/live", tag = "events",
    params(OfDevice, StreamQuery, Resumed),
    responses((status = 200, description = "The stream, which goes on until one side ends it", body = String, content_type = "text/event-stream")))]
pub(super) async fn live(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    resumed: Resumed,
    InPath(of): InPath<OfDevice>,
    InQuery(query): InQuery<StreamQuery>,
) -> Answer<Response> {
    let after = last(&resumed, query.after.as_deref())?;
    let place = place(&caller)?;
    let known = platform.inventory.find(of.device).await?;
    let whose = Whose::One(Box::new(One {
        comings: platform.controller.events(),
        controller: platform.controller.clone(),
        agent: EndpointId::from_wire(&known.endpoint_id).ok(),
        device: known.endpoint_id,
        presence: None,
    }));
    follow(&platform, whose, after, caller, place).await
}

/// Follow what all devices say, and when they come and go.
///
/// Server-sent events: each comes as `message`, with its number as `id`; `reset` and what is hidden as with one device.
#[utoipa::path(get, path = "/api/v1/events/live", tag = "events",
    params(AllStreamQuery, Resumed),
    responses((status = 200, description = "The stream, which goes on until one side ends it", body = String, content_type = "text/event-stream")))]
pub(super) async fn live_all(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    resumed: Resumed,
    InQuery(query): InQuery<AllStreamQuery>,
) -> Answer<Response> {
    let after = last(&resumed, query.after.as_deref())?;
    let place = place(&caller)?;
    let filter = Filter::read(&platform, query.device, query.kinds).await?;
    follow(&platform, Whose::All(filter), after, caller, place).await
}

/// Who may not run a command may not read the secrets that it gave to others either, as with Operations.
fn seen_by(caller: &Caller, event: Event) -> Event {
    match caller.scope < Scope::Operate {
        true => event.without_secrets(),
        false => event,
    }
}

/// A place for one more live stream.
pub(super) fn place(caller: &Caller) -> Answer<Place> {
    caller
        .stream_place()
        .map_err(|why| Problem::new(StatusCode::TOO_MANY_REQUESTS, why.told("streams are open")))
}

/// The newest event of all, where nothing follows the position `after` because it is beyond that.
async fn reset(platform: &Platform, after: i64, is_end: bool) -> Answer<Option<i64>> {
    if !is_end || after == 0 {
        return Ok(None);
    }
    let newest = platform.events.last().await?;
    Ok((after > newest).then_some(newest))
}

/// After which event the stream begins, where that is said.
fn last(resumed: &Resumed, after: Option<&str>) -> Answer<Option<i64>> {
    let after = number("after", after, i64::MAX)?;
    Ok(resumed.last_event_id.or(after))
}

async fn follow(
    platform: &Platform,
    whose: Whose,
    after: Option<i64>,
    caller: Caller,
    place: Place,
) -> Answer<Response> {
    // Before what is the newest is asked for: nothing is missed in between.
    let announcements = platform.events.announcements();
    let newest = platform.events.last().await?;
    let follower = Follower {
        announcements,
        last: after.unwrap_or(newest).min(newest),
        is_reset: after.is_some_and(|after| after > newest),
        events: platform.events.clone(),
        whose,
        read: VecDeque::new(),
        is_behind: true,
        caller,
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

/// Which events of all are wanted.
struct Filter {
    /// The Endpoint ID of the only device.
    device: Option<String>,
    /// The only types; empty for all.
    kinds: Vec<&'static str>,
}

impl Filter {
    async fn read(
        platform: &Platform,
        device: Option<String>,
        kinds: Option<String>,
    ) -> Answer<Self> {
        let kinds = kinds.unwrap_or_default();
        let kinds = kinds.split(',').filter(|kind| !kind.is_empty());
        let kinds = kinds.map(|wanted| {
            let known = Happened::KINDS.into_iter().find(|kind| *kind == wanted);
            known.ok_or_else(|| {
                Problem::bad_request(format!(
                    "type: {}; expected some of {}",
                    Clipped::new(wanted),
                    Happened::KINDS.join(", ")
                ))
            })
        });
        let kinds = kinds.collect::<Answer<_>>()?;
        let device = match device.filter(|device| !device.is_empty()) {
            Some(device) => Some(platform.inventory.find(device).await?.endpoint_id),
            None => None,
        };
        Ok(Self { device, kinds })
    }

    fn wants(&self, event: &Event) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&event.happened.kind())
    }
}

/// One stream. It holds no more than one read of the store, however fast events come and however slowly
/// they are read.
struct Follower {
    events: Events,
    announcements: broadcast::Receiver<Announcement>,
    whose: Whose,
    /// The last event that was read.
    last: i64,
    /// Whether the reader was further than the store, and has to be told.
    is_reset: bool,
    read: VecDeque<Event>,
    /// Whether the store may have more.
    is_behind: bool,
    caller: Caller,
    stop: watch::Receiver<bool>,
    _place: Place,
}

/// Whose events are followed.
enum Whose {
    All(Filter),
    One(Box<One>),
}

/// A device that is followed.
struct One {
    controller: ControllerHandle,
    comings: controller_host::Events,
    device: String,
    agent: Option<EndpointId>,
    /// What was told of whether the device can be asked.
    presence: Option<bool>,
}

impl Follower {
    /// The next thing to tell; `None` when the stream ends.
    async fn next(&mut self) -> Option<Result<sse::Event, axum::Error>> {
        // Also while there is always more to tell.
        while !self.caller.has_ended() && !*self.stop.borrow() {
            if std::mem::take(&mut self.is_reset) {
                let event = sse::Event::default()
                    .event("reset")
                    .id(self.last.to_string());
                return Some(event.json_data(json!({"last": self.last})));
            }
            if let Some(presence) = self.whose.presence() {
                let event = sse::Event::default().event("presence");
                return Some(event.json_data(json!({"online": presence})));
            }
            if let Some(event) = self.read.pop_front() {
                if !self.whose.wants(&event) {
                    continue;
                }
                let told = sse::Event::default().id(event.id.to_string());
                return Some(told.json_data(seen_by(&self.caller, event)));
            }
            if self.is_behind {
                let read = self
                    .events
                    .list(self.whose.device(), self.last, STREAM_READ_EVENTS);
                // Without the store there is nothing to tell; the client comes again.
                let read = read.await.ok()?;
                // What comes after that is announced.
                self.is_behind = !read.is_end;
                self.last = read.last.unwrap_or(self.last);
                self.read = read.events.into();
                continue;
            }
            tokio::select! {
                announced = self.announcements.recv() => match announced {
                    Ok(event) => {
                        let is_ours = self.whose.device().is_none_or(|device| device == &*event.device);
                        self.is_behind = event.id > self.last && is_ours;
                    }
                    Err(RecvError::Lagged(_)) => self.is_behind = true,
                    Err(RecvError::Closed) => return None,
                },
                is_there = self.whose.comes() => is_there?,
                () = self.caller.ended() => return None,
                () = stopped(&mut self.stop) => return None,
            }
        }
        None
    }
}

impl Whose {
    /// The Endpoint ID of the only device.
    fn device(&self) -> Option<&str> {
        match self {
            Self::All(filter) => filter.device.as_deref(),
            Self::One(one) => Some(&one.device),
        }
    }

    fn wants(&self, event: &Event) -> bool {
        match self {
            Self::All(filter) => filter.wants(event),
            // That it came or went is told apart, as it is and not as it was.
            Self::One(_) => matches!(event.happened, Happened::Said(_)),
        }
    }

    /// Whether the device can be asked, where that was not told yet.
    fn presence(&mut self) -> Option<bool> {
        match self {
            Self::One(one) if one.presence.is_none() => {
                let agent = one.agent.as_ref();
                let is_online = agent.is_some_and(|agent| one.controller.is_online(agent));
                one.presence = Some(is_online);
                Some(is_online)
            }
            Self::All(_) | Self::One(_) => None,
        }
    }

    /// Waits until some device came or went, where that is told apart. `None` when that cannot be known any more.
    async fn comes(&mut self) -> Option<()> {
        match self {
            Self::All(_) => std::future::pending().await,
            Self::One(one) => {
                let event = one.comings.next().await?;
                one.came(event);
                Some(())
            }
        }
    }
}

impl One {
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
