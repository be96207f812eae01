//! The inventory over the server's API, and who tried to get into it.

use hyper::Method;
use serde_json::Value;

use super::pages::List;
use super::{Api, device_path};
use crate::failure::Failure;

const CONTACTS: List = List {
    path: "contacts",
    entries: "contacts",
    page: 100,
};

const DEVICES: List = List {
    path: "devices",
    entries: "devices",
    page: 1000,
};

impl Api {
    /// Contacts that failed, those that came last first: of a device, or all.
    pub(crate) async fn contacts(
        &mut self,
        device: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<Value>, Failure> {
        self.pages(CONTACTS, &[("device", device)], wanted).await
    }

    /// The devices of the server, all or those that fit the filters of the API.
    pub(crate) async fn devices(
        &mut self,
        filters: &[(&str, String)],
    ) -> Result<Vec<Value>, Failure> {
        let filters = filters
            .iter()
            .map(|(name, value)| (*name, Some(value.as_str())));
        let filters: Vec<_> = filters.collect();
        self.pages(DEVICES, &filters, usize::MAX).await
    }

    /// One device.
    pub(crate) async fn device(&mut self, device: &str) -> Result<Value, Failure> {
        self.json(Method::GET, &device_path(device), None).await
    }

    /// Whether a device tells the server itself how commands end.
    pub(crate) async fn hears_ends(&mut self, device: &str) -> Result<bool, Failure> {
        Ok(self.device(device).await?["subscriptions"] == "kept")
    }

    /// Gives a device an alias, or takes it away; the device as it is then.
    pub(crate) async fn rename(
        &mut self,
        device: &str,
        alias: Option<&str>,
    ) -> Result<Value, Failure> {
        let body = serde_json::json!({ "alias": alias }).to_string();
        self.json(Method::PATCH, &device_path(device), Some(&body))
            .await
    }

    /// Forgets a device.
    pub(crate) async fn remove(&mut self, device: &str) -> Result<(), Failure> {
        self.done(Method::DELETE, &device_path(device)).await
    }
}
