//! Tokens, the audit and tags over the server's API.

use hyper::Method;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, List, SEGMENT, device_path};
use crate::defaults::API_PATH;
use crate::failure::Failure;

const AUDIT: List = List {
    path: "audit",
    entries: "audit",
    page: 100,
};

/// Which entries of the audit are wanted.
#[derive(Debug)]
pub(crate) struct Audited {
    pub(crate) actor: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) limit: usize,
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<Value>,
}

impl Api {
    /// All tokens but the one of the data folder.
    pub(crate) async fn tokens(&mut self) -> Result<Vec<Value>, Failure> {
        let path = format!("{API_PATH}/tokens");
        let list = self.json(Method::GET, &path, None).await?;
        let list: Tokens = self.understood(list)?;
        Ok(list.tokens)
    }

    /// Makes a token; with its secret, which is not told again.
    pub(crate) async fn make_token(
        &mut self,
        name: &str,
        scope: &str,
        seconds: Option<u64>,
    ) -> Result<Value, Failure> {
        let mut body = json!({"name": name, "scope": scope});
        if let Some(seconds) = seconds {
            body["expires_in"] = seconds.into();
        }
        let path = format!("{API_PATH}/tokens");
        self.json(Method::POST, &path, Some(&body.to_string()))
            .await
    }

    /// Revokes a token.
    pub(crate) async fn revoke_token(&mut self, name: &str) -> Result<(), Failure> {
        let name = utf8_percent_encode(name, SEGMENT);
        self.done(Method::DELETE, &format!("{API_PATH}/tokens/{name}"))
            .await
    }

    /// Who changed what, the newest first.
    pub(crate) async fn audit(&mut self, wanted: &Audited) -> Result<Vec<Value>, Failure> {
        let filters = [
            ("actor", wanted.actor.as_deref()),
            ("action", wanted.action.as_deref()),
            ("target", wanted.target.as_deref()),
        ];
        self.pages(AUDIT, &filters, wanted.limit).await
    }

    /// Gives a device a tag, or takes it away; the device as it is then.
    pub(crate) async fn tag(
        &mut self,
        device: &str,
        tag: &str,
        is_wanted: bool,
    ) -> Result<Value, Failure> {
        let method = match is_wanted {
            true => Method::PUT,
            false => Method::DELETE,
        };
        let tag = utf8_percent_encode(tag, SEGMENT);
        let path = format!("{}/tags/{tag}", device_path(device));
        self.json(method, &path, None).await
    }
}
