//! What a fleet is to be, and what all its devices share.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use usphere_agent::{Agent, Config, KnownController, Target, TrustConfig};
use usphere_datamodel::{Moment, Schema, SchemaError};
use usphere_proto::{EndpointId, EndpointIdError};

use crate::chance::fact;
use crate::device::Device;
use crate::gateway;
use crate::journal::Template;
use crate::limits::{DEVICES_MAX, DIGITS_MIN, STARTS_PER_SECOND};
use crate::tally::Tally;

/// What a fleet is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many devices.
    pub count: u32,
    /// What their Endpoint IDs begin with; a number follows. `os::012345-SIM`
    pub prefix: String,
    /// The Controller that they know, with full access.
    pub controller: EndpointId,
    /// Where it is dialled. Within the process anything will do.
    pub target: Target,
    /// Whom they trust over TLS.
    pub trust: TrustConfig,
    /// What chance is made of.
    pub seed: u64,
    /// How many devices begin per second; all at once where it is not a positive number.
    pub starts_per_second: f64,
    /// What happens to each device by itself.
    pub rates: Rates,
}

/// How often things happen to one device, in the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Values that change.
    pub changes_per_minute: f64,
    /// Links that are lost.
    pub link_losses_per_hour: f64,
    /// Times that the power goes.
    pub reboots_per_hour: f64,
}

/// Why there can be no such fleet.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Too many devices.
    #[error("{0} devices, at most {DEVICES_MAX} are possible")]
    Count(u32),
    /// The prefix makes no Endpoint ID.
    #[error(
        "{id:?} is no Endpoint ID: {source}; the prefix is to be something like os::012345-SIM"
    )]
    Prefix {
        /// What came of it.
        id: String,
        /// What is wrong with it.
        source: EndpointIdError,
    },
    /// The declarations do not fit together.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Plan {
    /// A fleet of `count` quiet devices that know `controller` at `target`.
    pub fn new(count: u32, controller: EndpointId, target: Target) -> Self {
        Self {
            count,
            prefix: "os::012345-SIM".to_owned(),
            controller,
            target,
            trust: TrustConfig::default(),
            seed: 1,
            starts_per_second: STARTS_PER_SECOND,
            rates: Rates::default(),
        }
    }
}

/// What all devices of a fleet share.
#[derive(Debug)]
pub struct Kit {
    pub(crate) plan: Plan,
    pub(crate) schema: Arc<Schema>,
    /// What each stores at its first start.
    pub(crate) template: Arc<Template>,
    pub(crate) tally: Tally,
    digits: usize,
    /// The wall clock at [`Moment::ORIGIN`].
    unix_micros: i64,
}

impl Kit {
    /// What the devices of a fleet share, whose time begins now.
    ///
    /// # Errors
    /// [`PlanError`] when there can be no such fleet.
    pub fn new(plan: Plan) -> Result<Arc<Self>, PlanError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since.map_or(0, |since| since.as_micros());
        Self::at(plan, i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// As [`Self::new`], where the wall clock shows `unix_micros` at [`Moment::ORIGIN`]: what depends on
    /// nothing else is the same in every run.
    ///
    /// # Errors
    /// [`PlanError`] when there can be no such fleet.
    pub fn at(plan: Plan, unix_micros: i64) -> Result<Arc<Self>, PlanError> {
        if plan.count > DEVICES_MAX {
            return Err(PlanError::Count(plan.count));
        }
        let digits = plan.count.to_string().len().max(DIGITS_MIN);
        let id = numbered(&plan.prefix, plan.count.max(1), digits);
        EndpointId::parse(&id).map_err(|source| PlanError::Prefix { id, source })?;
        let schema = Agent::schema(&gateway::objects())?;
        let mut kit = Self {
            plan,
            schema,
            template: Arc::default(),
            tally: Tally::default(),
            digits,
            unix_micros,
        };
        kit.template = Arc::new(Self::template(&kit)?);
        kit.tally = Tally::default();
        Ok(Arc::new(kit))
    }

    /// The Endpoint ID of device number `index`, from 0 on.
    ///
    /// # Errors
    /// It is none; that is found out when the kit is made.
    pub fn endpoint_id(&self, index: u32) -> Result<EndpointId, PlanError> {
        let id = numbered(&self.plan.prefix, index.saturating_add(1), self.digits);
        EndpointId::parse(&id).map_err(|source| PlanError::Prefix { id, source })
    }

    pub(crate) fn config(&self, id: &EndpointId) -> Config {
        Config {
            endpoint_id: id.clone(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
            controllers: vec![KnownController {
                endpoint_id: self.plan.controller.clone(),
                target: Some(self.plan.target.clone()),
            }],
            listen: None,
            trust: self.plan.trust.clone(),
        }
    }

    pub(crate) fn fact(&self, index: u32, what: u64) -> u64 {
        fact(self.plan.seed, index, what)
    }

    /// What the wall clock shows, in microseconds since 1970.
    pub(crate) fn unix_micros(&self, now: Moment) -> i64 {
        let passed = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        self.unix_micros.saturating_add(passed)
    }

    /// What the first device stores, which is nearly what every other does.
    fn template(kit: &Self) -> Result<Template, PlanError> {
        let plan = Plan {
            rates: Rates::default(),
            ..kit.plan.clone()
        };
        let kit = Arc::new(Self {
            plan,
            schema: Arc::clone(&kit.schema),
            template: Arc::default(),
            tally: Tally::default(),
            digits: kit.digits,
            unix_micros: kit.unix_micros,
        });
        Ok(Device::start(&kit, 0, Moment::ORIGIN)?.into_template())
    }
}

fn numbered(prefix: &str, number: u32, digits: usize) -> String {
    format!("{prefix}{number:0digits$}")
}
