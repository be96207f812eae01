//! Changes of protobuf bytes that keep lengths right, so that they reach what lies behind the decoder.
//!
//! Knows the wire format and no schema: what looks like fields is taken for a message.

use crate::random::Random;

/// Messages inside messages that are looked into; deeper ones stay bytes.
const DEPTH_MAX: usize = 12;
/// Copies of one field that a mutation makes at most.
const COPIES_MAX: usize = 24;
/// Fields that a mutation does not grow a message beyond.
const FIELDS_MAX: usize = 4096;

#[derive(Clone, Debug)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
    Fixed64([u8; 8]),
    Message(Vec<Field>),
    Varint(u64),
}

/// Changes one to three fields of the message `bytes`; takes fields and strings from `donor` and
/// strings from `words`. Bytes that are no protobuf are left alone.
pub fn mutate(bytes: &mut Vec<u8>, words: &[&str], donor: &[u8], random: &mut Random) {
    let Some(mut fields) = read(bytes, 0) else {
        return;
    };
    let mut donated = Vec::new();
    collect(&read(donor, 0).unwrap_or_default(), &mut donated);
    for _ in 0..=random.below(3) {
        let messages = count(&fields);
        let chosen = random.below(messages);
        if let Some(message) = nth(&mut fields, &mut { chosen }) {
            change(message, words, &donated, random);
        }
    }
    let mut out = Vec::with_capacity(bytes.len() + 64);
    write(&fields, &mut out);
    *bytes = out;
}

fn change(message: &mut Vec<Field>, words: &[&str], donated: &[Field], random: &mut Random) {
    let at = random.below(message.len());
    let here = message.len() < FIELDS_MAX;
    match random.below(9) {
        0 if !message.is_empty() => drop(message.remove(at)),
        1 if !message.is_empty() && here => {
            let copy = message[at].clone();
            let copies = 1 + random.below(COPIES_MAX);
            message.splice(at..at, std::iter::repeat_n(copy, copies));
        }
        2 if !message.is_empty() => {
            let other = random.below(message.len());
            message.swap(at, other);
        }
        3 if here => {
            if let Some(field) = donated.get(random.below(donated.len())) {
                message.insert(random.below(message.len() + 1), field.clone());
            }
        }
        4 if !message.is_empty() => {
            let most = if random.chance(80) { 16 } else { 1 << 20 };
            message[at].number = 1 + random.below(most) as u64;
        }
        5 if !message.is_empty() => {
            let inner = vec![message[at].clone()];
            message[at].value = Value::Message(inner);
        }
        6 if here => message.push(Field {
            number: 1 + random.below(16) as u64,
            value: Value::Message(Vec::new()),
        }),
        _ => {
            if let Some(field) = message.get_mut(at) {
                change_value(&mut field.value, words, random);
            }
        }
    }
}

fn change_value(value: &mut Value, words: &[&str], random: &mut Random) {
    match value {
        Value::Bytes(bytes) if random.chance(50) => {
            let word = words.get(random.below(words.len())).copied();
            *bytes = word.unwrap_or_default().as_bytes().to_vec();
        }
        Value::Bytes(bytes) => crate::mutate::bytes(bytes, words, &[], random),
        Value::Fixed32(bytes) => *bytes = (number(random) as u32).to_le_bytes(),
        Value::Fixed64(bytes) => *bytes = number(random).to_le_bytes(),
        Value::Message(_) => *value = Value::Bytes(random.bytes(4)),
        Value::Varint(varint) => *varint = number(random),
    }
}

fn number(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.number(),
        1 => u64::MAX - random.below(3) as u64,
        2 => 7000 + random.below(40) as u64,
        _ => random.below(24) as u64,
    }
}

fn count(fields: &[Field]) -> usize {
    1 + inner(fields).map(|inner| count(inner)).sum::<usize>()
}

fn collect(fields: &[Field], into: &mut Vec<Field>) {
    into.extend(fields.iter().cloned());
    inner(fields).for_each(|inner| collect(inner, into));
}

fn inner(fields: &[Field]) -> impl Iterator<Item = &Vec<Field>> {
    fields.iter().filter_map(|field| match &field.value {
        Value::Message(inner) => Some(inner),
        _ => None,
    })
}

fn nth<'a>(fields: &'a mut Vec<Field>, left: &mut usize) -> Option<&'a mut Vec<Field>> {
    if *left == 0 {
        return Some(fields);
    }
    *left -= 1;
    fields.iter_mut().find_map(|field| match &mut field.value {
        Value::Message(inner) => nth(inner, left),
        _ => None,
    })
}

fn read(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => Value::Fixed64(*take::<8>(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (content, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let inner = if depth < DEPTH_MAX && !content.is_empty() {
                    read(content, depth + 1)
                } else {
                    None
                };
                inner.map_or_else(|| Value::Bytes(content.to_vec()), Value::Message)
            }
            5 => Value::Fixed32(*take::<4>(&mut bytes)?),
            _ => return None,
        };
        let number = key >> 3;
        if number == 0 {
            return None;
        }
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return Some(value);
        }
    }
    None
}

fn write(fields: &[Field], out: &mut Vec<u8>) {
    for Field { number, value } in fields {
        let key = |wire_type: u64| number << 3 | wire_type;
        match value {
            Value::Bytes(bytes) => {
                write_varint(key(2), out);
                write_varint(bytes.len() as u64, out);
                out.extend(bytes);
            }
            Value::Fixed32(bytes) => {
                write_varint(key(5), out);
                out.extend(bytes);
            }
            Value::Fixed64(bytes) => {
                write_varint(key(1), out);
                out.extend(bytes);
            }
            Value::Message(fields) => {
                let mut inner = Vec::new();
                write(fields, &mut inner);
                write_varint(key(2), out);
                write_varint(inner.len() as u64, out);
                out.extend(inner);
            }
            Value::Varint(value) => {
                write_varint(key(0), out);
                write_varint(*value, out);
            }
        }
    }
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for msg in crate::seeds::messages() {
            let bytes = msg.into_payload();
            let mut out = Vec::new();
            write(&read(&bytes, 0).unwrap(), &mut out);
            assert_eq!(out, bytes);
        }
    }
}
