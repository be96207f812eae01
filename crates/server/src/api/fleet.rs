//! One question to many devices.
//!
//! `POST /api/v1/fleet/get` asks those that are looked for, a bounded number at a time, and passes on what each says
//! as it comes: a line of JSON for each, and a last one that counts them. Nothing is held but what is under way, so
//! the fleet may be as large as it likes; nothing is kept either, for it would push out what is.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt as _, Stream, StreamExt as _, future, stream};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;
use usphere_datamodel::operation::{Get, GetOutcome, Operation, OperationError, Outcome, whole};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ControllerHandle;
use usphere_store::{Field, StoreError};
use utoipa::ToSchema;

use super::devices::is_online;
use super::problem::{Answer, Problem};
use super::{Platform, body_of, given_whole, object, read};
use crate::http::{Endless, stopped};
use crate::inventory::{Inventory, Wanted};
use crate::limits::{
    FLEET_READ_DEVICES, FLEET_TOGETHER, FLEET_TOGETHER_MAX, OPERATION_SECONDS_MAX,
    OPERATION_TIMEOUT, SEARCHED_TAGS_MAX,
};
use crate::onboarding::Onboarding;
use crate::places::Place;
use crate::tokens::Caller;

/// Bytes of lines that are written together, where so many are there; of a single line there may be more.
const CHUNK_BYTES: usize = 16 << 10;

/// What many devices are asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetGet {
    /// Which devices; all that are approved where nothing is said of them.
    #[serde(default, deserialize_with = "object")]
    devices: Devices,
    /// Paths of objects and parameters; searches, wildcards and references are followed.
    #[schema(min_items = 1)]
    paths: Vec<String>,
    /// How many levels of sub-objects to go down; 0 for all.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    max_depth: u32,
    /// Seconds that each device may take; 30 where not given.
    #[serde(default, deserialize_with = "given_whole")]
    #[schema(minimum = 1, maximum = 600, nullable = false)]
    timeout: Option<u64>,
    /// How many are asked at the same time; 128 where not given.
    #[serde(default, deserialize_with = "given_whole")]
    #[schema(minimum = 1, maximum = 1024, nullable = false)]
    together: Option<usize>,
}

/// Which devices; each that is given has to fit, as in the list of devices.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Devices {
    /// Words that all have to occur in what is known of the device.
    search: Option<String>,
    /// Only those that can be asked now, or only the others, which are told of as such.
    online: Option<bool>,
    /// Only those that have all of these tags.
    #[schema(max_items = 8)]
    tags: Vec<String>,
    /// Only those of this manufacturer. In this and the following, letters are the same in either case, and a `*` at
    /// the end stands for any end.
    manufacturer: Option<String>,
    /// Only those whose manufacturer has this OUI.
    oui: Option<String>,
    /// Only those of this product class.
    product_class: Option<String>,
    /// Only those with this serial number.
    serial_number: Option<String>,
    /// Only those with this version of the hardware.
    hardware_version: Option<String>,
    /// Only those with this version of the software.
    software_version: Option<String>,
}

/// A line of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    /// What one device said.
    Told { device: String, outcome: GetOutcome },
    /// Why one device said nothing, as the `error` of an Operation.
    Untold {
        device: String,
        error: OperationError,
    },
    /// The last line. Where there is none, the answer is not whole.
    Summary { summary: Summary },
}

/// What came of it.
#[derive(Clone, Copy, Default, Serialize)]
struct Summary {
    /// Devices that were to be asked.
    devices: u64,
    /// Those that answered.
    answered: u64,
    /// Those that were not connected.
    offline: u64,
    /// Those that were asked and did not answer, or refused.
    failed: u64,
    /// How long it took.
    milliseconds: u64,
}

