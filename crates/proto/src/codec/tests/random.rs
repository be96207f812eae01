use std::collections::BTreeSet;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::EndpointId;
use crate::record::{NoSessionContext, RecordType};
use crate::schema::arbitrary::{self, Random};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// The structs keep every field that the schema table has, byte by byte.
    ///
    /// Proves: R-ENC.0, R-MSG.5
    #[test]
    fn any_message_survives_decoding_and_encoding(seed: u64) {
        let bytes = random(&MSG, seed);
        let msg = Msg::decode_bounded(&bytes[..], LIMITS).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(msg.encode_to_vec(), &bytes[..]);
        let again = Msg::from_json(&msg.to_json()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&again, &msg);
        prop_assert_eq!(msg.into_payload(), bytes);
    }

    /// The structs keep every field that the schema table has, byte by byte.
    ///
    /// Proves: R-ENC.1
    #[test]
    fn any_record_survives_decoding_and_encoding(seed: u64) {
        let bytes = random(&RECORD, seed);
        let record = Record::decode_bounded(&bytes[..], LIMITS).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(record.encode_to_vec(), bytes);
        for json in [record.to_json(), record.to_readable_json()] {
            let again = Record::from_json(&json).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(&again, &record);
        }
    }
}

#[test]
fn the_random_messages_have_every_field() {
    for schema in [&MSG, &RECORD] {
        let (mut found, mut expected) = (BTreeSet::new(), BTreeSet::new());
        arbitrary::reachable(schema, &mut expected);
        for seed in 0..3000 {
            arbitrary::message(schema, &mut Random(seed), &mut found);
        }
        assert_eq!(found, expected);
    }
}

/// Bytes that were Records and Messages once, cut, joined and flipped: they are decoded or refused.
#[test]
fn mutated_bytes_never_panic() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x0055_5350);
    println!("SEED={seed}");
    let mut source = Random(seed);
    let own = EndpointId::parse("self::a").unwrap();
    let mut decoded = [0, 0];
    for round in 0..20_000_u64 {
        let mut msg = random(&MSG, source.next() ^ round);
        if round % 2 == 0 {
            mutate(&mut msg, &mut source);
        }
        if let Ok(msg) = check_msg(&msg) {
            decoded[0] += 1;
            assert_eq!(Msg::from_json(&msg.to_json()).as_ref(), Ok(&msg));
            assert!(!msg.to_text().contains('\u{0}'));
        }
        let to_id = "self::a".to_owned();
        let carrier = Record {
            version: "1.4".to_owned(),
            to_id,
            from_id: "self::b".to_owned(),
            ..Record::default()
        };
        let record_type = RecordType::NoSessionContext(NoSessionContext {
            payload: msg.into(),
        });
        let mut bytes = Record {
            record_type: Some(record_type),
            ..carrier
        }
        .encode_to_vec();
        if round % 3 == 0 {
            bytes = random(&RECORD, source.next());
        }
        mutate(&mut bytes, &mut source);
        match Record::receive(&bytes[..], &own, LIMITS) {
            Ok(record) => {
                decoded[1] += 1;
                assert_eq!(
                    Record::from_json(&record.to_readable_json()).as_ref(),
                    Ok(&record)
                );
                let _ = record.to_text();
            }
            Err(refusal) => {
                assert!(
                    !refusal.to_string().contains("not decodable"),
                    "scan and decoder differ: {refusal}"
                );
                let _ = refusal.error_record(&own);
            }
        }
    }
    println!("{decoded:?} of 20000 decoded");
    assert!(
        decoded.iter().all(|count| *count > 1000),
        "mutations that never decode prove nothing: {decoded:?}"
    );
}

fn check_msg(bytes: &[u8]) -> Result<Msg, Box<crate::Refusal>> {
    Msg::receive(bytes, LIMITS).inspect_err(|refusal| {
        assert!(
            !refusal.to_string().contains("not decodable"),
            "scan and decoder differ: {refusal}"
        );
    })
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.next() as u8),
            _ => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
        }
    }
}

fn random(schema: &'static MessageType, seed: u64) -> Vec<u8> {
    arbitrary::message(schema, &mut Random(seed), &mut BTreeSet::new())
}
