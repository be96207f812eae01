//! Tokens, tags, the audit, and events of all devices.

use super::*;
use crate::limits::TAGS_PER_DEVICE_MAX;
use crate::{AuditQuery, Field, NewAuditEntry, NewToken, Scope};

fn token(name: &str, byte: u8) -> NewToken {
    NewToken {
        name: name.to_owned(),
        hash: [byte; 32],
        scope: Scope::Operate,
        created: 1,
        created_by: "root".to_owned(),
        expires: Some(9),
    }
}

#[test]
fn a_token_has_a_number_that_is_used_once_and_a_name_that_is_free_again() {
    let folder = folder();
    let store = store(&folder);
    let first = store.add_token(token("ci", 1)).unwrap();
    let taken = store.add_token(token("ci", 2)).unwrap_err();
    assert!(matches!(taken, StoreError::NameTaken { .. }), "{taken}");
    store.token_used_soon(first, 7).unwrap();
    assert_eq!(store.remove_token("ci").unwrap(), first);
    let gone = store.remove_token("ci").unwrap_err();
    assert!(matches!(gone, StoreError::NoToken(_)), "{gone}");
    let second = store.add_token(token("ci", 1)).unwrap();
    assert!(second > first);
    drop(store);
    let kept = self::store(&folder).tokens().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].hash, kept[0].scope),
        (Some([1; 32]), Some(Scope::Operate))
    );
    assert_eq!((kept[0].expires, kept[0].last_used), (Some(9), None));
    for name in ["", "with blank", "ä", &"x".repeat(65)] {
        let refused = self::store(&folder).add_token(token(name, 3)).unwrap_err();
        assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
    }
}

/// Whatever is in a row, the other tokens are read.
#[test]
fn a_damaged_token_is_one_that_allows_nothing() {
    let folder = folder();
    let store = store(&folder);
    store.add_token(token("good", 1)).unwrap();
    store.add_token(token("bad", 2)).unwrap();
    let connection = Connection::open(folder.path().join("server.db")).unwrap();
    connection
        .execute(
            "UPDATE tokens SET scope = 'all', hash = x'00' WHERE name = 'bad'",
            [],
        )
        .unwrap();
    let kept = store.tokens().unwrap();
    assert_eq!(kept[0].scope, Some(Scope::Operate));
    assert_eq!((kept[1].scope, kept[1].hash), (None, None));
}

#[test]
fn scopes_are_ordered_by_what_they_allow() {
    assert!(Scope::ALL.is_sorted());
    assert!(Scope::ALL.map(|scope| Scope::named(scope.name())) == Scope::ALL.map(Some));
}

#[test]
fn tags_go_with_their_device() {
    let folder = folder();
    let store = store(&folder);
    store
        .seen(vec![sighting("os::1", 1), sighting("os::2", 1)])
        .unwrap();
    store
        .set_tags("os::1", vec!["b".into(), "a".into(), "a".into()])
        .unwrap();
    store.add_tag("os::1", "site=x").unwrap();
    store.add_tag("os::2", "a").unwrap();
    store.remove_tag("os::1", "b").unwrap();
    store.remove_tag("os::1", "never").unwrap();
    assert_eq!(store.find("os::1").unwrap().tags, ["a", "site=x"]);
    assert_eq!(store.tagged("a", 9).unwrap(), ["os::1", "os::2"]);
    let absent = store.add_tag("os::3", "a").unwrap_err();
    assert!(matches!(absent, StoreError::NotFound(_)), "{absent}");
    assert!(matches!(
        store.add_tag("os::1", "a b"),
        Err(StoreError::Invalid(_))
    ));
    let many: Vec<_> = (0..TAGS_PER_DEVICE_MAX).map(|n| n.to_string()).collect();
    store.set_tags("os::2", many).unwrap();
    assert!(matches!(
        store.add_tag("os::2", "more"),
        Err(StoreError::Full(_))
    ));
    assert_eq!(store.find("os::2").unwrap().tags.len(), TAGS_PER_DEVICE_MAX);
    store.remove("os::1").unwrap();
    store.seen(vec![sighting("os::1", 2)]).unwrap();
    assert!(store.find("os::1").unwrap().tags.is_empty());
}

#[test]
fn a_search_finds_fields_and_tags() {
    let folder = folder();
    let store = store(&folder);
    for (id, class, version) in [
        ("os::1", "Hub[1]", "1.0"),
        ("os::2", "hub[1]", "1.1"),
        ("os::3", "hub1", "2.0"),
    ] {
        store.seen(vec![sighting(id, 1)]).unwrap();
        let said = Description {
            product_class: Some(class.to_owned()),
            software_version: Some(version.to_owned()),
            ..Description::default()
        };
        describe(&store, id, said);
    }
    store.add_tag("os::2", "lab").unwrap();
    let found = |fields: &[(Field, &str)], tags: &[&str]| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(field, value)| (*field, (*value).to_owned()))
            .collect();
        let tags: Vec<_> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let filter = Filter {
            text: "",
            keep: &|_| true,
            fields: &fields,
            tags: &tags,
        };
        let listing = store.list(None, 10, &filter).unwrap();
        ids(&listing).join(" ")
    };
    let class = Field::ProductClass;
    assert_eq!(found(&[(class, "HUB[1]")], &[]), "os::1 os::2");
    assert_eq!(found(&[(class, "hub*")], &[]), "os::1 os::2 os::3");
    assert_eq!(found(&[(class, "h*b1")], &[]), "", "a * elsewhere is a *");
    assert_eq!(
        found(&[(class, "hub*"), (Field::SoftwareVersion, "1.*")], &[]),
        "os::1 os::2"
    );
    assert_eq!(found(&[(class, "hub*")], &["lab"]), "os::2");
    assert_eq!(found(&[], &["lab", "attic"]), "");
    assert_eq!(
        found(&[(Field::Manufacturer, "*")], &[]),
        "",
        "none is not any"
    );
}

