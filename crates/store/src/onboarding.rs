//! What a server keeps in order to take devices on board: who waits for approval, what their Subscriptions have
//! to be, and what products can do.

use serde::{Deserialize, Serialize};

use crate::device::{Description, cut};
use crate::limits::{
    MODEL_BYTES_MAX, PENDING_MAX, SUBSCRIPTION_NAME_BYTES_MAX,
    SUBSCRIPTION_REFERENCE_CHARACTERS_MAX, SUBSCRIPTION_REFERENCES_MAX, TEXT_BYTES_MAX,
};
use crate::{Backend, Milliseconds, Store, StoreError};

/// Whether a device is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// It is.
    Approved,
    /// It is there, and nobody has let it in.
    Pending,
}

/// What a check of a device has brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its Endpoint ID.
    pub endpoint_id: String,
    /// What it says about itself; what is none leaves what is known.
    pub description: Description,
    /// What has become of the server's Subscriptions on it, in words; none leaves what is known.
    pub subscriptions: Option<String>,
}

/// A Subscription that is to be on every device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, unique.
    pub name: String,
    /// The kind of notification, as TR-181 names it.
    pub notif_type: String,
    /// What it is about.
    pub references: Vec<String>,
    /// When it was made.
    pub created: Milliseconds,
}

/// What has one data model: a product with its software.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct Product {
    /// Who makes it; empty where that is not known.
    pub manufacturer: String,
    /// The OUI of the maker; empty where that is not known.
    pub oui: String,
    /// What it is.
    pub product_class: String,
    /// The version of its software.
    pub software_version: String,
}

/// A supported data model, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ModelEntry {
    /// Of what.
    #[serde(flatten)]
    pub product: Product,
    /// The Endpoint ID of the device that told it.
    pub device: String,
    /// When.
    pub fetched: Milliseconds,
    /// How large its content is.
    pub bytes: u64,
}

impl DeviceState {
    /// The name under which it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "pending",
        }
    }

    /// The state of this name. What is not known is not let in.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "approved" => Self::Approved,
            _ => Self::Pending,
        }
    }
}

impl Product {
    /// The product that a device says it is; none where it does not say enough to tell it from others.
    pub fn of(said: &Description) -> Option<Self> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let product = Self {
            manufacturer: text(&said.manufacturer),
            oui: text(&said.oui),
            product_class: text(&said.product_class),
            software_version: text(&said.software_version),
        };
        let is_made = !(product.manufacturer.is_empty() && product.oui.is_empty());
        let is_named = !product.product_class.is_empty() && !product.software_version.is_empty();
        (is_made && is_named).then_some(product)
    }
}

