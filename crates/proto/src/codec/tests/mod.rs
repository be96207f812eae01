//! The codec, held against bytes written by hand, against broken ones and against random ones.

mod faults;
mod fixtures;
mod random;

use super::*;

const LIMITS: &Limits = &Limits::DEFAULT;

/// A field of the wire, written by hand: short lengths and low numbers only.
fn field(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    assert!(content.len() < 128 && number < 16);
    [&[number << 3 | 2, content.len() as u8], &content[..]].concat()
}

fn varint(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn fixed32(number: u8, value: u32) -> Vec<u8> {
    [&[number << 3 | 5], &value.to_le_bytes()[..]].concat()
}

fn entry(number: u8, key: &str, value: &str) -> Vec<u8> {
    field(
        number,
        &[&field(1, &[key.as_bytes()]), &field(2, &[value.as_bytes()])],
    )
}

fn header(kind: u8) -> Vec<u8> {
    field(1, &[&field(1, &[b"1"]), &varint(2, kind)])
}

/// The bytes of a request: its kind, its number among requests, and its fields.
fn request(kind: u8, number: u8, parts: &[&[u8]]) -> Vec<u8> {
    [
        header(kind),
        field(2, &[&field(1, &[&field(number, parts)])]),
    ]
    .concat()
}

fn response(kind: u8, number: u8, parts: &[&[u8]]) -> Vec<u8> {
    [
        header(kind),
        field(2, &[&field(2, &[&field(number, parts)])]),
    ]
    .concat()
}

fn record(parts: &[&[u8]]) -> Vec<u8> {
    [
        field(1, &[b"1.4"]),
        field(2, &[b"self::a"]),
        field(3, &[b"self::b"]),
        parts.concat(),
    ]
    .concat()
}
