//! The charts of TR-369, each as one function.
//!
//! | chart | function | requirements |
//! |---|---|---|
//! | Receiving a X.509 Certificate | [`judge_mtp`] | R-MTP.2 to R-MTP.4a |
//! | USP Record without USP Layer Secure Message Exchange, Trusted Broker with Received Record | [`judge_record`] | R-SEC.22, R-SEC.26 |
//! | Checking a Certificate, Determining the Role | `check` | R-SEC.24, R-SEC.25 |
//! | Sending a USP Record, Trusted Broker Sending a Record | [`judge_send`] | R-SEC.23, R-SEC.26 |

mod check;
mod mtp;
mod record;
mod send;
#[cfg(test)]
mod tests;

pub use check::{Admission, Rejection, Standing};
pub use mtp::{Expected, judge_mtp};
pub use record::judge_record;
pub use send::judge_send;
