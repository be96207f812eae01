//! Many devices at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use usphere_datamodel::Moment;

use crate::device::Device;
use crate::life::Life;
use crate::limits::GOODBYE_MAX;
use crate::plan::{Kit, Plan, PlanError};
use crate::tally::Counts;
use crate::way::Way;

/// A fleet that runs. Dropping it cuts all links once its devices notice; [`stop`](Self::stop) says
/// goodbye first.
#[derive(Debug)]
pub struct Fleet {
    kit: Arc<Kit>,
    stop: watch::Sender<bool>,
    ramp: JoinHandle<()>,
}

impl Fleet {
    /// Starts a fleet on the runtime that this is called on: its devices begin at the pace of the plan.
    ///
    /// # Errors
    /// [`PlanError`] when there can be no such fleet.
    pub fn start(plan: Plan, way: Way) -> Result<Self, PlanError> {
        let kit = Kit::new(plan)?;
        let (stop, stopped) = watch::channel(false);
        let ramp = tokio::spawn(begin(Arc::clone(&kit), Arc::new(way), stopped));
        Ok(Self { kit, stop, ramp })
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.kit.tally.counts()
    }

    /// What its devices share.
    pub fn kit(&self) -> &Arc<Kit> {
        &self.kit
    }

    /// Lets every device say goodbye and waits for it, but not much longer than [`GOODBYE_MAX`]. What was
    /// done until then.
    pub async fn stop(self) -> Counts {
        let counts = self.counts();
        self.stop.send_replace(true);
        self.ramp.abort();
        let end = Instant::now() + 2 * GOODBYE_MAX;
        tokio::select! {
            () = self.stop.closed() => {}
            () = sleep_until(end) => {}
        }
        counts
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ramp.abort();
        self.stop.send_replace(true);
    }
}

/// Lets one device after the other begin.
async fn begin(kit: Arc<Kit>, way: Arc<Way>, stopped: watch::Receiver<bool>) {
    let origin = Instant::now();
    let pace = kit.plan.starts_per_second;
    for index in 0..kit.plan.count {
        if pace.is_finite() && pace > 0.0 {
            let due = Duration::try_from_secs_f64(f64::from(index) / pace);
            sleep_until(origin + due.unwrap_or_default()).await;
        } else {
            tokio::task::yield_now().await;
        }
        let now = Moment::ORIGIN + origin.elapsed();
        let device = match Device::start(&kit, index, now) {
            Ok(device) => device,
            Err(error) => return tracing::error!("the fleet stays as it is: {error}"),
        };
        let life = Life::new(device, Arc::clone(&kit), Arc::clone(&way), origin);
        tokio::spawn(life.live(stopped.clone()));
    }
}
