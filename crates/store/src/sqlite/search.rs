//! Which devices fit: the statements that look for them.
//!
//! What is looked through stands in an index of its own, and only of those that fit the rest is read: so a search
//! for what few devices have stays quick with very many of them.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row, params_from_iter};

use super::statements::{COLUMNS, Done, device, text};
use crate::{Device, Filter, Listing};

/// What a search looks at: all that people know a device by. The index `devices_text` has it by these very words.
const TEXT: &str = "lower(endpoint_id || char(10) || coalesce(alias, '') || char(10) \
    || coalesce(manufacturer, '') || char(10) || coalesce(oui, '') || char(10) \
    || coalesce(product_class, '') || char(10) || coalesce(serial_number, '') || char(10) \
    || coalesce(hardware_version, '') || char(10) || coalesce(software_version, '') || char(10) \
    || coalesce(remote_address, ''))";

/// Rows are looked at until the page is full; of those that do not fit nothing more is read.
pub(super) fn list(
    connection: &Connection,
    after: &str,
    limit: u32,
    filter: &Filter<'_>,
) -> Done<Listing> {
    let mut whole =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM devices WHERE rowid = ?1"))?;
    let (mut devices, mut next) = (Vec::<Device>::new(), None);
    walk(connection, after, filter, |row| {
        if devices.len() == limit as usize {
            next = devices.last().map(|last| last.endpoint_id.clone());
            return Ok(ControlFlow::Break(()));
        }
        devices.push(whole.query_row([row.get::<_, i64>(0)?], device)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Listing { devices, next })
}

/// Their Endpoint IDs alone.
pub(super) fn names(
    connection: &Connection,
    after: &str,
    limit: u32,
    filter: &Filter<'_>,
) -> Done<Vec<String>> {
    let mut names = Vec::new();
    walk(connection, after, filter, |row| {
        names.push(text(row, 1)?);
        Ok(match names.len() < limit as usize {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    Ok(names)
}

/// Shows `found` those that fit, in order, as long as it goes on: their rowid, then their Endpoint ID.
fn walk(
    connection: &Connection,
    after: &str,
    filter: &Filter<'_>,
    mut found: impl FnMut(&Row<'_>) -> Done<ControlFlow<()>>,
) -> Done {
    let (statement, values) = statement(after, filter);
    let mut fitting = connection.prepare_cached(&statement)?;
    let mut rows = fitting.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let is_wanted = (filter.keep)(row.get_ref(1)?.as_str().unwrap_or_default());
        if is_wanted && found(row)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What looks for them in order, and the values of its places.
fn statement(after: &str, filter: &Filter<'_>) -> (String, Vec<String>) {
    let mut values = Vec::new();
    // Those with a tag are found by it, in the same order.
    let (from, other_tags) = match filter.tags.split_first() {
        Some((tag, others)) => {
            values.push(tag.clone());
            let from = "tags AS chosen CROSS JOIN devices ON endpoint_id = chosen.device
                WHERE chosen.tag = ? AND chosen.device > ?";
            (from, others)
        }
        None if filter.looks_into_text() => (
            "devices INDEXED BY devices_text WHERE endpoint_id > ?",
            filter.tags,
        ),
        None => ("devices WHERE endpoint_id > ?", filter.tags),
    };
    values.push(after.to_owned());
    let mut text = format!("SELECT devices.rowid, endpoint_id FROM {from}");
    let mut demand = |condition: &str, value: String| {
        text.push_str(" AND ");
        text.push_str(condition);
        values.push(value);
    };
    let is_in_text = format!("instr({TEXT}, ?) > 0");
    for word in filter.words() {
        demand(&is_in_text, word);
    }
    for (field, value) in filter.fields {
        // What is in a field is in the text, where it is seen without the row.
        let start = value.strip_suffix('*').unwrap_or(value);
        demand(&is_in_text, start.to_ascii_lowercase());
        let fits = format!("lower({}) GLOB ?", field.column());
        demand(&fits, pattern(value));
    }
    for tag in other_tags {
        let has = "EXISTS (SELECT 1 FROM tags WHERE device = endpoint_id AND tag = ?)";
        demand(has, tag.clone());
    }
    let order = match filter.tags {
        [] => " ORDER BY endpoint_id",
        _ => " ORDER BY chosen.device",
    };
    (text + order, values)
}

/// What a value of a field is compared with: only a `*` at the end means anything else than itself.
fn pattern(value: &str) -> String {
    let (value, end) = match value.strip_suffix('*') {
        Some(start) => (start, "*"),
        None => (value, ""),
    };
    let mut pattern = String::with_capacity(value.len() + 1);
    for character in value.chars() {
        match character {
            '*' | '?' | '[' => pattern.extend(['[', character, ']']),
            other => pattern.push(other.to_ascii_lowercase()),
        }
    }
    pattern + end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, Store};

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    /// Were they not the same, the index would be passed by without a word.
    #[test]
    fn the_index_has_what_a_search_looks_at() {
        let step = words(include_str!("steps/search.sql")).join(" ");
        assert!(step.contains(&words(TEXT).join(" ")), "{step}");
    }

    /// A search reads one index from one end to the other, and nothing of the devices that do not fit.
    #[test]
    fn a_search_reads_the_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        drop(Store::open(&path).unwrap());
        let connection = Connection::open(path).unwrap();
        let explain = |text: &str, fields: &[(Field, String)], tags: &[String]| {
            let filter = Filter {
                text,
                keep: &|_| true,
                fields,
                tags,
            };
            let (statement, values) = statement("", &filter);
            let mut explained = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
                .unwrap();
            let rows = explained.query_map(params_from_iter(values), |row| row.get(3));
            let steps: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
            steps
        };
        let alone = "SEARCH devices USING COVERING INDEX devices_text (endpoint_id>?)";
        assert_eq!(explain("word", &[], &[]), [alone]);
        let first = "SEARCH devices USING INDEX devices_text (endpoint_id>?)";
        let field = [(Field::ProductClass, "Gateway*".to_owned())];
        assert_eq!(explain("", &field, &[]), [first]);
        let by_tag = explain("", &[], &["canary".to_owned()]);
        assert!(
            by_tag[0].contains("tags_by_name (tag=? AND device>?)"),
            "{by_tag:?}"
        );
        assert!(
            !by_tag.iter().any(|step| step.contains("TEMP B-TREE")),
            "{by_tag:?}"
        );
    }
}
