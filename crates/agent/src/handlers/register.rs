//! Register and Deregister, which only a USP Broker can serve.

use usphere_proto::ErrorCode;
use usphere_proto::msg::{
    Deregister, DeregisterOperationStatus, DeregisterOutcome, DeregisterResp,
    DeregisteredPathResult, OperationFailure,
};

use super::Answer;

/// Refuses a Register: this Agent is no USP Broker.
pub(super) fn register() -> Answer {
    Answer::error(
        ErrorCode::MessageNotSupported,
        "this Agent is no USP Broker and takes no registrations",
    )
}

/// Answers a Deregister, which is never answered by an Error Message: nothing was registered. (R-DEREG.4)
pub(super) fn deregister(request: &Deregister) -> Answer {
    let refused = |path: &String| DeregisteredPathResult {
        requested_path: path.clone(),
        oper_status: Some(DeregisterOperationStatus {
            oper_status: Some(DeregisterOutcome::OperFailure(OperationFailure::new(
                ErrorCode::DeregisterFailure,
                format!("{path}: nothing was registered here, this Agent is no USP Broker"),
            ))),
        }),
    };
    DeregisterResp {
        deregistered_path_results: request.paths.iter().map(refused).collect(),
    }
    .into()
}
