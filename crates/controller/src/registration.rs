//! Answers to USP Services that want to register with us. Only a Broker takes registrations, and this
//! Controller is none.

use usphere_proto::ErrorCode;
use usphere_proto::msg::{
    Deregister, DeregisterOperationStatus, DeregisterOutcome, DeregisterResp, DeregisterSuccess,
    DeregisteredPathResult, OperationFailure, Register, RegisterOperationStatus, RegisterOutcome,
    RegisterResp, RegisteredPathResult,
};

use crate::limits::REGISTRATION_PATHS_MAX;

const NO_BROKER: &str = "this Controller is not a USP Broker and takes no registrations";

/// Every path failed: a response where the Service can live with that, else the text of an Error.
/// (R-REG.0, R-REG.1)
pub(crate) fn register(register: Register) -> Result<RegisterResp, &'static str> {
    if !register.allow_partial {
        return Err(NO_BROKER);
    }
    let failure = OperationFailure::new(ErrorCode::RegisterFailure, NO_BROKER);
    let results = register
        .reg_paths
        .into_iter()
        .take(REGISTRATION_PATHS_MAX)
        .map(|each| RegisteredPathResult {
            requested_path: each.path,
            oper_status: Some(RegisterOperationStatus {
                oper_status: Some(RegisterOutcome::OperFailure(failure.clone())),
            }),
        });
    Ok(RegisterResp {
        registered_path_results: results.collect(),
    })
}

/// Always a response, never an Error. (R-DEREG.4) Nothing here belongs to the Service: a path of its own
/// fails, and the empty one, which means all of them, is none. (R-DEREG.2)
pub(crate) fn deregister(deregister: Deregister) -> DeregisterResp {
    let results = deregister
        .paths
        .into_iter()
        .take(REGISTRATION_PATHS_MAX)
        .map(|path| {
            let outcome = if path.is_empty() {
                DeregisterOutcome::OperSuccess(DeregisterSuccess::default())
            } else {
                let failure = OperationFailure::new(ErrorCode::DeregisterFailure, NO_BROKER);
                DeregisterOutcome::OperFailure(failure)
            };
            DeregisteredPathResult {
                requested_path: path,
                oper_status: Some(DeregisterOperationStatus {
                    oper_status: Some(outcome),
                }),
            }
        });
    DeregisterResp {
        deregistered_path_results: results.collect(),
    }
}
