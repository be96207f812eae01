//! The statements of contacts that failed.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::statements::Done;
use crate::limits::{CONTACTS_MAX, CONTACTS_PER_SOURCE_MAX};
use crate::{
    Contact, ContactListing, ContactOf, ContactPlace, ContactQuery, Milliseconds, NewContacts,
};

/// The table. (Its step stands in `schema.rs`.)
pub(super) const TABLES: &str = "
    CREATE TABLE contacts (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        source      TEXT NOT NULL,
        endpoint_id TEXT NOT NULL,
        reason      TEXT NOT NULL,
        remote      TEXT NOT NULL,
        mtp         TEXT NOT NULL,
        detail      TEXT NOT NULL,
        first       INTEGER NOT NULL,
        at          INTEGER NOT NULL,
        count       INTEGER NOT NULL,
        UNIQUE (source, endpoint_id, reason)
    ) STRICT;
    CREATE INDEX contacts_by_time ON contacts (at, id);
    CREATE INDEX contacts_of_endpoint ON contacts (endpoint_id, at, id);
";

/// Keeps contacts, and lets older ones give way.
pub(super) fn add(connection: &Connection, contacts: &[NewContacts]) -> Done {
    let mut insert = connection.prepare_cached(
        "INSERT INTO contacts (source, endpoint_id, reason, remote, mtp, detail, first, at, count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (source, endpoint_id, reason) DO UPDATE SET
            remote = excluded.remote, mtp = excluded.mtp, detail = excluded.detail,
            first = min(first, excluded.first), at = max(at, excluded.at),
            count = count + excluded.count",
    )?;
    for contact in contacts {
        insert.execute(params![
            contact.source,
            contact.endpoint_id.as_deref().unwrap_or_default(),
            contact.reason,
            contact.remote,
            contact.mtp,
            contact.detail,
            contact.first,
            contact.at,
            i64::try_from(contact.count).unwrap_or(i64::MAX),
        ])?;
    }
    prune(connection, contacts)
}

/// Forgets what is too old or too much, of one source and of all.
fn prune(connection: &Connection, added: &[NewContacts]) -> Done {
    let sources: BTreeSet<_> = added
        .iter()
        .map(|contact| contact.source.as_str())
        .collect();
    for source in sources {
        connection
            .prepare_cached(
                "DELETE FROM contacts WHERE id IN (
                    SELECT id FROM contacts WHERE source = ?1
                    ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?2
                )",
            )?
            .execute(params![source, CONTACTS_PER_SOURCE_MAX])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM contacts WHERE id IN (
                SELECT id FROM contacts ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?1
            )",
        )?
        .execute([CONTACTS_MAX])?;
    Ok(())
}