#[test]
fn the_audit_is_read_backwards_and_forgets_the_oldest() {
    let folder = folder();
    let store = store(&folder);
    let entry = |at, actor: &str, action: &str| NewAuditEntry {
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        target: "os::1".to_owned(),
        ..NewAuditEntry::default()
    };
    let first = store.begin_audit(entry(1, "a", "set")).unwrap();
    store.audit_soon(entry(2, "b", "set")).unwrap();
    let last = store.begin_audit(entry(3, "a", "delete")).unwrap();
    let end = NewAuditEntry {
        what: "x".repeat(5000),
        status: Some(200),
        operation: Some(4),
        ..entry(1, "a", "set")
    };
    store.end_audit_soon(first, end).unwrap();
    store.begin_audit(entry(4, "c", "add")).unwrap();

    let all = store.audit(&AuditQuery::default(), 2).unwrap();
    assert_eq!(
        all.entries
            .iter()
            .map(|each| each.entry.at)
            .collect::<Vec<_>>(),
        [4, 3]
    );
    assert_eq!(all.next, Some(last));
    let query = AuditQuery {
        actor: Some("a".into()),
        action: Some("set".into()),
        target: Some("os::1".into()),
        before: Some(last),
    };
    let found = store.audit(&query, 2).unwrap();
    assert_eq!((found.entries.len(), found.next), (1, None));
    let ended = &found.entries[0].entry;
    assert_eq!((ended.status, ended.operation), (Some(200), Some(4)));
    assert!(ended.what.len() < 5000);
    assert_eq!(store.prune_audit(kept(3, None)).unwrap(), 2);
    assert_eq!(
        store
            .audit(&AuditQuery::default(), 9)
            .unwrap()
            .entries
            .len(),
        2
    );
}

/// Whoever changes very much pushes out what they did themselves, and nothing of others.
#[test]
fn nobody_pushes_out_of_the_audit_what_others_have_changed() {
    let folder = folder();
    let store = store(&folder);
    let entry = |at, actor: &str| NewAuditEntry {
        at,
        actor: actor.to_owned(),
        ..NewAuditEntry::default()
    };
    for at in 1..=3 {
        store.begin_audit(entry(at, "quiet")).unwrap();
    }
    for at in 4..=30 {
        let actor = if at % 3 == 0 { "busy" } else { "busier" };
        store.begin_audit(entry(at, actor)).unwrap();
    }
    assert_eq!(store.prune_audit(kept(0, Some(13))).unwrap(), 17);
    assert_eq!(store.prune_audit(kept(0, Some(13))).unwrap(), 0);
    let all = store.audit(&AuditQuery::default(), 99).unwrap().entries;
    let of = |actor: &str| -> Vec<i64> {
        let own = all.iter().filter(|each| each.entry.actor == actor);
        own.map(|each| each.entry.at).collect()
    };
    assert_eq!(of("quiet"), [3, 2, 1]);
    assert_eq!(of("busy"), [30, 27, 24, 21, 18]);
    assert_eq!(of("busier"), [29, 28, 26, 25, 23]);
}

fn kept(since: i64, max: Option<u64>) -> crate::Kept {
    crate::Kept { since, max }
}

#[test]
fn events_of_all_devices_are_in_the_order_they_came() {
    let folder = folder();
    let store = store(&folder);
    let event = |device: &str, at| crate::NewEvent {
        device: device.to_owned(),
        at,
        msg_id: at.to_string(),
        content: "{}".to_owned(),
    };
    store
        .add_events(vec![
            event("os::1", 1),
            event("os::2", 2),
            event("os::1", 3),
        ])
        .unwrap();
    let at = |events: Vec<crate::Event>| events.iter().map(|event| event.at).collect::<Vec<_>>();
    assert_eq!(at(store.all_events(0, 2).unwrap()), [1, 2]);
    assert_eq!(at(store.all_events(2, 9).unwrap()), [3]);
    assert_eq!(store.prune_events(kept(3, None)).unwrap(), 2);
    assert_eq!(at(store.all_events(0, 9).unwrap()), [3]);
    // What is kept is counted: numbers that are not there any more take no room.
    let more = (10..15).map(|at| event("os::1", at)).collect();
    store.add_events(more).unwrap();
    assert_eq!(store.prune_events(kept(0, Some(6))).unwrap(), 0);
    assert_eq!(store.prune_events(kept(0, Some(2))).unwrap(), 4);
    assert_eq!(at(store.all_events(0, 9).unwrap()), [13, 14]);
}
