//! The check of one device: who it is, and whether what the server keeps on it is as it should be.
//!
//! A device that was checked before and has not changed is asked one thing once. Requests to one device follow each
//! other: there are Agents that answer what comes in a row only when their next keep-alive is due.

use usphere_datamodel::operation::{
    Get, GetOutcome, GetStatus, ObjectValues, Operation, OperationError, Outcome, SupportedModel,
    SupportedProtocol,
};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::ContactFault;
use usphere_store::limits::TEXT_BYTES_MAX;
use usphere_store::{Described, Description, Device, Product};

use super::Shared;
use super::models::Fetch;
use super::queue::Verdict;
use super::subscriptions::{self, Found, KEPT, TABLE};
use crate::limits::OPERATION_TIMEOUT;

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

/// What every Agent has. (TR-181 2.19)
const ITSELF: &str = "Device.LocalAgent.EndpointID";

/// What is asked for the whole of its data model.
const ROOT: &str = "Device.";

/// Checks a device.
pub(super) async fn check(shared: &Shared, agent: &EndpointId) -> Verdict {
    match Check::of(shared, agent).await.run().await {
        Ok(verdict) => verdict,
        Err(OperationError::NotConnected | OperationError::Disconnected) => Verdict::Failed,
        Err(error) => {
            tracing::info!(%agent, %error, "the device does not say who it is");
            Verdict::Failed
        }
    }
}

struct Check<'c> {
    shared: &'c Shared,
    agent: &'c EndpointId,
    is_pending: bool,
    known: Description,
    known_subscriptions: Option<String>,
}

impl<'c> Check<'c> {
    async fn of(shared: &'c Shared, agent: &'c EndpointId) -> Self {
        // Never closed; without a place it would be read all the same.
        let place = shared.readers.acquire().await;
        // One that is not written down yet is a new one.
        let known = shared.inventory.known(agent.as_str().to_owned()).await;
        drop(place);
        let known = known.ok().flatten();
        let (known, known_subscriptions) = match known {
            Some(Device {
                description,
                subscriptions,
                ..
            }) => (description, subscriptions),
            None => (Description::default(), None),
        };
        Self {
            shared,
            agent,
            is_pending: shared.gate.is_pending(agent.as_str()),
            known,
            known_subscriptions,
        }
    }

    async fn run(&self) -> Result<Verdict, OperationError> {
        let keeps = !self.is_pending && self.shared.keeps_subscriptions;
        let answer = match self.get(paths(self.shared, keeps)).await {
            // Perhaps only the Subscriptions are too many.
            Err(OperationError::InvalidAnswer { .. } | OperationError::Refused(_)) if keeps => {
                self.get(paths(self.shared, false)).await?
            }
            answer => answer?,
        };
        let mut said = identity(&answer);
        let found = keeps.then(|| subscriptions_of(&answer));
        // A device may make it large, and have us wait for what follows.
        drop(answer);
        if said == Description::default() && !self.shows_itself().await? {
            let controller = &self.shared.controller;
            controller.report(self.agent, ContactFault::ShowsNothing);
        }
        if self.has_changed(&said) || self.known.protocol_versions.is_none() {
            said.protocol_versions = self.versions().await;
        }
        let (subscriptions, verdict) = match found {
            Some(found) => self
                .mend(found)
                .await
                .map(|(said, verdict)| (Some(said), verdict))?,
            None => (None, Verdict::Well),
        };
        self.tell(&said, subscriptions).await;
        if !self.is_pending {
            self.learn(said).await;
        }
        Ok(verdict)
    }

    async fn ask(&self, operation: Operation) -> Result<Outcome, OperationError> {
        let controller = &self.shared.controller;
        controller
            .request(self.agent, operation, OPERATION_TIMEOUT)
            .await
    }

    async fn get(&self, paths: Vec<String>) -> Result<GetOutcome, OperationError> {
        match self.ask(Operation::Get(Get::all(paths))).await? {
            Outcome::Get(outcome) => Ok(outcome),
            _ => Err(another()),
        }
    }

