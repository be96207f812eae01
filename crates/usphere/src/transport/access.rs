//! Tokens, the audit and tags over the server's API.

use hyper::Method;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, SEGMENT, device_path};
use crate::defaults::API_PATH;
use crate::failure::Failure;

/// Entries of the audit that are asked for at a time.
const AUDIT_PAGE: usize = 100;

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

#[derive(Deserialize)]
struct AuditPage {
    audit: Vec<Value>,
    next: Option<i64>,
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
        let mut entries = Vec::new();
        let mut after: Option<i64> = None;
        loop {
            let limit = (wanted.limit - entries.len()).min(AUDIT_PAGE);
            let mut path = format!("{API_PATH}/audit?limit={limit}");
            for (name, value) in [
                ("actor", &wanted.actor),
                ("action", &wanted.action),
                ("target", &wanted.target),
            ] {
                if let Some(value) = value {
                    path += &format!("&{name}={}", utf8_percent_encode(value, SEGMENT));
                }
            }
            if let Some(after) = after {
                path += &format!("&after={after}");
            }
            let page = self.json(Method::GET, &path, None).await?;
            let page: AuditPage = self.understood(page)?;
            entries.extend(page.audit);
            after = page.next;
            if after.is_none() || entries.len() >= wanted.limit {
                entries.truncate(wanted.limit);
                return Ok(entries);
            }
        }
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
