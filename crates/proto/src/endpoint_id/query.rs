//! The `eid` item of a WebSocket request URI. (R-WS.10b, R-WS.10c)

use std::fmt::Write as _;

use thiserror::Error;

use super::{EndpointId, EndpointIdError};

const KEY: &str = "eid";

/// What is wrong with the `eid` item of a query.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// A percent sign without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("eid={value:?}: percent signs need two hexadecimal digits that together make UTF-8")]
    Encoding {
        /// The value as it stands in the query.
        value: String,
    },
    /// The decoded value is no Endpoint ID.
    #[error(transparent)]
    EndpointId(#[from] EndpointIdError),
}

/// `uri` with `eid=ID` added to its query. (R-WS.10b)
///
/// ```
/// # use usphere_proto::{EndpointId, append_eid};
/// let id = EndpointId::parse("self::a%20b")?;
/// assert_eq!(append_eid("ws://host/usp", &id), "ws://host/usp?eid=self::a%2520b");
/// assert_eq!(append_eid("ws://host/usp?x=1", &id), "ws://host/usp?x=1&eid=self::a%2520b");
/// # Ok::<(), usphere_proto::EndpointIdError>(())
/// ```
pub fn append_eid(uri: &str, id: &EndpointId) -> String {
    let (uri, fragment) = match uri.find('#') {
        Some(at) => uri.split_at(at),
        None => (uri, ""),
    };
    let joint = match uri.find('?') {
        None => "?",
        Some(_) if uri.ends_with(['?', '&']) => "",
        Some(_) => "&",
    };
    format!(
        "{uri}{joint}{KEY}={}{fragment}",
        encode_query_value(id.as_str())
    )
}

/// The Endpoint ID of a query such as `x=1&eid=self::a`, if it has one; the first `eid` counts.
pub fn eid_in_query(query: &str) -> Result<Option<EndpointId>, QueryError> {
    let mut items = query.split('&').filter_map(|item| item.split_once('='));
    let Some((_, value)) = items.find(|(key, _)| *key == KEY) else {
        return Ok(None);
    };
    Ok(Some(EndpointId::from_wire(&decode_query_value(value)?)?))
}

/// Percent-encodes opaque data for a query: a percent sign becomes `%25`. (R-WS.10c)
pub fn encode_query_value(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte))
            }
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Undoes [`encode_query_value`]. A plus sign stays one.
pub fn decode_query_value(value: &str) -> Result<String, QueryError> {
    let fault = || QueryError::Encoding {
        value: value.to_owned(),
    };
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            decoded.push(first);
            continue;
        }
        let Some((digits, after)) = rest.split_at_checked(2) else {
            return Err(fault());
        };
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else {
            return Err(fault());
        };
        decoded.push(high << 4 | low);
        rest = after;
    }
    String::from_utf8(decoded).map_err(|_| fault())
}
