//! Lists, which the API gives in pages.

use hyper::Method;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use super::{API_PATH, Api, SEGMENT};
use crate::failure::Failure;

/// One list of the API.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport) struct List {
    /// What stands behind `/api/v1/`.
    pub(in crate::transport) path: &'static str,
    /// The member of a page that has its entries.
    pub(in crate::transport) entries: &'static str,
    /// How many are asked for at a time.
    pub(in crate::transport) page: usize,
}

impl Api {
    /// The first `wanted` entries of a list, by the filters of the API; those without a value do not count.
    pub(in crate::transport) async fn pages(
        &mut self,
        list: List,
        filters: &[(&str, Option<&str>)],
        wanted: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let limit = (wanted - found.len()).min(list.page);
            let mut path = format!("{API_PATH}/{}?limit={limit}", list.path);
            for (name, value) in filters.iter().chain(&[("after", after.as_deref())]) {
                if let Some(value) = value {
                    path += &format!("&{name}={}", utf8_percent_encode(value, SEGMENT));
                }
            }
            let mut page = self.json(Method::GET, &path, None).await?;
            found.extend(self.understood::<Vec<Value>>(page[list.entries].take())?);
            after = self.understood(page["next"].take())?;
            if after.is_none() || found.len() >= wanted {
                found.truncate(wanted);
                return Ok(found);
            }
        }
    }
}
