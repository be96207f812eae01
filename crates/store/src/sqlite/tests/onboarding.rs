//! Devices that wait, Subscriptions for all, and what products can do.

use super::*;
use crate::limits::{MODEL_BYTES_MAX, MODELS_MAX, SUBSCRIPTIONS_MAX};
use crate::{Product, Subscription};

fn product(software_version: &str) -> Product {
    Product {
        manufacturer: "Example".into(),
        oui: String::new(),
        product_class: "Gateway".into(),
        software_version: software_version.into(),
    }
}

fn subscription(name: &str) -> Subscription {
    Subscription {
        name: name.into(),
        notif_type: "ValueChange".into(),
        references: vec!["Device.A.".into(), "Device.B.C".into()],
        created: 7,
    }
}

#[test]
fn who_waits_goes_on_waiting_until_it_is_let_in() {
    let folder = folder();
    let store = self::store(&folder);
    let waiting = |at| Sighting {
        state: DeviceState::Pending,
        ..sighting("os::1", at)
    };
    store
        .seen(vec![waiting(1), sighting("os::2", 1), sighting("os::1", 2)])
        .unwrap();
    assert_eq!(store.find("os::1").unwrap().state, DeviceState::Pending);
    assert_eq!(store.pending_devices().unwrap(), ["os::1"]);
    store
        .set_device_state("os::1", DeviceState::Approved)
        .unwrap();
    store.seen(vec![waiting(3)]).unwrap();
    drop(store);
    let store = self::store(&folder);
    assert_eq!(
        store.device_state("os::1").unwrap(),
        Some(DeviceState::Approved)
    );
    assert_eq!(store.device_state("os::").unwrap(), None);
    assert!(store.pending_devices().unwrap().is_empty());
    let unknown = store.set_device_state("os::9", DeviceState::Approved);
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
}

/// Whatever stands in a damaged row, it lets nobody in.
#[test]
fn an_unknown_state_counts_as_waiting() {
    let folder = folder();
    drop(store(&folder));
    let path = folder.path().join("server.db");
    store(&folder).seen(vec![sighting("os::1", 1)]).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute("UPDATE devices SET state = 'nonsense'", [])
        .unwrap();
    drop(connection);
    let store = store(&folder);
    assert_eq!(store.find("os::1").unwrap().state, DeviceState::Pending);
    assert_eq!(store.pending_devices().unwrap(), ["os::1"]);
}

#[test]
fn who_waits_is_forgotten_where_it_was_not_seen_since() {
    let folder = folder();
    let store = store(&folder);
    let waits = |id: &str, at| Sighting {
        state: DeviceState::Pending,
        ..sighting(id, at)
    };
    let seen = vec![
        waits("os::2", 2),
        waits("os::1", 1),
        waits("os::3", 3),
        sighting("os::4", 1),
    ];
    store.seen(seen).unwrap();
    let found = store.pending_since(Some(3)).unwrap();
    assert_eq!(found, [("os::1".to_owned(), 1), ("os::2".to_owned(), 2)]);
    assert_eq!(store.pending_since(None).unwrap().len(), 3);
    // One comes back before it is forgotten, one is let in.
    store.seen(vec![waits("os::1", 9)]).unwrap();
    store
        .set_device_state("os::2", DeviceState::Approved)
        .unwrap();
    store.remove_pending(found).unwrap();
    assert_eq!(store.count().unwrap(), 4);
    store.remove_pending(vec![("os::3".to_owned(), 3)]).unwrap();
    assert_eq!(store.count().unwrap(), 3);
}

#[test]
fn subscriptions_are_kept_by_name_up_to_a_number() {
    let folder = folder();
    let store = self::store(&folder);
    store.put_subscription(subscription("wan")).unwrap();
    let changed = Subscription {
        notif_type: "Event".into(),
        created: 9,
        ..subscription("wan")
    };
    store.put_subscription(changed.clone()).unwrap();
    let kept = store.subscriptions().unwrap();
    assert_eq!(kept, [changed]);
    for wrong in [
        subscription(""),
        subscription("a b"),
        subscription(&"x".repeat(49)),
        Subscription {
            references: Vec::new(),
            ..subscription("none")
        },
        Subscription {
            references: vec!["Device.A.\nDevice.B.".into()],
            ..subscription("two")
        },
    ] {
        let refused = store.put_subscription(wrong);
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
    }
    for number in 1..SUBSCRIPTIONS_MAX {
        store
            .put_subscription(subscription(&number.to_string()))
            .unwrap();
    }
    let refused = store.put_subscription(subscription("more"));
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
    store.put_subscription(subscription("wan")).unwrap();
    store.remove_subscription("wan").unwrap();
    let gone = store.remove_subscription("wan");
    assert!(matches!(gone, Err(StoreError::NoSubscription(_))));
}

#[test]
fn models_are_kept_per_product_and_the_oldest_give_way() {
    let folder = folder();
    let store = self::store(&folder);
    for at in 0..=MODELS_MAX {
        store
            .put_model(product(&at.to_string()), "os::1", at, "model".into())
            .unwrap();
    }
    assert_eq!(store.model(&product("0")).unwrap(), None);
    assert_eq!(store.models().unwrap().len() as i64, MODELS_MAX);
    store
        .put_model(product("1"), "os::2", 10_000, "newer".into())
        .unwrap();
    let found = store.model(&product("1")).unwrap();
    assert_eq!(found, Some((10_000, "newer".into())));
    store.remove_model(product("1")).unwrap();
    assert_eq!(store.model(&product("1")).unwrap(), None);
    let large = "x".repeat(MODEL_BYTES_MAX + 1);
    let refused = store.put_model(product("1"), "os::1", 1, large);
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

#[test]
fn a_product_is_what_can_be_told_from_others() {
    let said = Description {
        manufacturer: Some("Example".into()),
        product_class: Some("Gateway".into()),
        software_version: Some("1".into()),
        ..Description::default()
    };
    assert_eq!(Product::of(&said), Some(product("1")));
    for vague in [
        Description {
            manufacturer: None,
            ..said.clone()
        },
        Description {
            product_class: Some(String::new()),
            ..said.clone()
        },
        Description {
            software_version: None,
            ..said
        },
    ] {
        assert_eq!(Product::of(&vague), None);
    }
}