/// Devices that come on board.
impl Store {
    /// Records what devices say about themselves, in one transaction. Overlong texts are cut; unknown devices stay
    /// unknown.
    ///
    /// # Errors
    /// What the backend says.
    pub fn describe(&self, said: Vec<Described>) -> Result<(), StoreError> {
        let said = said.into_iter().map(|each| Described {
            endpoint_id: each.endpoint_id,
            description: each.description.bounded(),
            subscriptions: each.subscriptions.map(|text| cut(text, TEXT_BYTES_MAX)),
        });
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.describe(said.collect()),
        }
    }

    /// The state of the device with exactly this Endpoint ID; none where it is not known.
    ///
    /// # Errors
    /// What the backend says.
    pub fn device_state(&self, endpoint_id: &str) -> Result<Option<DeviceState>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.device_state(endpoint_id),
        }
    }

    /// Lets a device in, or has it wait.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no device has this Endpoint ID.
    pub fn set_device_state(
        &self,
        endpoint_id: &str,
        state: DeviceState,
    ) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.set_device_state(endpoint_id.to_owned(), state),
        }
    }

    /// The Endpoint IDs of the devices that wait, at most [`limits::PENDING_MAX`](crate::limits::PENDING_MAX).
    ///
    /// # Errors
    /// What the backend says.
    pub fn pending_devices(&self) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.pending_devices(PENDING_MAX),
        }
    }

    /// The Endpoint IDs of the devices that have ever proved themselves by a certificate.
    ///
    /// # Errors
    /// What the backend says.
    pub fn proven_devices(&self) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.proven_devices(),
        }
    }

    /// The devices that wait and were last seen before `before`, or all, with when that was: those that were not seen
    /// longest first, at most [`limits::PENDING_MAX`](crate::limits::PENDING_MAX).
    ///
    /// # Errors
    /// What the backend says.
    pub fn pending_since(
        &self,
        before: Option<Milliseconds>,
    ) -> Result<Vec<(String, Milliseconds)>, StoreError> {
        let before = before.unwrap_or(Milliseconds::MAX);
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.pending_since(before, PENDING_MAX),
        }
    }

    /// Forgets those of these devices that still wait and were not seen since, as [`Store::remove`] does.
    ///
    /// # Errors
    /// What the backend says, with nothing forgotten.
    pub fn remove_pending(&self, devices: Vec<(String, Milliseconds)>) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove_pending(devices),
        }
    }

    /// The Subscriptions that are to be on every device, by name.
    ///
    /// # Errors
    /// What the backend says.
    pub fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.subscriptions(),
        }
    }

    /// Adds a Subscription, or replaces the one of the same name.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a name or references that cannot be, or when there are as many as may be.
    pub fn put_subscription(&self, subscription: Subscription) -> Result<(), StoreError> {
        check(&subscription)?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.put_subscription(subscription),
        }
    }

    /// Takes a Subscription away.
    ///
    /// # Errors
    /// [`StoreError::NoSubscription`] when there is none of this name.
    pub fn remove_subscription(&self, name: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove_subscription(name.to_owned()),
        }
    }

    /// Keeps the supported data model of a product instead of the one that is kept. The oldest give way.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for one larger than [`limits::MODEL_BYTES_MAX`](crate::limits::MODEL_BYTES_MAX).
    pub fn put_model(
        &self,
        product: Product,
        device: &str,
        fetched: Milliseconds,
        content: String,
    ) -> Result<(), StoreError> {
        if content.len() > MODEL_BYTES_MAX {
            return Err(StoreError::Invalid(format!(
                "a supported data model of {} bytes; at most {MODEL_BYTES_MAX} are kept",
                content.len()
            )));
        }
        let entry = ModelEntry {
            product,
            device: device.to_owned(),
            fetched,
            bytes: content.len() as u64,
        };
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.put_model(entry, content),
        }
    }

    /// The supported data model of a product, in the form in which it was given, and when it was fetched.
    ///
    /// # Errors
    /// What the backend says.
    pub fn model(&self, product: &Product) -> Result<Option<(Milliseconds, String)>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.model(product),
        }
    }

    /// All supported data models that are kept, by product.
    ///
    /// # Errors
    /// What the backend says.
    pub fn models(&self) -> Result<Vec<ModelEntry>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.models(),
        }
    }

    /// Forgets the supported data model of a product, if it is kept.
    ///
    /// # Errors
    /// What the backend says.
    pub fn remove_model(&self, product: Product) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove_model(product),
        }
    }
}

fn is_path(path: &str) -> bool {
    let length = path.chars().count();
    (1..=SUBSCRIPTION_REFERENCE_CHARACTERS_MAX).contains(&length)
        && !path.chars().any(char::is_control)
}

/// A name is part of the ID of a Subscription and of a URL.
fn check(subscription: &Subscription) -> Result<(), StoreError> {
    let name = &subscription.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let reason = if !(1..=SUBSCRIPTION_NAME_BYTES_MAX).contains(&name.len()) {
        format!("1 to {SUBSCRIPTION_NAME_BYTES_MAX} characters are allowed")
    } else if !name.chars().all(is_plain) {
        "letters, digits, '-', '_' and '.' are allowed".to_owned()
    } else if !(1..=SUBSCRIPTION_REFERENCES_MAX).contains(&subscription.references.len()) {
        format!("1 to {SUBSCRIPTION_REFERENCES_MAX} paths are expected")
    } else if !subscription.references.iter().all(|path| is_path(path)) {
        format!("a path has 1 to {SUBSCRIPTION_REFERENCE_CHARACTERS_MAX} visible characters")
    } else {
        return Ok(());
    };
    Err(StoreError::Invalid(format!(
        "the Subscription {name:?}: {reason}"
    )))
}
