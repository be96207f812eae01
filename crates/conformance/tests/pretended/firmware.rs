//! The tests of firmware against an Agent that takes some, well or badly: they have to notice.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::small::{Role, Small, Stage};
use usphere_conformance::peer::{Address, Trouble};
use usphere_conformance::profile::Firmware;
use usphere_conformance::web::{Reply, Web};
use usphere_conformance::{Outcome, Profile, Verdict};
use usphere_proto::msg::{
    CommandFailure, CompletionOutcome, Operate, OperationOutcome, OutputArgs,
};

const INFO: &str = "Device.DeviceInfo.";
const REQUEST: &str = "Device.LocalAgent.Request.1";

/// What is wrong with the Agent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fault {
    #[default]
    None,
    /// A request that is cancelled goes on.
    BootsAllTheSame,
    /// The checksum is not looked at.
    Gullible,
    /// The boot does not tell that the firmware is another one.
    NotUpdated,
    /// The old firmware runs after the boot.
    OldVersion,
    /// It takes longer to activate than it may.
    Slow,
    /// The transfer is not told of.
    Untold,
    /// The boot does not tell of its parameters.
    WithoutMap,
    /// Firmware cannot be downloaded to the active bank.
    Reserved,
    /// It fails to download.
    Failing,
}

/// What it is at.
#[derive(Clone)]
struct Job {
    at: Duration,
    command: String,
    key: String,
    arguments: BTreeMap<String, String>,
}

/// A gateway with two banks.
struct Gateway {
    fault: Fault,
    pages: BTreeMap<String, Reply>,
    job: Option<Job>,
    updated: bool,
}

impl Gateway {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            pages: BTreeMap::new(),
            job: None,
            updated: false,
        }
    }

    fn bank(command: &str) -> String {
        let at = command.rfind('.').expect("a path") + 1;
        command[..at].to_owned()
    }

    fn boot_into(&mut self, bank: &str, stage: &mut Stage) {
        let version = stage.model[&format!("{bank}Version")].clone();
        if self.fault != Fault::OldVersion {
            stage
                .model
                .insert(format!("{INFO}SoftwareVersion"), version);
        }
        let active = bank.trim_end_matches('.').to_owned();
        stage
            .model
            .insert(format!("{INFO}ActiveFirmwareImage"), active);
        self.updated = self.fault != Fault::NotUpdated;
        stage.reboot();
    }

    fn downloaded(&mut self, job: &Job, stage: &mut Stage) -> CompletionOutcome {
        let bank = Self::bank(&job.command);
        let page = job.arguments["URL"].rsplit('/').next().expect("a page");
        let reply = &self.pages[&format!("/{page}")];
        assert!(!reply.body.is_empty());
        let is_wrong = job.arguments.contains_key("CheckSum") && self.fault != Fault::Gullible;
        let status = if is_wrong {
            "ValidationFailed"
        } else {
            "Available"
        };
        stage
            .model
            .insert(format!("{bank}Status"), status.to_owned());
        stage
            .model
            .insert(format!("{bank}Version"), "2.0".to_owned());
        if self.fault != Fault::Untold {
            stage.tell("Device.LocalAgent.TransferComplete!", &[]);
        }
        match is_wrong || self.fault == Fault::Failing {
            true => CompletionOutcome::CmdFailure(CommandFailure {
                err_code: 7022,
                err_msg: "it is wrong".to_owned(),
            }),
            false => CompletionOutcome::ReqOutputArgs(OutputArgs::default()),
        }
    }
}

impl Role for Gateway {
    fn supported(&self) -> Vec<&'static str> {
        vec![
            "Device.Boot!",
            "Device.DeviceInfo.SoftwareVersion",
            "Device.DeviceInfo.ActiveFirmwareImage",
            "Device.DeviceInfo.BootFirmwareImage",
            "Device.DeviceInfo.FirmwareImage.{i}.Download()",
            "Device.DeviceInfo.FirmwareImage.{i}.Activate()",
            "Device.LocalAgent.TransferComplete!",
            "Device.LocalAgent.Request.{i}.Cancel()",
            "Device.LocalAgent.Controller.{i}.BootParameter.{i}.",
        ]
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("Device.DeviceInfo.SoftwareVersion", "1.0"),
            (
                "Device.DeviceInfo.ActiveFirmwareImage",
                "Device.DeviceInfo.FirmwareImage.1",
            ),
            ("Device.DeviceInfo.FirmwareImage.1.Status", "Available"),
            ("Device.DeviceInfo.FirmwareImage.1.Version", "1.0"),
            ("Device.DeviceInfo.FirmwareImage.2.Status", "NoImage"),
            ("Device.DeviceInfo.FirmwareImage.2.Version", ""),
            ("Device.LocalAgent.RequestNumberOfEntries", "0"),
        ]
    }

    fn operate(&mut self, operate: &Operate, stage: &mut Stage) -> OperationOutcome {
        if operate.command.ends_with("Cancel()") {
            if self.fault != Fault::BootsAllTheSame {
                self.job = None;
            }
            return OperationOutcome::ReqOutputArgs(OutputArgs::default());
        }
        if operate.command == "Device.Reboot()" {
            return OperationOutcome::ReqOutputArgs(OutputArgs::default());
        }
        if self.fault == Fault::Reserved && operate.command.contains("FirmwareImage.1.Download") {
            return OperationOutcome::CmdFailure(CommandFailure {
                err_code: 7022,
                err_msg: "that one is in use".to_owned(),
            });
        }
        let start = operate.input_args.get("TimeWindow.1.Start");
        let start = start.and_then(|start| start.parse().ok()).unwrap_or(2);
        let is_late = self.fault == Fault::Slow && operate.command.ends_with("Activate()");
        let late = if is_late { 180 } else { 1 };
        self.job = Some(Job {
            at: stage.now + Duration::from_secs(start + late),
            command: operate.command.clone(),
            key: operate.command_key.clone(),
            arguments: operate.input_args.clone(),
        });
        let status = format!("{REQUEST}.Status");
        stage.model.insert(status, "Canceled".to_owned());
        OperationOutcome::ReqObjPath(REQUEST.to_owned())
    }

    fn due(&self) -> Option<Duration> {
        self.job.as_ref().map(|job| job.at)
    }

    fn act(&mut self, stage: &mut Stage) {
        let Some(job) = self.job.take() else {
            return;
        };
        let mut outcome = CompletionOutcome::ReqOutputArgs(OutputArgs::default());
        let is_download = job.command.ends_with("Download()");
        if is_download {
            outcome = self.downloaded(&job, stage);
        }
        let is_well = matches!(outcome, CompletionOutcome::ReqOutputArgs(_));
        stage.end(&job.command, &job.key, outcome);
        let activates = job
            .arguments
            .get("AutoActivate")
            .is_some_and(|value| value == "true");
        if is_well && (activates || !is_download) {
            self.boot_into(&Self::bank(&job.command), stage);
        }
    }

    fn started(&mut self, stage: &mut Stage) {
        let updated = std::mem::take(&mut self.updated).to_string();
        let map = match self.fault {
            Fault::WithoutMap => "{}",
            _ => r#"{"Device.DeviceInfo.BootFirmwareImage":"Device.DeviceInfo.FirmwareImage.1"}"#,
        };
        let told = [("FirmwareUpdated", updated.as_str()), ("ParameterMap", map)];
        stage.tell("Device.Boot!", &told);
    }

    fn web(&mut self) -> Option<&mut dyn Web> {
        Some(self)
    }
}

