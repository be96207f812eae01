//! Test 10.13 against an Agent that publishes bulk data, well or badly.

use std::time::Duration;

use bytes::Bytes;
use usphere_conformance::peer::{Address, Seat, Trouble, What};
use usphere_conformance::publications::{Publication, Publications};
use usphere_conformance::{Outcome, Profile, Verdict};

use crate::small::{Role, Small, Stage};

/// What is wrong with the Agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    None,
    Broken,
    Elsewhere,
    WithoutServer,
    WrongName,
}

/// A device that publishes every minute.
struct Device {
    fault: Fault,
    next: Duration,
}

impl Role for Device {
    fn supported(&self) -> Vec<&'static str> {
        vec![
            "Device.DeviceInfo.UpTime",
            "Device.BulkData.Enable",
            "Device.BulkData.Profile.{i}.",
            "Device.MQTT.Client.{i}.",
        ]
    }

    fn values(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("Device.BulkData.Enable", "false"),
            ("Device.BulkData.MinReportingInterval", "1"),
            ("Device.BulkData.Protocols", "MQTT"),
            ("Device.BulkData.EncodingTypes", "JSON"),
        ]
    }

    fn due(&self) -> Option<Duration> {
        Some(self.next)
    }

    fn act(&mut self, stage: &mut Stage) {
        self.next = stage.now + Duration::from_secs(60);
        let of = |name: &str| {
            stage
                .model
                .get(&format!("Device.BulkData.Profile.1.{name}"))
        };
        let Some(topic) = of("MQTT.PublishTopic").filter(|_| of("Enable").is_some()) else {
            return;
        };
        let topic = match self.fault {
            Fault::Elsewhere => "elsewhere".to_owned(),
            _ => topic.clone(),
        };
        let payload = match self.fault {
            Fault::Broken => "{",
            Fault::WrongName => r#"{"Report":[{"Other":7}]}"#,
            _ => r#"{"Report":[{"UpTime":7}]}"#,
        };
        let payload = Bytes::from(payload);
        let published = What::Published(Box::new(Publication { topic, payload }));
        stage.happen(Seat::Primary, published);
    }

    fn publications(&mut self) -> Option<&mut dyn Publications> {
        let there = self.fault != Fault::WithoutServer;
        there.then_some(self as &mut dyn Publications)
    }
}

impl Publications for Device {
    fn follow(&mut self, _: &str) -> Result<Address, Trouble> {
        Ok(Address {
            host: "mqtt.example".to_owned(),
            port: 1883,
            path: String::new(),
            encryption: false,
        })
    }
}

fn only(fault: Fault) -> Outcome {
    let next = Duration::from_secs(60);
    Small::new(Device { fault, next }).only("10.13", Profile::default())
}

/// An Agent that publishes bulk data passes; what it does wrong is noticed, and said; and without a server nothing
/// is tried.
#[test]
fn bulk_data_that_is_published_is_looked_at() {
    let cases = [
        (Fault::None, Verdict::Passed, ""),
        (Fault::Broken, Verdict::Failed, "no report in JSON"),
        (
            Fault::Elsewhere,
            Verdict::Failed,
            "2 transfers were expected within 130 s, 0 came",
        ),
        (Fault::WithoutServer, Verdict::NotRunnable, "no MQTT server"),
        (Fault::WrongName, Verdict::Failed, "the names in the report"),
    ];
    for (fault, verdict, expected) in cases {
        let outcome = only(fault);
        let reason = &outcome.reason;
        assert_eq!(outcome.result, verdict, "{fault:?}: {reason}");
        assert!(reason.contains(expected), "{fault:?}: {reason}");
    }
}
