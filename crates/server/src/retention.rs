//! What is kept long enough is forgotten.

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use usphere_store::{Kept, KeptOperations, Milliseconds, Store, StoreError};

use crate::blocking::call;
use crate::config::Retention;
use crate::health;
use crate::inventory::now;
use crate::limits::RETENTION_INTERVAL;

const HOUR: Milliseconds = 3600 * 1000;
const DAY: Milliseconds = 24 * HOUR;

/// A server that stops does not wait until all that is old is forgotten.
struct Leaving(Store);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave_pruning();
    }
}

/// Looks for what is old from time to time, and when how long it is kept has changed. Never ends by itself.
pub(crate) async fn keep(store: Store, mut retention: watch::Receiver<Retention>) {
    let _leaving = Leaving(store.clone());
    let mut ticks = interval(RETENTION_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = retention.changed() => {}
        }
        let retention = *retention.borrow_and_update();
        if let Err(error) = forget(&store, retention, now()).await {
            health::not_kept(&error, "that what is old is forgotten");
        }
    }
}

async fn forget(store: &Store, retention: Retention, now: Milliseconds) -> Result<(), StoreError> {
    let kept = |days: u32, max: u64| Kept {
        since: now.saturating_sub(i64::from(days) * DAY),
        max: (max > 0).then_some(max),
    };
    let events = kept(retention.events_days, retention.events_max);
    let audit = kept(retention.audit_days, retention.audit_max);
    let contacts = now.saturating_sub(i64::from(retention.contacts_days) * DAY);
    let operations = KeptOperations {
        changes: kept(retention.operations_days, retention.operations_max),
        reads: kept(retention.operations_days, retention.reads_max),
        keys_since: now.saturating_sub(i64::from(retention.keys_hours) * HOUR),
    };
    call(store, move |store| {
        store.prune_operations(operations)?;
        store.prune_events(events)?;
        store.prune_audit(audit)?;
        store.prune_contacts(contacts)
    })
    .await
}

#[cfg(test)]
mod tests {
    use usphere_store::{AuditQuery, ContactQuery, NewAuditEntry, NewContacts, NewEvent};

    use super::*;

    #[tokio::test]
    async fn what_is_older_than_its_days_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let now = 100 * DAY;
        for days in [0, 2, 5] {
            let at = now - days * DAY;
            let event = NewEvent {
                device: "os::1".into(),
                at,
                msg_id: days.to_string(),
                content: "{}".into(),
            };
            store.add_events(vec![event]).unwrap();
            let entry = NewAuditEntry {
                at,
                ..NewAuditEntry::default()
            };
            store.begin_audit(entry).unwrap();
            let contact = NewContacts {
                source: "192.0.2.1".into(),
                remote: "192.0.2.1:1".into(),
                mtp: "WebSocket".into(),
                endpoint_id: None,
                reason: days.to_string(),
                detail: String::new(),
                first: at,
                at,
                count: 1,
            };
            store.add_contacts(vec![contact]).unwrap();
        }
        let retention = Retention {
            events_days: 1,
            audit_days: 3,
            contacts_days: 4,
            ..Retention::default()
        };
        forget(&store, retention, now).await.unwrap();
        assert!(
            store
                .all_events(0, 9)
                .unwrap()
                .iter()
                .all(|event| event.at == now)
        );
        let kept = store.audit(&AuditQuery::default(), 9).unwrap().entries;
        assert_eq!(kept.len(), 2);
        let kept = store.contacts(&ContactQuery::default(), 9).unwrap();
        assert_eq!(kept.contacts.len(), 2);
        drop(Leaving(store.clone()));
        let later = now + 1000 * DAY;
        forget(&store, retention, later).await.unwrap();
        assert_eq!(store.all_events(0, 9).unwrap().len(), 1, "it goes on");
    }
}