impl Web for Gateway {
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble> {
        self.pages.insert(page.to_owned(), reply);
        Ok(Address {
            host: "files.example".to_owned(),
            port: 80,
            path: page.to_owned(),
            encryption: is_secure,
        })
    }

    fn forget(&mut self, page: &str) {
        self.pages.remove(page);
    }
}

fn profile(image: &Path) -> Profile {
    Profile {
        firmware: Some(Firmware {
            image: image.to_owned(),
            version: "2.0".to_owned(),
            seconds: 60,
        }),
        ..Profile::default()
    }
}

fn only(fault: Fault, id: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    std::fs::write(&image, b"an image").expect("written");
    Small::new(Gateway::new(fault)).only(id, profile(&image))
}

/// An Agent that takes firmware as it should passes.
#[test]
fn an_agent_that_takes_firmware_passes() {
    for id in ["9.3", "9.4", "9.5", "9.6", "9.7", "9.8", "9.10"] {
        let outcome = only(Fault::None, id);
        assert_eq!(outcome.result, Verdict::Passed, "{id}: {}", outcome.reason);
        let steps = outcome.steps.iter().flat_map(|step| &step.exchanges);
        for exchange in steps {
            assert!(
                !exchange.title.contains("not cleaned up"),
                "{id}: {}",
                exchange.title
            );
        }
    }
    // An Agent of more than one bank may keep the active one.
    let outcome = only(Fault::Reserved, "9.7");
    assert_eq!(outcome.result, Verdict::Passed, "{}", outcome.reason);
}

/// What it does wrong is noticed, and said.
#[test]
fn what_is_wrong_with_firmware_is_noticed() {
    let cases = [
        ("9.3", Fault::Failing, "Download() was to succeed"),
        ("9.3", Fault::Untold, "TransferComplete93"),
        (
            "9.3",
            Fault::NotUpdated,
            "FirmwareUpdated: true was expected",
        ),
        ("9.3", Fault::OldVersion, "SoftwareVersion"),
        ("9.4", Fault::Slow, "firmware94"),
        ("9.4", Fault::OldVersion, "SoftwareVersion"),
        ("9.5", Fault::Slow, "firmware95"),
        (
            "9.5",
            Fault::NotUpdated,
            "FirmwareUpdated: true was expected",
        ),
        ("9.6", Fault::Gullible, "ValidationFailed"),
        ("9.6", Fault::Untold, "TransferComplete96"),
        ("9.7", Fault::Untold, "TransferComplete97"),
        (
            "9.7",
            Fault::NotUpdated,
            "FirmwareUpdated: true was expected",
        ),
        ("9.8", Fault::BootsAllTheSame, "no Event"),
        ("9.10", Fault::WithoutMap, "ParameterMap"),
    ];
    for (id, fault, expected) in cases {
        let outcome = only(fault, id);
        let reason = &outcome.reason;
        assert_eq!(outcome.result, Verdict::Failed, "{id} {fault:?}: {reason}");
        assert!(reason.contains(expected), "{id} {fault:?}: {reason}");
    }
}

/// Without an image, only what needs none is tried.
#[test]
fn without_an_image_a_test_says_so() {
    for (id, expected) in [
        ("9.3", Verdict::NotRunnable),
        ("9.6", Verdict::Passed),
        ("9.7", Verdict::NotRunnable),
    ] {
        let agent = Small::new(Gateway::new(Fault::None));
        let outcome = agent.only(id, Profile::default());
        assert_eq!(outcome.result, expected, "{id}: {}", outcome.reason);
    }
}