    /// Whether it lets this server see what every Agent has. One that has no `DeviceInfo` does, and nothing is wrong with it.
    async fn shows_itself(&self) -> Result<bool, OperationError> {
        let answer = self.get(vec![ITSELF.to_owned()]).await?;
        let shows = |status: &GetStatus| match status {
            GetStatus::Failed(_) => false,
            GetStatus::Found(objects) => objects.iter().any(|object| !object.parameters.is_empty()),
        };
        Ok(answer.results.iter().any(|result| shows(&result.status)))
    }

    /// Whether it has another software than when it was asked which versions of USP it speaks.
    fn has_changed(&self, said: &Description) -> bool {
        let is_new = |new: &Option<String>, old: &Option<String>| new.is_some() && new != old;
        is_new(&said.software_version, &self.known.software_version)
    }

    async fn versions(&self) -> Option<String> {
        let versions = Operation::SupportedProtocol(SupportedProtocol::default());
        match self.ask(versions).await {
            Ok(Outcome::SupportedProtocol(spoken)) => Some(spoken.versions.join(",")),
            _ => None,
        }
    }

    /// Mends the server's Subscriptions where that is needed, and says what has become of them.
    async fn mend(
        &self,
        found: Result<Found, String>,
    ) -> Result<(String, Verdict), OperationError> {
        let found = match found {
            Ok(found) => found,
            Err(reason) => return Ok((format!("cannot be read: {reason}"), Verdict::Well)),
        };
        let wanted = self.shared.wanted();
        let mut failures = Vec::new();
        let mut verdict = Verdict::Well;
        for operation in subscriptions::mending(&wanted, &found) {
            verdict = Verdict::Mended;
            match self.ask(operation).await {
                Ok(outcome) => failures.extend(subscriptions::failures(&outcome)),
                Err(error @ (OperationError::NotConnected | OperationError::Disconnected)) => {
                    return Err(error);
                }
                Err(error) => failures.push(error.to_string()),
            }
        }
        match failures.is_empty() {
            true => Ok((KEPT.to_owned(), verdict)),
            false => {
                let failures = failures.join("; ");
                tracing::info!(agent = %self.agent, failures, "the server's Subscriptions are not all kept");
                Ok((failures, verdict))
            }
        }
    }

    /// Has it written down, where it says anything new.
    async fn tell(&self, said: &Description, subscriptions: Option<String>) {
        let told = Described {
            endpoint_id: self.agent.as_str().to_owned(),
            description: said.clone(),
            subscriptions,
        };
        let is_known = |new: &Option<String>, old: &Option<String>| {
            new.is_none() || new.as_ref() == old.as_ref()
        };
        let all_known = pairs(said, &self.known)
            .into_iter()
            .all(|(new, old)| is_known(new, old))
            && is_known(&told.subscriptions, &self.known_subscriptions);
        if !all_known {
            // Without a writer the server is going down.
            drop(self.shared.told.send(told).await);
        }
    }

    /// Has the device tell what its product can do, where that is not known.
    async fn learn(&self, said: Description) {
        let said = Description {
            manufacturer: said
                .manufacturer
                .or_else(|| self.known.manufacturer.clone()),
            oui: said.oui.or_else(|| self.known.oui.clone()),
            product_class: said
                .product_class
                .or_else(|| self.known.product_class.clone()),
            software_version: said.software_version,
            ..Description::default()
        };
        let models = &self.shared.models;
        let Some(product) = Product::of(&said) else {
            return;
        };
        let Some(fetch) = models.missing(product, self.agent.as_str()).await else {
            return;
        };
        let everything = Operation::SupportedModel(SupportedModel::all([ROOT]));
        match self.ask(everything).await {
            Ok(Outcome::SupportedModel(outcome)) => {
                models.learnt(fetch, self.agent.as_str(), outcome).await;
            }
            Ok(_) => self.not_learnt(fetch, &another()),
            Err(error) => self.not_learnt(fetch, &error),
        }
    }