/// Read the same of many devices.
///
/// Each device has a line of JSON, in the order in which they answer: `{"device", "outcome"}` with the outcome of the verb
/// `get`, or `{"device", "error"}` with an error as Operations have it. The last line is `{"summary": {"devices", "answered",
/// "offline", "failed", "milliseconds"}}`; without it the answer is not whole. Devices are asked as fast as their answers
/// are read. What is asked so is no Operation, and is not kept. Devices that wait to be approved are not asked.
#[utoipa::path(post, path = "/api/v1/fleet/get", tag = "devices", request_body = FleetGet, responses(
    (status = 200, description = "Lines of JSON, one for each device, and the summary", body = String, content_type = "application/x-ndjson"),
))]
pub(super) async fn get(
    State(platform): State<Arc<Platform>>,
    Extension(mut caller): Extension<Caller>,
    body: Body,
) -> Answer<Response> {
    let wanted: FleetGet = read(&body_of(body).await?)?;
    let (together, patience) = (together(wanted.together)?, patience(wanted.timeout)?);
    if wanted.paths.is_empty() {
        return Err(Problem::bad_request("paths: none are given"));
    }
    let place = place(&caller)?;
    let get = Operation::Get(Get {
        paths: wanted.paths,
        max_depth: wanted.max_depth,
    });
    let asking = Arc::new(Asking {
        controller: platform.controller.clone(),
        get,
        patience,
    });
    let found = Found {
        inventory: platform.inventory.clone(),
        controller: platform.controller.clone(),
        onboarding: platform.onboarding.clone(),
        online: wanted.devices.online,
        wanted: wanted.devices.wanted()?,
        after: None,
    };
    let devices = found.devices().await?;
    let answers = devices.map(move |device| Arc::clone(&asking).ask(device));
    let telling = Telling {
        answers: Box::pin(answers.buffer_unordered(together)),
        summary: Summary::default(),
        began: Instant::now(),
        is_over: false,
        _place: place,
    };
    let chunks = stream::unfold(telling, |mut telling| async {
        let chunk = telling.chunk().await?;
        Some((Ok::<_, Infallible>(chunk), telling))
    });
    let mut stop = platform.stopped.clone();
    let ended = async move {
        tokio::select! {
            () = caller.ended() => {}
            () = stopped(&mut stop) => {}
        }
    };
    let chunks = chunks.take_until(Box::pin(ended));
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Extension(Endless), Body::from_stream(chunks)).into_response())
}

impl Devices {
    fn wanted(self) -> Answer<Wanted> {
        if self.tags.len() > SEARCHED_TAGS_MAX {
            return Err(Problem::bad_request(format!(
                "devices.tags: {} tags, at most {SEARCHED_TAGS_MAX} are looked for at a time",
                self.tags.len()
            )));
        }
        let fields = [
            (Field::HardwareVersion, self.hardware_version),
            (Field::Manufacturer, self.manufacturer),
            (Field::Oui, self.oui),
            (Field::ProductClass, self.product_class),
            (Field::SerialNumber, self.serial_number),
            (Field::SoftwareVersion, self.software_version),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)));
        Ok(Wanted {
            text: self.search.unwrap_or_default(),
            fields: fields.collect(),
            tags: self.tags,
        })
    }
}

fn together(given: Option<usize>) -> Answer<usize> {
    match given {
        None => Ok(FLEET_TOGETHER),
        Some(given @ 1..=FLEET_TOGETHER_MAX) => Ok(given),
        Some(given) => Err(Problem::bad_request(format!(
            "together: {given}; 1 to {FLEET_TOGETHER_MAX} are allowed"
        ))),
    }
}

