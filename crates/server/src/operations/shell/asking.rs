//! Asking devices what Operations want of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use usphere_datamodel::operation::{Operation, OperationKind};
use usphere_proto::EndpointId;
use usphere_runtime::controller_host::Asked;

use super::Shared;
use crate::blocking::call;
use crate::operations::core::Input;
use crate::operations::name::Number;
use crate::operations::request;

impl Shared {
    /// Asks a device: at once where the request is at hand, so that requests are sent in their order.
    pub(super) fn send(
        self: &Arc<Self>,
        number: Number,
        device: &str,
        request: Option<Box<Operation>>,
        command_key: Option<String>,
        patience: i64,
    ) {
        let shared = Arc::clone(self);
        let patience = Duration::from_millis(patience.unsigned_abs());
        let Ok(agent) = EndpointId::from_wire(device) else {
            tokio::spawn(async move { shared.tell(Input::Unreadable(number)) });
            return;
        };
        match request {
            Some(request) => {
                let request = named(*request, command_key);
                let (kind, begun) = (request.kind(), Instant::now());
                let asked = self.controller.ask(&agent, request, patience);
                tokio::spawn(async move {
                    shared.answered(number, &agent, kind, begun, asked).await;
                });
            }
            None => {
                tokio::spawn(async move {
                    let Some(request) = shared.request(number).await else {
                        return shared.tell(Input::Unreadable(number));
                    };
                    let request = named(request, command_key);
                    let (kind, begun) = (request.kind(), Instant::now());
                    let asked = shared.controller.ask(&agent, request, patience);
                    shared.answered(number, &agent, kind, begun, asked).await;
                });
            }
        }
    }

    /// What is asked, from the store.
    async fn request(&self, number: Number) -> Option<Operation> {
        let row = call(&self.store, move |store| store.operation(number.0)).await;
        let row = row.ok()??;
        let kind: OperationKind = row.kind.parse().ok()?;
        request::read(kind, row.request.as_bytes()).ok()
    }

    async fn answered(
        self: &Arc<Self>,
        number: Number,
        agent: &EndpointId,
        kind: OperationKind,
        begun: Instant,
        asked: Asked,
    ) {
        let answer = asked.answer().await;
        self.counts.answered(kind, &answer, begun);
        let mut state = self.lock();
        let input = Input::Answered {
            number,
            answer,
            // Asked under the lock: who comes after this is told of by an event.
            is_online: self.controller.is_online(agent),
        };
        self.drive(&mut state, input);
    }
}

/// A command has the key by which its end is known.
fn named(request: Operation, command_key: Option<String>) -> Operation {
    match (request, command_key) {
        (Operation::Operate(mut operate), Some(key)) => {
            operate.command_key = key;
            Operation::Operate(operate)
        }
        (request, _) => request,
    }
}
