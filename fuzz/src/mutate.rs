//! Changes of bytes that know nothing of what the bytes mean.

use crate::random::Random;

/// Numbers that lengths, counts and fields are often wrong about.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// Inputs are not grown beyond this many bytes.
const BYTES_MAX: usize = 64 << 10;

/// Changes `bytes` in one to four places. `words` are pieces that mean something where they land;
/// `donor` is another input, from which a part may be taken.
pub fn bytes(bytes: &mut Vec<u8>, words: &[&str], donor: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        once(bytes, words, donor, random);
    }
    bytes.truncate(BYTES_MAX);
}

fn once(bytes: &mut Vec<u8>, words: &[&str], donor: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let length = random.below(16.min(bytes.len() - at) + 1);
    match random.below(10) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.number() as u8;
            }
        }
        2 => drop(bytes.drain(at..at + length)),
        3 => insert(bytes, at, &random.bytes(length)),
        4 => {
            let part = bytes[at..at + length].to_vec();
            insert(bytes, random.below(bytes.len() + 1), &part);
        }
        5 => {
            let start = random.below(donor.len() + 1);
            let end = start + random.below(donor.len() - start + 1);
            insert(bytes, at, &donor[start..end]);
        }
        6 => {
            let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
            let width = 1 << random.below(4);
            for (byte, new) in bytes.iter_mut().skip(at).zip(&edge[..width]) {
                *byte = *new;
            }
        }
        7 => bytes.truncate(at),
        8 => {
            let part = bytes[at..at + length].to_vec();
            for _ in 0..random.below(40) {
                insert(bytes, at, &part);
            }
        }
        _ => {
            if let Some(word) = words.get(random.below(words.len())) {
                let end = at + length * random.below(2);
                bytes.splice(at..end, word.bytes());
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    if bytes.len() + part.len() <= BYTES_MAX {
        bytes.splice(at..at, part.iter().copied());
    }
}
