//! The tests of discovery against an Agent that finds Controllers, and is found, well or badly.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::network::{
    BROADBAND_FORUM, LeaseOptions, Network, Resource, ResourceData, Sighting, VendorClass,
};
use usphere_conformance::peer::{Seat, Trouble, What};
use usphere_conformance::{Outcome, Profile, Verdict};

use crate::small::{Role, Small, Stage};

const SERVICE: &str = "self::small._usp-agt-ws._tcp.local";
const KIND: &str = "_usp-agt-ws._tcp.local";

/// What is wrong with the Agent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fault {
    #[default]
    None,
    /// It does not say that it speaks USP.
    Anybody,
    /// It takes a null for a part of the text.
    WithNull,
    /// It never asks for names.
    Unasking,
    /// It does not answer.
    Silent,
    /// It tells nothing about its path.
    WithoutPath,
    /// It tells another name than it has.
    Renamed,
    /// It tells no port.
    WithoutPort,
}

/// A device in a network of its own.
struct Device {
    fault: Fault,
    options: LeaseOptions,
    names: Vec<String>,
    asked: VecDeque<String>,
}

impl Device {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            options: LeaseOptions::default(),
            names: Vec::new(),
            asked: VecDeque::new(),
        }
    }

    fn records(&self) -> Vec<Resource> {
        let name = match self.fault {
            Fault::Renamed => "another",
            _ => "Living room",
        };
        let mut attributes = vec![("name".to_owned(), Some(name.to_owned()))];
        if self.fault != Fault::WithoutPath {
            attributes.push(("path".to_owned(), Some("/usp".to_owned())));
        }
        let of = |name: &str, data| Resource {
            name: name.to_owned(),
            data,
        };
        let mut records = vec![
            of(KIND, ResourceData::Pointer(SERVICE.to_owned())),
            of(SERVICE, ResourceData::Text(attributes)),
        ];
        if self.fault != Fault::WithoutPort {
            let (host, port) = ("small.local".to_owned(), 80);
            records.push(of(SERVICE, ResourceData::Service { host, port }));
        }
        records
    }
}

fn seen(stage: &mut Stage, sighting: Sighting) {
    stage.happen(Seat::Primary, What::Sighted(Box::new(sighting)));
}

impl Role for Device {
    fn supported(&self) -> Vec<&'static str> {
        vec![
            "Device.DeviceInfo.FriendlyName",
            "Device.LocalAgent.Controller.{i}.",
            "Device.LocalAgent.MTP.{i}.EnableMDNS",
        ]
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("Device.DeviceInfo.FriendlyName", "Living room"),
            ("Device.LocalAgent.MTP.1.Enable", "true"),
            ("Device.LocalAgent.MTP.1.EnableMDNS", "true"),
            ("Device.LocalAgent.MTP.1.Protocol", "WebSocket"),
        ]
    }

    fn due(&self) -> Option<Duration> {
        (!self.asked.is_empty()).then_some(Duration::ZERO)
    }

    fn act(&mut self, stage: &mut Stage) {
        self.asked.clear();
        if self.fault != Fault::Silent {
            let records = self.records();
            let is_solicited = true;
            seen(
                stage,
                Sighting::Answer {
                    records,
                    is_solicited,
                },
            );
        }
    }

    fn started(&mut self, stage: &mut Stage) {
        let data = match self.fault {
            Fault::Anybody => "anybody",
            _ => "usp",
        };
        let class = VendorClass {
            enterprise: BROADBAND_FORUM,
            data: vec![Bytes::from(data)],
        };
        seen(stage, Sighting::Lease(vec![class]));
        if let Some(code) = &self.options.provisioning_code {
            let code = String::from_utf8_lossy(code);
            let code = match self.fault {
                Fault::WithNull => code.into_owned(),
                _ => code.trim_end_matches('\0').to_owned(),
            };
            let path = "Device.LocalAgent.Controller.1.ProvisioningCode".to_owned();
            stage.model.insert(path, code);
        }
        let records = self.records();
        let is_solicited = false;
        seen(
            stage,
            Sighting::Answer {
                records,
                is_solicited,
            },
        );
        if self.fault != Fault::Unasking {
            for name in &self.names {
                let is_multicast = name.ends_with(".local");
                let name = name.clone();
                seen(stage, Sighting::Question { name, is_multicast });
            }
        }
    }

    fn network(&mut self) -> Option<&mut dyn Network> {
        Some(self)
    }
}

impl Network for Device {
    fn lease(&mut self, options: LeaseOptions) -> Result<(), Trouble> {
        self.options = options;
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), Trouble> {
        self.names.push(name.to_owned());
        Ok(())
    }

    fn ask(&mut self, name: &str) -> Result<(), Trouble> {
        self.asked.push_back(name.to_owned());
        Ok(())
    }
}

fn only(fault: Fault, id: &str) -> Outcome {
    Small::new(Device::new(fault)).only(id, Profile::default())
}

/// An Agent that finds and is found passes.
#[test]
fn an_agent_that_finds_and_is_found_passes() {
    for id in ["8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7"] {
        let outcome = only(Fault::None, id);
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
    }
}

/// What it does wrong is noticed, and said.
#[test]
fn what_is_wrong_with_discovery_is_noticed() {
    let cases = [
        ("8.1", Fault::Anybody, "a vendor class 3561 with \"usp\""),
        ("8.2", Fault::WithNull, "ProvisioningCode"),
        ("8.3", Fault::Unasking, "a question for controller"),
        ("8.4", Fault::Unasking, "a question for usphere"),
        ("8.5", Fault::WithoutPort, "a SRV record"),
        ("8.6", Fault::WithoutPath, "the attribute path"),
        ("8.6", Fault::Renamed, "the attribute name"),
        ("8.7", Fault::Silent, "an mDNS response"),
        ("8.7", Fault::WithoutPath, "the attribute path"),
    ];
    for (id, fault, expected) in cases {
        let outcome = only(fault, id);
        let reason = &outcome.reason;
        assert_eq!(outcome.result, Verdict::Failed, "{id} {fault:?}: {reason}");
        assert!(reason.contains(expected), "{id} {fault:?}: {reason}");
    }
}

/// An Agent that is said to do without is not asked.
#[test]
fn an_agent_that_does_without_is_not_asked() {
    for id in ["8.1", "8.7"] {
        let mut profile = Profile::default();
        profile.discovery.dhcp = Some(false);
        profile.discovery.mdns = Some(false);
        let outcome = Small::new(Device::new(Fault::None)).only(id, profile);
        assert_eq!(outcome.result, Verdict::NotApplicable, "{id}");
    }
}
