//! The commands that the Agent runs itself.

use usphere_datamodel::Moment;
use usphere_datamodel::model::{Outputs, OwnerError};

use super::Agent;
use crate::limits::RESET_DELAY;

/// A WebSocket session that is to be made anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    /// When: its answer is to leave by the session that it ends.
    due: Moment,
    controller: u32,
    mtp: u32,
}

impl Agent {
    /// Runs the command at this path, which is one of those that the Agent declares as its own.
    pub(super) fn own_command(&mut self, path: &str, now: Moment) -> Result<Outputs, OwnerError> {
        if let Some(controller) = boarding_of(path) {
            if !self.controllers.contains_key(&controller) {
                let text = "the Controller is not enabled, so that nothing is sent to it";
                return Err(OwnerError::failed(text));
            }
            self.send_on_board_request(controller, now);
            return Ok(Outputs::new());
        }
        let Some((controller, mtp)) = web_socket_of(path) else {
            return Err(OwnerError::failed("the Agent has no such command"));
        };
        let known = self.controllers.get(&controller);
        let enabled = known.is_some_and(|known| known.dialler.dials(mtp));
        if !enabled {
            return Err(OwnerError::failed(
                "the Controller or this MTP is not enabled, so there is no session to start",
            ));
        }
        let due = now + RESET_DELAY;
        self.resets.push(Reset {
            due,
            controller,
            mtp,
        });
        Ok(Outputs::new())
    }

    /// When the next reset is due.
    pub(super) fn reset_deadline(&self) -> Option<Moment> {
        self.resets.iter().map(|reset| reset.due).min()
    }

    /// Ends the sessions that were reset, or the attempts to make them; they are dialled at once.
    pub(super) fn reset_due(&mut self, now: Moment) {
        let due: Vec<Reset> = self
            .resets
            .extract_if(.., |reset| reset.due <= now)
            .collect();
        for Reset {
            controller, mtp, ..
        } in due
        {
            let known = self.controllers.get_mut(&controller);
            if let Some(upset) = known.and_then(|known| known.dialler.restart(mtp, now)) {
                self.upset(controller, upset);
            }
        }
    }
}

/// The instance number in `Device.LocalAgent.Controller.1.SendOnBoardRequest()`.
fn boarding_of(path: &str) -> Option<u32> {
    let rest = path.strip_prefix("Device.LocalAgent.Controller.")?;
    rest.strip_suffix(".SendOnBoardRequest()")?.parse().ok()
}

/// The instance numbers in `Device.LocalAgent.Controller.1.MTP.2.WebSocket.Reset()`.
fn web_socket_of(path: &str) -> Option<(u32, u32)> {
    let rest = path.strip_prefix("Device.LocalAgent.Controller.")?;
    let rest = rest.strip_suffix(".WebSocket.Reset()")?;
    let (controller, mtp) = rest.split_once(".MTP.")?;
    Some((controller.parse().ok()?, mtp.parse().ok()?))
}
