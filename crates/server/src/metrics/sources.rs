//! What others count, looked up when somebody asks.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use usphere_mtp::websocket::DoorWatch;
use usphere_runtime::controller_host::ControllerHandle;
use usphere_store::{COMMIT_SECONDS, Soundness, Store};

use super::process::Process;
use crate::onboarding::Onboarding;
use crate::operations::Operations;
use crate::places::Rooms;

/// Where it is looked up.
pub(crate) struct Sources {
    pub(crate) controller: ControllerHandle,
    /// The door of Agents; none where there is none.
    pub(crate) door: Option<DoorWatch>,
    pub(crate) onboarding: Onboarding,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) operations: Operations,
    pub(crate) store: Store,
    /// The file of the store.
    pub(crate) database: PathBuf,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut told = Told(encoder);
        told.info()?;
        self.links(&mut told)?;
        self.door(&mut told)?;
        self.boarding(&mut told)?;
        self.store(&mut told)?;
        process(&mut told)
    }
}

impl Sources {
    fn links(&self, told: &mut Told<'_>) -> fmt::Result {
        let traffic = self.controller.traffic();
        let online = self.controller.online_count();
        told.gauge(
            "agents_online",
            "Agents that can be asked now",
            online as f64,
        )?;
        if let Ok(count) = self.store.count() {
            told.gauge("devices", "Devices in the inventory", count as f64)?;
        }
        told.gauge(
            "links",
            "Connections of Agents that are open",
            traffic.links as f64,
        )?;
        told.counter(
            "links_opened",
            "Connections of Agents that were opened",
            traffic.opened,
        )?;
        told.counter(
            "arrivals",
            "Times that an Agent came to be there",
            traffic.arrivals,
        )?;
        told.counter(
            "records_received",
            "Records that were received",
            traffic.received,
        )?;
        told.counter("records_sent", "Records that were sent", traffic.sent)?;
        let help = "Requests to Agents that wait for their answers";
        told.gauge("requests_waiting", help, traffic.waiting as f64)?;
        let help = "Operations that have not ended";
        told.gauge("operations_open", help, self.operations.count() as f64)
    }

    fn door(&self, told: &mut Told<'_>) -> fmt::Result {
        let Some(counts) = self.door.as_ref().map(DoorWatch::counts) else {
            return Ok(());
        };
        for (name, help, now) in [
            (
                "door_connections",
                "Connections at the door of Agents, those in handshake included",
                counts.connections,
            ),
            (
                "door_handshakes",
                "Handshakes that are under way",
                counts.handshakes,
            ),
        ] {
            told.gauge(name, help, now as f64)?;
        }
        for (name, help, count) in [
            (
                "door_turned_away",
                "Connections that were told to come back, or closed, since there were too many",
                counts.turned_away,
            ),
            (
                "door_evicted",
                "Handshakes that took long and had to make room for others",
                counts.evicted,
            ),
            (
                "door_failed",
                "Handshakes that failed or took too long",
                counts.failed,
            ),
        ] {
            told.counter(name, help, count)?;
        }
        Ok(())
    }

    fn boarding(&self, told: &mut Told<'_>) -> fmt::Result {
        let waiting = self.onboarding.counts();
        let open = self.rooms.streams.taken();
        for (name, help, now) in [
            (
                "devices_pending",
                "Devices that wait to be approved",
                waiting.pending,
            ),
            (
                "checks_waiting",
                "Devices that wait to be checked",
                waiting.checks,
            ),
            (
                "streams_open",
                "Live streams of the API that are open",
                open,
            ),
        ] {
            told.gauge(name, help, now as f64)?;
        }
        Ok(())
    }

    fn store(&self, told: &mut Told<'_>) -> fmt::Result {
        let stats = self.store.stats();
        told.counter(
            "store_writes",
            "Writes that the store took up",
            stats.writes,
        )?;
        told.gauge(
            "store_writes_waiting",
            "Writes that wait",
            stats.waiting as f64,
        )?;
        let help = "Writes and transactions of the store that failed";
        told.counter("store_failures", help, stats.failures)?;
        let help = "Whether the store took what was written last";
        told.gauge(
            "store_writable",
            help,
            f64::from(u8::from(stats.trouble.is_none())),
        )?;
        let help = "Whether the whole database was looked through since the start, and is sound";
        let is_sound = self.store.soundness() == Soundness::Sound;
        told.gauge("store_sound", help, f64::from(u8::from(is_sound)))?;
        let help = "Files of databases that were damaged and are kept";
        told.gauge(
            "store_damaged_kept",
            help,
            self.store.kept_aside().len() as f64,
        )?;
        let help = "Time that transactions of the store took, syncs included";
        let bounds = COMMIT_SECONDS.into_iter().chain([f64::INFINITY]);
        let classes: Vec<(f64, u64)> = bounds.zip(stats.commits).collect();
        told.histogram(
            "store_commit_seconds",
            help,
            stats.commit_time.as_secs_f64(),
            &classes,
        )?;
        for (name, help, suffix) in [
            ("store_bytes", "Size of the database", ""),
            ("store_log_bytes", "Size of its write-ahead log", "-wal"),
        ] {
            let mut path = self.database.clone().into_os_string();
            path.push(suffix);
            if let Ok(file) = fs::metadata(path) {
                told.gauge(name, help, file.len() as f64)?;
            }
        }
        if let Ok(disk) = rustix::fs::statvfs(&self.database) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            told.gauge(
                "store_disk_free_bytes",
                "Room on the disk of the database",
                free as f64,
            )?;
        }
        Ok(())
    }
}

fn process(told: &mut Told<'_>) -> fmt::Result {
    let Some(process) = Process::read() else {
        return Ok(());
    };
    let help = "Time of processors that the process used, in seconds";
    told.counter("process_cpu_seconds", help, process.cpu_seconds)?;
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory",
            process.resident_bytes as f64,
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory",
            process.virtual_bytes as f64,
        ),
        ("process_threads", "Threads", process.threads as f64),
        (
            "process_start_time_seconds",
            "When the process started, since 1970",
            process.started,
        ),
        ("process_open_fds", "Open files", process.open_files as f64),
    ] {
        told.gauge(name, help, value)?;
    }
    if let Some(max) = process.open_files_max {
        told.gauge("process_max_fds", "Files that may be open", max as f64)?;
    }
    Ok(())
}

/// The names here have the prefix already.
struct Told<'a>(DescriptorEncoder<'a>);

impl Told<'_> {
    fn info(&mut self) -> fmt::Result {
        let info = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let kind = MetricType::Info;
        info.encode(
            self.0
                .encode_descriptor("build", "This software", None, kind)?,
        )
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let kind = MetricType::Gauge;
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Into<Number>) -> fmt::Result {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        match value.into() {
            Number::Whole(value) => ConstCounter::new(value).encode(encoder),
            Number::Broken(value) => ConstCounter::new(value).encode(encoder),
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        classes: &[(f64, u64)],
    ) -> fmt::Result {
        let count = classes.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum, count, classes, None)
    }
}

enum Number {
    Whole(u64),
    Broken(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Broken(value)
    }
}