    fn not_learnt(&self, fetch: Fetch, error: &OperationError) {
        tracing::info!(agent = %self.agent, %error, "the device does not tell its supported data model");
        let models = &self.shared.models;
        match error {
            OperationError::Disconnected | OperationError::NotConnected => {
                models.lost(fetch, self.agent.as_str());
            }
            _ => models.failed(fetch),
        }
    }
}

/// What is asked in one request.
fn paths(shared: &Shared, with_subscriptions: bool) -> Vec<String> {
    let mut paths: Vec<String> = IDENTITY.map(|name| format!("{DEVICE_INFO}{name}")).into();
    if with_subscriptions {
        paths.extend([shared.recipient.clone(), TABLE.to_owned()]);
    }
    paths
}

/// Where this server finds its own row among a device's Controllers.
pub(super) fn recipient(server: &EndpointId) -> String {
    let id = server.as_str().replace('%', "%25").replace('"', "%22");
    format!("Device.LocalAgent.Controller.[EndpointID==\"{id}\"].EndpointID")
}

fn identity(answer: &GetOutcome) -> Description {
    let results = answer.results.iter();
    let found = results.filter_map(|result| match &result.status {
        GetStatus::Failed(_) => None,
        GetStatus::Found(objects) => Some(objects),
    });
    let objects: Vec<&ObjectValues> = found
        .flatten()
        .filter(|object| object.path == DEVICE_INFO)
        .collect();
    let value = |name: &str| {
        let mut objects = objects.iter();
        let told = objects.find_map(|object| object.parameters.get(name))?;
        // As much as is kept: what a device boasts of is not held while it is asked for more.
        Some(cut(told).to_owned())
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

/// As much of a text as is kept.
fn cut(text: &str) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= TEXT_BYTES_MAX).last();
    &text[..end.unwrap_or_default()]
}

/// The Subscriptions in the answer, or why there are none.
fn subscriptions_of(answer: &GetOutcome) -> Result<Found, String> {
    let rows = answer
        .results
        .iter()
        .find(|result| result.requested == TABLE);
    let rows = match rows.map(|result| &result.status) {
        Some(GetStatus::Found(rows)) => subscriptions::perhaps_ours(rows)?,
        Some(GetStatus::Failed(failure)) => {
            return Err(format!("{} ({})", failure.text, failure.code));
        }
        None => return Err("the device does not answer what it was asked".to_owned()),
    };
    let mut others = answer.results.iter().filter(|result| {
        result
            .requested
            .starts_with("Device.LocalAgent.Controller.")
    });
    let recipient = others.find_map(|result| match &result.status {
        GetStatus::Found(objects) => Some(objects.first()?.path.clone()),
        GetStatus::Failed(_) => None,
    });
    Ok(Found { recipient, rows })
}

fn pairs<'d>(
    new: &'d Description,
    old: &'d Description,
) -> [(&'d Option<String>, &'d Option<String>); 7] {
    [
        (&new.manufacturer, &old.manufacturer),
        (&new.oui, &old.oui),
        (&new.product_class, &old.product_class),
        (&new.serial_number, &old.serial_number),
        (&new.hardware_version, &old.hardware_version),
        (&new.software_version, &old.software_version),
        (&new.protocol_versions, &old.protocol_versions),
    ]
}

fn another() -> OperationError {
    OperationError::InvalidAnswer {
        text: "it answers something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use usphere_datamodel::operation::GetResult;

    use super::*;

    /// Whatever a device answers, little of it is held while it is asked for more.
    #[test]
    fn a_boast_is_cut() {
        let parameters = [
            ("Manufacturer", "ü".repeat(1 << 20)),
            ("SerialNumber", "plain".to_owned()),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        let object = ObjectValues {
            path: DEVICE_INFO.to_owned(),
            parameters: BTreeMap::from(parameters),
        };
        let answer = GetOutcome {
            results: vec![GetResult {
                requested: DEVICE_INFO.to_owned(),
                status: GetStatus::Found(vec![object]),
            }],
        };
        let said = identity(&answer);
        assert_eq!(said.manufacturer.unwrap(), "ü".repeat(TEXT_BYTES_MAX / 2));
        assert_eq!(said.serial_number.as_deref(), Some("plain"));
    }
}
