//! What is measured, for Prometheus.
//!
//! Whoever does something counts it in [`Counts`]; what others count already is looked up when somebody asks. No label
//! ever has a value that a device or a client chose, so their number is bounded.

mod process;
mod sources;

use std::fmt;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use usphere_datamodel::operation::{NotificationKind, OperationError, OperationKind, Outcome};

pub(crate) use self::sources::Sources;

/// How the text is called that [`Exposition::text`] makes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of classes of times, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// What is counted. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    answers: Family<AnswerLabels, Counter>,
    answer_seconds: Family<KindLabels, Histogram, fn() -> Histogram>,
    notifications: Family<NotificationLabels, Counter>,
    unkept: Counter,
    presences: Family<NotificationLabels, Counter>,
    checks: Family<ResultLabels, Counter>,
    contacts: Family<ReasonLabels, Counter>,
}

/// All that is told, and where it comes from.
#[derive(Debug)]
pub(crate) struct Exposition {
    registry: Registry,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AnswerLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct NotificationLabels {
    r#type: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReasonLabels {
    reason: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            answers: Family::default(),
            answer_seconds: Family::new_with_constructor(seconds),
            notifications: Family::default(),
            unkept: Counter::default(),
            presences: Family::default(),
            checks: Family::default(),
            contacts: Family::default(),
        }
    }
}

impl Counts {
    /// A request of the API was answered. `route` is one of the router's own words.
    pub(crate) fn requested(&self, method: &str, route: &str, status: u16, time: Duration) {
        let labels = RequestLabels {
            method: known_method(method),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create_owned(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        let histogram = self.request_seconds.get_or_create_owned(&labels);
        histogram.observe(time.as_secs_f64());
    }

    /// A device answered, or did not.
    pub(crate) fn answered(
        &self,
        kind: OperationKind,
        answer: &Result<Outcome, OperationError>,
        asked: Instant,
    ) {
        let kind = kind.as_str();
        let result = match answer {
            Ok(_) => "done",
            Err(OperationError::Disconnected) => "disconnected",
            Err(OperationError::InvalidAnswer { .. }) => "invalid_answer",
            Err(OperationError::NotConnected) => "not_connected",
            Err(OperationError::Overloaded { .. }) => "overloaded",
            Err(OperationError::Refused(_)) => "refused",
            Err(OperationError::TimedOut) => "timed_out",
            Err(OperationError::Unsupported { .. }) => "unsupported",
        };
        let labels = AnswerLabels { kind, result };
        self.answers.get_or_create_owned(&labels).inc();
        if matches!(answer, Ok(_) | Err(OperationError::Refused(_))) {
            let histogram = self
                .answer_seconds
                .get_or_create_owned(&KindLabels { kind });
            histogram.observe(asked.elapsed().as_secs_f64());
        }
    }

    /// A device told something, and it is kept.
    pub(crate) fn notified(&self, kind: NotificationKind) {
        let labels = NotificationLabels {
            r#type: kind.as_str(),
        };
        self.notifications.get_or_create_owned(&labels).inc();
    }

    /// A device came or went, and that is kept. `kind` is one of our own words.
    pub(crate) fn came_or_went(&self, kind: &'static str) {
        let labels = NotificationLabels { r#type: kind };
        self.presences.get_or_create_owned(&labels).inc();
    }

    /// It was looked who a device is and what the server keeps on it. Whether all is as it should be.
    pub(crate) fn checked(&self, is_well: bool) {
        let result = if is_well { "well" } else { "failed" };
        let labels = ResultLabels { result };
        self.checks.get_or_create_owned(&labels).inc();
    }

    /// A contact failed, for one of the reasons that the doctor knows.
    pub(crate) fn contact_failed(&self, reason: &'static str) {
        self.contacts
            .get_or_create_owned(&ReasonLabels { reason })
            .inc();
    }

    /// Devices told something that could not be kept.
    pub(crate) fn not_kept(&self, count: usize) {
        self.unkept.inc_by(count as u64);
    }
}

impl Exposition {
    pub(crate) fn new(counts: &Counts, sources: Sources) -> Self {
        let mut registry = Registry::with_prefix("usphere");
        registry.register(
            "api_requests",
            "Requests of the API that were answered",
            counts.requests.clone(),
        );
        registry.register(
            "api_request_seconds",
            "Time from the head of a request to the head of its answer",
            counts.request_seconds.clone(),
        );
        registry.register(
            "device_answers",
            "What came of asking devices",
            counts.answers.clone(),
        );
        registry.register(
            "device_answer_seconds",
            "Time that devices took to answer",
            counts.answer_seconds.clone(),
        );
        registry.register(
            "notifications",
            "Notifications of devices that were kept, repetitions not counted",
            counts.notifications.clone(),
        );
        registry.register(
            "notifications_unkept",
            "Notifications of devices that could not be kept and stay unanswered",
            counts.unkept.clone(),
        );
        registry.register(
            "presences",
            "Times that a device came or went and that was kept",
            counts.presences.clone(),
        );
        registry.register(
            "checks",
            "Checks of devices since the server started: who they are, and what it keeps on them",
            counts.checks.clone(),
        );
        registry.register(
            "contacts_failed",
            "Contacts that failed, by reason",
            counts.contacts.clone(),
        );
        registry.register_collector(Box::new(sources));
        Self { registry }
    }

    /// All that is told, as OpenMetrics text. Reads the store: not for async code.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn known_method(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
