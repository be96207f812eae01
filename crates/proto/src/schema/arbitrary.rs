//! Random messages by the schema, for tests: the same seed makes the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Field, Kind, Label, MessageType};
use crate::codec::wire::write;

/// A small generator (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] = [
            "Device.",
            "LocalAgent.",
            "1",
            "é",
            "\"",
            "\n",
            "{i}.",
            "%2F",
            "",
            "\u{0}",
            "日本",
            "x",
        ];
        (0..self.below(5))
            .map(|_| PIECES[self.below(PIECES.len())])
            .collect()
    }
}

/// Canonically encoded random content, with each oneof set, and the names of the fields that it has.
pub(crate) fn message(
    schema: &'static MessageType,
    random: &mut Random,
    names: &mut BTreeSet<String>,
) -> Vec<u8> {
    let members: Vec<_> = schema
        .fields
        .iter()
        .filter(|field| field.label == Label::OneOf)
        .collect();
    let member = (!members.is_empty()).then(|| members[random.below(members.len())].number);
    let mut out = Vec::new();
    for field in schema.fields {
        let count = match field.label {
            Label::OneOf => usize::from(member == Some(field.number)),
            Label::Repeated => random.below(4),
            Label::Single => random.below(4).min(1),
        };
        if count > 0 {
            names.insert(format!("{}.{}", schema.name, field.name));
        }
        match field.kind {
            Kind::Map => map(&mut out, field, count, random),
            _ => (0..count).for_each(|_| value(&mut out, field, random, names)),
        }
    }
    out
}

/// Every field that a message of this type can hold at any depth, in the words of [`message`].
pub(crate) fn reachable(schema: &'static MessageType, names: &mut BTreeSet<String>) {
    for field in schema.fields {
        names.insert(format!("{}.{}", schema.name, field.name));
        if let Kind::Message(inner) = field.kind {
            reachable(inner, names);
        }
    }
}

fn map(out: &mut Vec<u8>, field: &Field, count: usize, random: &mut Random) {
    let entries: BTreeMap<_, _> = (0..count).map(|_| (random.text(), random.text())).collect();
    for (key, value) in entries {
        let mut entry = Vec::new();
        for (number, text) in [(1, key), (2, value)] {
            if !text.is_empty() {
                write::bytes(&mut entry, number, text.as_bytes());
            }
        }
        write::bytes(out, field.number, &entry);
    }
}

fn value(
    out: &mut Vec<u8>,
    field: &'static Field,
    random: &mut Random,
    names: &mut BTreeSet<String>,
) {
    let always = field.label != Label::Single;
    match field.kind {
        Kind::Bool => write::varint(out, field.number, 1),
        Kind::Bytes => {
            let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.next() as u8).collect();
            if always || !bytes.is_empty() {
                write::bytes(out, field.number, &bytes);
            }
        }
        Kind::Enum(known) => {
            let value = random.below(known.values.len()) as u64;
            if value != 0 {
                write::varint(out, field.number, value);
            }
        }
        Kind::Fixed32 => write::fixed32(out, field.number, 1 + random.below(9000) as u32),
        Kind::Map => {}
        Kind::Message(schema) => {
            let inner = message(schema, random, names);
            write::bytes(out, field.number, &inner);
        }
        Kind::String => {
            let text = random.text();
            if always || !text.is_empty() {
                write::bytes(out, field.number, text.as_bytes());
            }
        }
        Kind::Uint64 => write::varint(out, field.number, random.next().max(1)),
    }
}
