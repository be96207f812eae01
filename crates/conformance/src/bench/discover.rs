//! Finding out what the Agent has, before the first test.

use std::time::Duration;

use usphere_proto::msg::{CmdType, SupportedObjectResult};

use super::{Bench, CONTROLLERS, FoundResult, SupportedDmOptions};
use crate::features::Features;
use crate::peer::Seat;
use crate::profile::{Call, Nested, Profile};
use crate::stop::{Done, Stop};

/// An asynchronous command that does no harm.
struct Harmless {
    command: &'static str,
    /// What it needs.
    arguments: &'static [(&'static str, &'static str)],
    /// How long it takes at most.
    seconds: u64,
}

const HARMLESS: [Harmless; 3] = [
    Harmless {
        command: "Device.IP.Diagnostics.IPPing()",
        arguments: &[
            ("Host", "127.0.0.1"),
            ("ProtocolVersion", "Any"),
            ("NumberOfRepetitions", "1"),
            ("Timeout", "1000"),
            ("DataBlockSize", "64"),
        ],
        seconds: 60,
    },
    Harmless {
        command: "Device.IP.Diagnostics.TraceRoute()",
        arguments: &[("Host", "127.0.0.1"), ("ProtocolVersion", "Any")],
        seconds: 60,
    },
    Harmless {
        command: "Device.ScheduleTimer()",
        arguments: &[("DelaySeconds", "5")],
        seconds: 30,
    },
];

/// Parameters of text that can be written, and do nothing else.
const VALUE_CHANGES: [&str; 3] = [
    "Device.LocalAgent.Controller.{controller}.ProvisioningCode",
    "Device.DeviceInfo.ProvisioningCode",
    "Device.DeviceInfo.FriendlyName",
];

/// Parameters that TR-181 calls secured.
const SECURED: [&str; 4] = [
    "Device.Users.User.{i}.Password",
    "Device.WiFi.AccessPoint.{i}.Security.KeyPassphrase",
    "Device.MQTT.Client.{i}.Password",
    "Device.LocalAgent.ControllerTrust.Challenge.{i}.Value",
];

/// Whether the Agent has survived a test.
pub(crate) enum Survival {
    /// It answers.
    There,
    /// It did not answer, and was brought back: what was wrong.
    Returned(String),
    /// It does not answer, whatever is done: what is wrong.
    Gone(String),
}

/// Why nothing can be tested.
#[derive(Clone, Debug, thiserror::Error)]
#[error("nothing can be tested: {0}")]
pub struct NotFound(pub String);

impl Bench {
    /// Connects, finds out what the Agent has, and chooses what the profile leaves open.
    ///
    /// # Errors
    /// The Agent is not there, or does not know us.
    pub fn discover(&mut self) -> Result<(), NotFound> {
        self.begin();
        let found = self.find_features();
        self.features = found.map_err(|stop| NotFound(stop.reason().to_owned()))?;
        self.profile = chosen(&self.profile, &self.features);
        Ok(())
    }

    /// Asks whether the Agent is there after a test, and brings it back if it did not survive that.
    pub(crate) fn recover(&mut self) -> Survival {
        let Err(first) = self.is_there() else {
            return Survival::There;
        };
        if self.peer.can_restart() {
            drop(self.peer.restart());
        } else {
            self.drop_link(Seat::Primary);
        }
        // What was said before is of no use now.
        self.pass(Duration::from_secs(1));
        self.forget_heard();
        match self.is_there() {
            Ok(()) => Survival::Returned(first.reason().to_owned()),
            Err(stop) => Survival::Gone(stop.of(first.reason()).reason().to_owned()),
        }
    }

    /// The Agent is connected, and answers. One that was about to connect anew is asked once more.
    fn is_there(&mut self) -> Done {
        self.connect(Seat::Primary)?;
        match self.supported_protocol() {
            Ok(_) => Ok(()),
            Err(_) if !self.is_connected(Seat::Primary) => self.supported_protocol().map(drop),
            Err(stop) => Err(stop),
        }
    }

    fn find_features(&mut self) -> Result<Features, Stop> {
        let versions = self.supported_protocol()?.response()?;
        let mut features = Features::new(self.find_objects()?);
        features.versions = versions.agent_supported_protocol_versions;
        features.software = self
            .value("Device.LocalAgent.SoftwareVersion")
            .unwrap_or_default();
        let protocols = self
            .value("Device.LocalAgent.SupportedProtocols")
            .unwrap_or_default();
        features.protocols = protocols
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect();
        features.controller = self.find_us()?;
        Ok(features)
    }

    fn find_objects(&mut self) -> Result<Vec<SupportedObjectResult>, Stop> {
        let all = self.supported_dm(&["Device."], false, SupportedDmOptions::All)?;
        let all = all.response()?.req_obj_results.into_iter();
        Ok(all.flat_map(|result| result.supported_objs).collect())
    }

    /// The instance number of our row.
    fn find_us(&mut self) -> Result<String, Stop> {
        let own = self.endpoint_id(Seat::Primary);
        let ids = format!("{CONTROLLERS}*.EndpointID");
        let answer = self.get(&[&ids])?.response()?;
        let result = super::only("req_path_results", &answer.req_path_results)?;
        let values = result.found()?.values();
        let ours = values.into_iter().find(|(_, id)| *id == own.as_str());
        let (path, _) = ours.ok_or_else(|| {
            Stop::Failed(format!(
                "the Agent has no row in {CONTROLLERS} with the EndpointID {own}; it has to know us, with full access"
            ))
        })?;
        let number = path[CONTROLLERS.len()..].split('.').next();
        Ok(number.unwrap_or_default().to_owned())
    }
}

/// The profile, with what it leaves open chosen from what the Agent has.
fn chosen(profile: &Profile, features: &Features) -> Profile {
    let mut profile = profile.clone();
    if profile.asynchronous.command.is_empty() {
        let there = |one: &&Harmless| features.command(one.command) == Some(CmdType::Async);
        if let Some(one) = HARMLESS.iter().find(there) {
            let arguments = one.arguments.iter();
            let arguments =
                arguments.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            profile.asynchronous = Call {
                command: one.command.to_owned(),
                arguments: arguments.collect(),
                seconds: one.seconds,
            };
        }
    }
    if profile.value_change == Profile::default().value_change {
        let us = &features.controller;
        let there = |path: &&&str| features.has(&path.replace("{controller}", us));
        if let Some(path) = VALUE_CHANGES.iter().find(there) {
            (*path).clone_into(&mut profile.value_change);
        }
    }
    if profile.secured.is_none() {
        let there = SECURED.iter().find(|path| features.has(path));
        profile.secured = there.map(|path| (*path).to_owned());
    }
    if profile.nested == Nested::default() {
        let is_there = |name: &String| features.has(name);
        profile.nested.values.retain(is_there);
    }
    profile
}
