//! Requests as JSON: the body of a verb, and what is kept of it.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use usphere_datamodel::operation::{Operation, OperationKind};

/// Reads the body of a verb. An empty body is an empty object.
pub(crate) fn read(kind: OperationKind, body: &[u8]) -> serde_json::Result<Operation> {
    fn from<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
        // It would be taken for the values of the fields.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(serde_json::Error::custom("an object is expected"));
        }
        serde_json::from_slice(body)
    }
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    Ok(match kind {
        OperationKind::Add => Operation::Add(from(body)?),
        OperationKind::Delete => Operation::Delete(from(body)?),
        OperationKind::Get => Operation::Get(from(body)?),
        OperationKind::Instances => Operation::Instances(from(body)?),
        OperationKind::Operate => Operation::Operate(from(body)?),
        OperationKind::Set => Operation::Set(from(body)?),
        OperationKind::SupportedModel => Operation::SupportedModel(from(body)?),
        OperationKind::SupportedProtocol => Operation::SupportedProtocol(from(body)?),
    })
}

/// The same request always gives the same text, however its body was written.
pub(crate) fn to_json(operation: &Operation) -> serde_json::Result<String> {
    fn json(arguments: &impl Serialize) -> serde_json::Result<String> {
        serde_json::to_string(arguments)
    }
    match operation {
        Operation::Add(arguments) => json(arguments),
        Operation::Delete(arguments) => json(arguments),
        Operation::Get(arguments) => json(arguments),
        Operation::Instances(arguments) => json(arguments),
        Operation::Operate(arguments) => json(arguments),
        Operation::Set(arguments) => json(arguments),
        Operation::SupportedModel(arguments) => json(arguments),
        Operation::SupportedProtocol(arguments) => json(arguments),
    }
}