/// Forgets those that came last before this moment. They are few enough for one go.
pub(super) fn prune_before(connection: &Connection, before: Milliseconds) -> Done {
    connection
        .prepare_cached("DELETE FROM contacts WHERE at < ?1")?
        .execute([before])?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    query: &ContactQuery,
    limit: u32,
) -> Done<ContactListing> {
    let after = query.after.unwrap_or(ContactPlace {
        at: i64::MAX,
        id: i64::MAX,
    });
    let mut values = vec![
        Value::from(after.at),
        Value::from(after.id),
        Value::from(i64::from(limit) + 1),
    ];
    let mut fits = Vec::new();
    for of in &query.of {
        let place = values.len() + 1;
        let (condition, value) = match of {
            ContactOf::EndpointId(id) => (format!("endpoint_id = ?{place}"), id),
            ContactOf::Nameless(source) => {
                (format!("(source = ?{place} AND endpoint_id = '')"), source)
            }
            ContactOf::Part(part) => (
                format!("instr(lower(endpoint_id), lower(?{place})) > 0"),
                part,
            ),
            ContactOf::Source(source) => (format!("source = ?{place}"), source),
        };
        fits.push(condition);
        values.push(Value::from(value.clone()));
    }
    let fits = match fits.is_empty() {
        true => String::new(),
        false => format!("AND ({})", fits.join(" OR ")),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, source, remote, mtp, endpoint_id, reason, detail, first, at, count
         FROM contacts WHERE (at, id) < (?1, ?2) {fits} ORDER BY at DESC, id DESC LIMIT ?3"
    ))?;
    let mut contacts = statement
        .query_map(params_from_iter(values), contact)?
        .collect::<Result<Vec<_>, _>>()?;
    // One more than asked for shows that there is a next page.
    let more = contacts.len() > limit as usize;
    contacts.truncate(limit as usize);
    let next = contacts.last().filter(|_| more).map(|last| ContactPlace {
        at: last.at,
        id: last.id,
    });
    Ok(ContactListing { contacts, next })
}

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let endpoint_id: String = row.get(4)?;
    let count: i64 = row.get(9)?;
    Ok(Contact {
        id: row.get(0)?,
        source: row.get(1)?,
        remote: row.get(2)?,
        mtp: row.get(3)?,
        endpoint_id: (!endpoint_id.is_empty()).then_some(endpoint_id),
        reason: row.get(5)?,
        detail: row.get(6)?,
        first: row.get(7)?,
        at: row.get(8)?,
        count: count.unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn contact(source: &str, endpoint_id: Option<&str>, reason: &str, at: i64) -> NewContacts {
        NewContacts {
            source: source.into(),
            remote: format!("{source}:50000"),
            mtp: "WebSocket".into(),
            endpoint_id: endpoint_id.map(Into::into),
            reason: reason.into(),
            detail: format!("at {at}"),
            first: at,
            at,
            count: 1,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        (folder, store)
    }

    fn of(store: &Store, of: &[ContactOf]) -> Vec<(String, u64)> {
        let query = ContactQuery {
            of: of.to_vec(),
            ..ContactQuery::default()
        };
        let contacts = store.contacts(&query, 100).unwrap().contacts;
        let each = contacts.into_iter();
        each.map(|each| (each.reason, each.count)).collect()
    }

    #[test]
    fn contacts_that_failed_alike_are_counted_together() {
        let (_folder, store) = store();
        store
            .add_contacts(vec![
                contact("10.0.0.1", Some("os::a"), "wrong_path", 10),
                contact("10.0.0.1", None, "wrong_path", 11),
            ])
            .unwrap();
        store
            .add_contacts(vec![contact("10.0.0.1", Some("os::a"), "wrong_path", 20)])
            .unwrap();
        let all = store.contacts(&ContactQuery::default(), 10).unwrap();
        assert_eq!(all.next, None);
        let [last, other] = &all.contacts[..] else {
            panic!("{all:?}")
        };
        assert_eq!(last.endpoint_id.as_deref(), Some("os::a"));
        assert_eq!((last.count, last.first, last.at), (2, 10, 20));
        assert_eq!(last.detail, "at 20");
        assert_eq!((other.count, &other.endpoint_id), (1, &None));
    }

    #[test]
    fn contacts_are_found_by_name_part_and_address_page_by_page() {
        let (_folder, store) = store();
        store
            .add_contacts(vec![
                contact("10.0.0.1", Some("os::00256D-a"), "one", 1),
                contact("10.0.0.2", Some("os::00256D-b"), "two", 2),
                contact("10.0.0.3", None, "three", 3),
            ])
            .unwrap();
        let part = |text: &str| ContactOf::Part(text.into());
        assert_eq!(of(&store, &[part("00256d")]).len(), 2);
        let both = [
            ContactOf::EndpointId("os::00256D-a".into()),
            ContactOf::Source("10.0.0.3".into()),
        ];
        assert_eq!(
            of(&store, &both),
            [("three".to_owned(), 1), ("one".to_owned(), 1)]
        );
        let mut query = ContactQuery::default();
        let mut seen = Vec::new();
        loop {
            let page = store.contacts(&query, 1).unwrap();
            seen.extend(page.contacts.into_iter().map(|each| each.reason));
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["three", "two", "one"]);
    }

    #[test]
    fn one_source_cannot_push_the_others_out_and_old_contacts_go() {
        let (_folder, store) = store();
        store
            .add_contacts(vec![contact("10.0.0.1", None, "old", 1)])
            .unwrap();
        let names = (0..2 * CONTACTS_PER_SOURCE_MAX).map(|name| format!("os::{name}"));
        let flood = names.map(|name| contact("10.0.0.9", Some(&name), "flood", 5));
        store.add_contacts(flood.collect()).unwrap();
        let kept = of(&store, &[ContactOf::Source("10.0.0.9".into())]).len();
        assert_eq!(kept, CONTACTS_PER_SOURCE_MAX as usize);
        assert_eq!(of(&store, &[ContactOf::Source("10.0.0.1".into())]).len(), 1);
        store.prune_contacts(5).unwrap();
        let left = of(&store, &[ContactOf::Source("10.0.0.1".into())]);
        assert_eq!(left, []);
    }
}
