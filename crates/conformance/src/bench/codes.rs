//! Which error codes fit which request.

use std::ops::RangeInclusive;

use usphere_proto::{MsgType, code_name};

use crate::stop::{Done, Stop};

/// The codes of vendors fit everything.
const VENDORS: RangeInclusive<u32> = 7800..=7999;

/// Whether an error code may be an answer to such a request. (TR-369, the clause of each Message)
///
/// # Errors
/// It may not.
pub fn appropriate(code: u32, to: MsgType) -> Done {
    let fits = fitting(to).iter().any(|codes| codes.contains(&code)) || VENDORS.contains(&code);
    match fits {
        true => Ok(()),
        false => Err(Stop::Failed(format!(
            "an error code for the {to:?} was expected, {code} ({}) came",
            code_name(code)
        ))),
    }
}

fn fitting(to: MsgType) -> &'static [RangeInclusive<u32>] {
    match to {
        // 7021 and 7025 are not in the clause's list, and their descriptions speak of Add.
        MsgType::Add => &[7000..=7019, 7021..=7021, 7025..=7026],
        MsgType::Set => &[7000..=7016, 7020..=7021, 7025..=7026],
        MsgType::Delete => &[
            7000..=7008,
            7015..=7016,
            7018..=7018,
            7024..=7024,
            7026..=7026,
        ],
        MsgType::Get => &[
            7000..=7006,
            7008..=7008,
            7010..=7010,
            7016..=7016,
            7026..=7026,
        ],
        MsgType::GetInstances => &[
            7000..=7006,
            7008..=7008,
            7016..=7016,
            7018..=7018,
            7026..=7026,
        ],
        MsgType::GetSupportedDm => &[7000..=7006, 7008..=7008, 7016..=7016, 7026..=7026],
        MsgType::Operate => &[7000..=7008, 7016..=7016, 7022..=7023, 7026..=7027],
        MsgType::Register => &[7000..=7008, 7016..=7016, 7028..=7029],
        MsgType::Deregister => &[7000..=7008, 7016..=7016, 7030..=7030],
        _ => &[7000..=7006],
    }
}
