//! Why the server did not do what it was asked for, as the end of a command.

use hyper::StatusCode;
use serde::Deserialize;

use super::{Place, Reply};
use crate::failure::{Exit, Failure};
use crate::print;

/// What is wrong, in the server's words. (RFC 9457)
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    /// What kind of problem it is, where the status leaves that open.
    kind: String,
}

impl Place {
    /// Why the server did not do it.
    pub(super) fn refused(&self, reply: &Reply) -> Failure {
        let status = reply.status;
        let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
        let detail = match problem.detail.as_str() {
            "" => status.to_string(),
            detail => print::clean(detail),
        };
        match status {
            StatusCode::UNAUTHORIZED if problem.kind == "token_expired" => {
                Failure::local(format_args!("{}: {detail}", self.address.url())).advise(
                    "`usphere tokens create` makes another; --token or USPHERE_TOKEN give it",
                )
            }
            StatusCode::FORBIDDEN => Failure::local(detail)
                .advise("`usphere tokens create NAME --scope SCOPE` makes one that may do more"),
            StatusCode::UNAUTHORIZED => {
                Failure::local(format_args!("{}: the server does not take the token", self.address.url()))
                    .advise(
                        "is it another server's? --data DIR names the data folder of this one, --token gives the token itself",
                    )
            }
            StatusCode::NOT_FOUND => {
                let failure = Failure::new(Exit::Absent, detail);
                match what_there_is(&problem.kind) {
                    Some(advice) => failure.advise(advice),
                    None => failure,
                }
            }
            StatusCode::CONFLICT
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS => Failure::new(Exit::Absent, detail),
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Failure::usage(detail),
            _ => Failure::local(detail),
        }
    }
}

/// What shows what there is of that which was not found. What is said of Subscriptions has it already.
fn what_there_is(kind: &str) -> Option<&'static str> {
    match kind {
        "no_such_device" => Some("`usphere devices list` shows the devices"),
        "no_such_operation" => Some("`usphere operations list` shows the operations"),
        "no_such_token" => Some("`usphere tokens list` shows the tokens"),
        _ => None,
    }
}
