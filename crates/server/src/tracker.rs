//! From what the Controller tells to what the inventory knows: who was there, and who that is.

use std::sync::Arc;

use tokio::sync::Semaphore;
use usphere_datamodel::operation::{Get, GetStatus, Operation, Outcome, SupportedProtocol};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::{ControllerEvent, ControllerHandle, Events, OnlineAgent};
use usphere_store::{Description, StoreError};

use crate::inventory::Inventory;
use crate::limits::{INTRODUCTIONS_MAX, OPERATION_TIMEOUT};

const DEVICE_INFO: &str = "Device.DeviceInfo.";

/// What a device is asked about itself.
const IDENTITY: [&str; 6] = [
    "Manufacturer",
    "ManufacturerOUI",
    "ProductClass",
    "SerialNumber",
    "HardwareVersion",
    "SoftwareVersion",
];

/// Follows the Agents until the Controller is gone.
pub(crate) async fn track(controller: ControllerHandle, mut events: Events, inventory: Inventory) {
    let tracker = Tracker {
        controller,
        inventory,
        introductions: Arc::new(Semaphore::new(INTRODUCTIONS_MAX)),
    };
    while let Some(event) = events.next().await {
        match event {
            ControllerEvent::Closed { .. } => {}
            ControllerEvent::Missed(count) => {
                tracing::warn!(
                    count,
                    "events were lost; the inventory catches up with who is online"
                );
                for online in tracker.controller.online() {
                    tracker.arrived(online).await;
                }
            }
            ControllerEvent::Notified { agent, notify } => {
                tracing::debug!(%agent, subscription = notify.subscription_id, "notified");
            }
            ControllerEvent::Offline { agent, .. } => {
                told(&agent, tracker.inventory.left(agent.as_str()).await)
            }
            ControllerEvent::Online(online) => tracker.arrived(online).await,
        }
    }
}

#[derive(Clone)]
struct Tracker {
    controller: ControllerHandle,
    inventory: Inventory,
    introductions: Arc<Semaphore>,
}

impl Tracker {
    async fn arrived(&self, online: OnlineAgent) {
        told(
            &online.agent,
            self.inventory
                .seen(online.agent.as_str(), online.remote)
                .await,
        );
        tokio::spawn(self.clone().introduce(online.agent));
    }

    /// Asks a device who it is. Its firmware may have changed since the last time, so it is asked at
    /// every connection.
    async fn introduce(self, agent: EndpointId) {
        let Ok(_permit) = self.introductions.acquire().await else {
            return;
        };
        let paths = IDENTITY.map(|name| format!("{DEVICE_INFO}{name}"));
        let said =
            self.controller
                .request(&agent, Operation::Get(Get::all(paths)), OPERATION_TIMEOUT);
        let versions = Operation::SupportedProtocol(SupportedProtocol::default());
        let spoken = self.controller.request(&agent, versions, OPERATION_TIMEOUT);
        let (said, spoken) = tokio::join!(said, spoken);
        let mut description = match &said {
            Ok(Outcome::Get(outcome)) => describe(outcome),
            Ok(_) => Description::default(),
            Err(error) => {
                tracing::info!(%agent, %error, "the device does not say who it is");
                Description::default()
            }
        };
        if let Ok(Outcome::SupportedProtocol(spoken)) = spoken {
            description.protocol_versions = Some(spoken.versions.join(","));
        }
        match self.inventory.describe(agent.as_str(), description).await {
            Err(StoreError::NotFound(_)) => {} // Removed meanwhile.
            result => told(&agent, result),
        }
    }
}

fn describe(outcome: &usphere_datamodel::operation::GetOutcome) -> Description {
    let objects = outcome
        .results
        .iter()
        .filter_map(|result| match &result.status {
            GetStatus::Failed(_) => None,
            GetStatus::Found(objects) => Some(objects),
        });
    let objects: Vec<_> = objects
        .flatten()
        .filter(|object| object.path == DEVICE_INFO)
        .collect();
    let value = |name: &str| {
        objects
            .iter()
            .find_map(|object| object.parameters.get(name))
            .cloned()
    };
    let [
        manufacturer,
        oui,
        product_class,
        serial_number,
        hardware_version,
        software_version,
    ] = IDENTITY.map(value);
    Description {
        manufacturer,
        oui,
        product_class,
        serial_number,
        hardware_version,
        software_version,
        protocol_versions: None,
    }
}

fn told(agent: &EndpointId, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%agent, %error, "the inventory could not be written");
    }
}
