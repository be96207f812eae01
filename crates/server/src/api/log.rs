//! What the server and one device say to each other, as it is said.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use usphere_proto::{EndpointId, Record};
use usphere_runtime::controller_host::{Overheard, Tap};
use usphere_store::StoreError;

use super::Platform;
use super::events::place;
use super::parameters::{InPath, OfDevice};
use super::problem::{Answer, Problem};
use crate::doctor::redact;
use crate::http::{Endless, stopped};
use crate::inventory;
use crate::limits::STREAM_ALIVE;
use crate::places::Place;
use crate::tokens::Caller;

/// One line of the log.
#[derive(Serialize)]
struct Line {
    /// Milliseconds since 1970.
    at: i64,
    #[serde(flatten)]
    what: What,
}

/// What happened.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What {
    /// So many Records were not shown because the reader was too slow.
    Missed { count: u64 },
    /// Something happened to the connection.
    Note { note: String },
    /// The device sent this.
    Received { record: Value },
    /// The device was sent this.
    Sent { record: Value },
}

/// Follow what a device and the server say to each other.
///
/// The Records of a device from now on, with its Messages decoded and without their secrets.
#[utoipa::path(get, path = "/api/v1/devices/{device}/log/live", tag = "devices", params(OfDevice), responses(
    (status = 200, description = "The stream, which goes on until one side ends it", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn live(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    InPath(of): InPath<OfDevice>,
) -> Answer<Response> {
    let place = place(&caller)?;
    let agent = agent(&platform, of.device).await?;
    let listener = Listener {
        tap: platform.controller.tap(agent),
        caller,
        stop: platform.stopped.clone(),
        _place: place,
    };
    let lines = stream::unfold(listener, |mut listener| async {
        let line = listener.next().await?;
        Some((line, listener))
    });
    let alive = KeepAlive::new().interval(STREAM_ALIVE);
    let mut response = Sse::new(lines).keep_alive(alive).into_response();
    response.extensions_mut().insert(Endless);
    Ok(response)
}

/// A device that is not known yet can be listened for by its whole Endpoint ID.
async fn agent(platform: &Platform, device: String) -> Answer<EndpointId> {
    match platform.inventory.find(device.clone()).await {
        Ok(known) => EndpointId::from_wire(&known.endpoint_id)
            .map_err(|error| Problem::bad_request(error.to_string())),
        Err(error @ StoreError::NotFound(_)) => {
            EndpointId::parse(&device).map_err(|_| Problem::from(error))
        }
        Err(error) => Err(error.into()),
    }
}

struct Listener {
    tap: Tap,
    caller: Caller,
    stop: watch::Receiver<bool>,
    _place: Place,
}

impl Listener {
    /// The next line; `None` when the stream ends.
    async fn next(&mut self) -> Option<Result<sse::Event, axum::Error>> {
        let overheard = tokio::select! {
            overheard = self.tap.next() => overheard?,
            () = self.caller.ended() => return None,
            () = stopped(&mut self.stop) => return None,
        };
        let line = Line {
            at: inventory::now(),
            what: match overheard {
                Overheard::Missed(count) => What::Missed { count },
                Overheard::Note(note) => What::Note { note },
                Overheard::Received(record) => What::Received {
                    record: shown(&record),
                },
                Overheard::Sent(record) => What::Sent {
                    record: shown(&record),
                },
            },
        };
        Some(sse::Event::default().json_data(line))
    }
}

fn shown(record: &Record) -> Value {
    let mut json = record.to_readable_json();
    redact(&mut json);
    json
}
