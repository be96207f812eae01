//! A small web server that the Agent can reach, in the bench's hands: it collects bulk data, and gives firmware away.
//!
//! What the Agent asks of it happens like all else ([`What::Requested`](crate::peer::What)); what it answers is
//! said beforehand, page by page.

use std::fmt;

use bytes::Bytes;

use crate::peer::{Address, Trouble};

/// One request of the Agent, and how it was answered.
#[derive(Clone, Debug, Default)]
pub struct WebRequest {
    /// Its method, in upper case.
    pub method: String,
    /// Its path, without the query.
    pub page: String,
    /// The parameters of its query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Its header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, without transfer coding.
    pub body: Bytes,
    /// Whether it came over TLS.
    pub is_secure: bool,
    /// The status code that it was answered with.
    pub status: u16,
}

/// How requests at one page are answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body; HEAD is told only of its length.
    pub body: Bytes,
}

/// A small web server that the Agent can reach.
pub trait Web {
    /// From now on answers requests at the page (a path with its leading `/`) so, whatever was said of it before:
    /// where the Agent finds it. Requests at other pages are answered by 404 and told to nobody.
    ///
    /// # Errors
    /// There can be no such server.
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble>;

    /// From now on there is no such page.
    fn forget(&mut self, page: &str);
}

impl Reply {
    /// Without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            body: Bytes::new(),
        }
    }

    /// A file.
    pub fn file(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            body: body.into(),
        }
    }
}

impl WebRequest {
    /// The value of a header field, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }

    /// The media type of the body, without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?.split(';').next()?;
        Some(value.trim().to_ascii_lowercase())
    }

    /// The value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(parameter, _)| parameter == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// For people: all of it, decoded.
impl fmt::Display for WebRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        writeln!(f, "{} {} over {scheme}", self.method, self.page)?;
        for (name, value) in &self.query {
            writeln!(f, "? {name} = {value}")?;
        }
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))?;
        write!(f, "\n\nanswered by {}", self.status)
    }
}