fn patience(seconds: Option<u64>) -> Answer<Duration> {
    match seconds {
        None => Ok(OPERATION_TIMEOUT),
        Some(seconds @ 1..=OPERATION_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        Some(seconds) => Err(Problem::bad_request(format!(
            "timeout: {seconds}; 1 to {OPERATION_SECONDS_MAX} seconds are allowed"
        ))),
    }
}

/// A place for one more such question.
fn place(caller: &Caller) -> Answer<Place> {
    caller.fleet_place().map_err(|why| {
        let detail = why.told("fleets are being asked");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
    })
}

/// How devices are asked.
struct Asking {
    controller: ControllerHandle,
    get: Operation,
    patience: Duration,
}

impl Asking {
    /// What is told of a device; none where the devices could not be read on.
    async fn ask(self: Arc<Self>, device: Option<String>) -> Option<Line> {
        let device = device?;
        let asked = match EndpointId::from_wire(&device) {
            Ok(agent) => {
                let get = self.get.clone();
                self.controller.request(&agent, get, self.patience).await
            }
            Err(_) => Err(OperationError::NotConnected),
        };
        let error = match asked {
            Ok(Outcome::Get(outcome)) => return Some(Line::Told { device, outcome }),
            Ok(_) => OperationError::InvalidAnswer {
                text: "it answers something else".to_owned(),
            },
            Err(error) => error,
        };
        Some(Line::Untold { device, error })
    }
}

/// The devices that are looked for, page by page.
struct Found {
    inventory: Inventory,
    controller: ControllerHandle,
    onboarding: Onboarding,
    wanted: Wanted,
    online: Option<bool>,
    /// The last of the page before; none where there are no more.
    after: Option<String>,
}

impl Found {
    /// Their Endpoint IDs, in order.
    ///
    /// # Errors
    /// What the store says of the first of them; what it says of others ends the stream.
    async fn devices(mut self) -> Result<impl Stream<Item = Option<String>> + Send, StoreError> {
        let first = self.page().await?;
        let others = stream::unfold(Some(self), |found| async {
            let mut found = found?;
            found.after.as_ref()?;
            match found.page().await {
                Ok(page) => Some((page, Some(found))),
                Err(error) => {
                    tracing::error!(%error, "a fleet cannot be read on");
                    Some((vec![None], None))
                }
            }
        });
        let pages = stream::once(future::ready(first)).chain(others);
        Ok(pages.flat_map(stream::iter))
    }

    async fn page(&mut self) -> Result<Vec<Option<String>>, StoreError> {
        let (controller, online) = (self.controller.clone(), self.online);
        let onboarding = self.onboarding.clone();
        let keep = move |id: &str| {
            online.is_none_or(|wanted| is_online(&controller, id) == wanted)
                && !onboarding.is_pending(id)
        };
        let (after, wanted) = (self.after.take(), self.wanted.clone());
        let page = self
            .inventory
            .names(after, FLEET_READ_DEVICES, wanted, keep)
            .await?;
        if page.len() == FLEET_READ_DEVICES as usize {
            self.after = page.last().cloned();
        }
        Ok(page.into_iter().map(Some).collect())
    }
}

/// What goes out: a line for each device, then the summary.
struct Telling<S> {
    answers: Pin<Box<S>>,
    summary: Summary,
    began: Instant,
    is_over: bool,
    _place: Place,
}

impl<S: Stream<Item = Option<Line>>> Telling<S> {
    /// The next lines, as many as are there; none when all was told.
    async fn chunk(&mut self) -> Option<Bytes> {
        let mut chunk = self.next().await?;
        while chunk.len() < CHUNK_BYTES
            && let Some(Some(line)) = self.next().now_or_never()
        {
            chunk.extend(line);
        }
        // A line can be large, and the next be there: others have a turn between them.
        yield_now().await;
        Some(chunk.into())
    }

    /// The next line; none when all was told, or cannot be.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        let line = match self.answers.next().await {
            Some(Some(answer)) => answer,
            Some(None) => {
                // Without a summary: it is not whole.
                self.is_over = true;
                return None;
            }
            None => {
                self.is_over = true;
                let took = self.began.elapsed().as_millis();
                Line::Summary {
                    summary: Summary {
                        milliseconds: u64::try_from(took).unwrap_or(u64::MAX),
                        ..self.summary
                    },
                }
            }
        };
        self.summary.count(&line);
        let mut text = serde_json::to_vec(&line).ok()?;
        text.push(b'\n');
        Some(text)
    }
}

impl Summary {
    fn count(&mut self, line: &Line) {
        let kind = match line {
            Line::Told { .. } => &mut self.answered,
            Line::Untold {
                error: OperationError::NotConnected,
                ..
            } => &mut self.offline,
            Line::Untold { .. } => &mut self.failed,
            Line::Summary { .. } => return,
        };
        *kind += 1;
        self.devices += 1;
    }
}
