//! What Subscriptions set when what they are about happens. (TR-181 2.19, TriggerAction, TriggerConfigSettings)
//!
//! It is set with the rights of the recipient, each entry by itself: one that fails is told to the log and
//! leaves the others alone. What is set may trigger further Subscriptions, but not in an endless row.

use std::sync::Arc;

use usphere_datamodel::model::{ResolvedKind, Setting, Sight, Target};
use usphere_datamodel::{Access, Fault, FaultKind, Moment, Rights, Transaction};

use super::subscription::Subscription;
use crate::engine::plans::Purpose;
use crate::engine::{Agent, Conclusion};
use crate::handlers;
use crate::limits::{TRIGGER_DEPTH_MAX, TRIGGER_TARGETS_MAX};
use crate::lockout;
use crate::notice::Notice;

impl Agent {
    /// Sets what the Subscription says, on account of something that is itself `depth` triggers away from
    /// what happened first.
    pub(super) fn trigger(&mut self, subscription: &Arc<Subscription>, depth: u8, now: Moment) {
        let Some(controller) = self.controllers.get(&subscription.recipient) else {
            return;
        };
        if subscription.action.settings.is_empty() {
            return;
        }
        if depth >= TRIGGER_DEPTH_MAX {
            return self.note_untriggered(
                subscription.instance,
                format!("{TRIGGER_DEPTH_MAX} Subscriptions have triggered each other in a row"),
            );
        }
        let access = Arc::clone(&controller.access);
        let subscription = Arc::clone(subscription);
        let work = move |transaction: &mut Transaction<'_>| {
            let settings = subscription.action.settings.iter();
            let faults = settings.filter_map(|item| set(transaction, item, &access).err());
            Conclusion::Triggered {
                instance: subscription.instance,
                faults: faults.collect(),
            }
        };
        let purpose = Purpose::Trigger { depth: depth + 1 };
        self.submit_for(Box::new(work), purpose, now);
    }

    pub(in crate::engine) fn triggered(&mut self, instance: u32, faults: Vec<Fault>) {
        for fault in faults {
            self.note_untriggered(instance, fault.to_string());
        }
    }

    fn note_untriggered(&mut self, instance: u32, reason: String) {
        self.note(Notice::NotTriggered {
            subscription: instance,
            reason,
        });
    }
}

/// Sets one entry, on all objects that its path means or on none.
fn set(transaction: &mut Transaction<'_>, item: &str, access: &Access) -> Result<(), Fault> {
    let start = transaction.savepoint();
    let outcome = lockout::prevent(transaction, |transaction| {
        set_all(transaction, item, access)
    });
    let outcome = outcome.and_then(|outcome| outcome);
    if outcome.is_err() {
        transaction.rollback(start);
    }
    outcome
}

fn set_all(transaction: &mut Transaction<'_>, item: &str, access: &Access) -> Result<(), Fault> {
    let (path, value) = handlers::setting(item)
        .map_err(|reason| Fault::new(FaultKind::ValueInvalid, item, reason))?;
    let resolved = transaction.resolve(&path, item, Sight::Addressable(access))?;
    let wrong = if resolved.kind != ResolvedKind::Parameter {
        Some((FaultKind::PathInvalid, "this is not a parameter"))
    } else if resolved.targets.len() > TRIGGER_TARGETS_MAX {
        Some((FaultKind::ResourcesExceeded, "this means too many objects"))
    } else {
        None
    };
    if let Some((kind, text)) = wrong {
        return Err(Fault::new(kind, item, text));
    }
    for Target { object, node } in resolved.targets {
        let may_write = transaction
            .rights(access, node, object)
            .grants(Rights::PARAMETER_WRITE);
        if !may_write {
            let text = "the recipient may not write this parameter";
            return Err(Fault::new(FaultKind::WriteForbidden, item, text));
        }
        handlers::check_subscription(transaction, object, node, value)?;
        transaction.set(object, node, value, Setting::Update)?;
        transaction.check_unique(object)?;
    }
    Ok(())
}
