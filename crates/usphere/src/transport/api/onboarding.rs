//! What the API has for devices that come on board.

use hyper::Method;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{API_PATH, Api, SEGMENT, device_path};
use crate::failure::Failure;

#[derive(Deserialize)]
struct Subscriptions {
    subscriptions: Vec<Value>,
}

impl Api {
    /// Lets a device in; the device as it is then.
    pub(crate) async fn approve(&mut self, device: &str) -> Result<Value, Failure> {
        let path = format!("{}/approve", device_path(device));
        self.json(Method::POST, &path, None).await
    }

    /// The Subscriptions that every device is to have.
    pub(crate) async fn subscriptions(&mut self) -> Result<Vec<Value>, Failure> {
        let path = format!("{API_PATH}/subscriptions");
        let answer = self.json(Method::GET, &path, None).await?;
        let answer: Subscriptions = self.understood(answer)?;
        Ok(answer.subscriptions)
    }

    /// Has every device have a Subscription; the Subscription.
    pub(crate) async fn subscribe(
        &mut self,
        name: &str,
        kind: &str,
        references: &[String],
    ) -> Result<Value, Failure> {
        let body = json!({"type": kind, "references": references}).to_string();
        self.json(Method::PUT, &subscription_path(name), Some(&body))
            .await
    }

    /// Takes a Subscription away from every device.
    pub(crate) async fn unsubscribe(&mut self, name: &str) -> Result<(), Failure> {
        self.done(Method::DELETE, &subscription_path(name)).await
    }
}

fn subscription_path(name: &str) -> String {
    let name = utf8_percent_encode(name, SEGMENT);
    format!("{API_PATH}/subscriptions/{name}")
}
