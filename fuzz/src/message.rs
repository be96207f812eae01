//! Messages: any bytes are decoded or refused, within bounds, and what was decoded survives every form.

use std::sync::OnceLock;

use usphere_proto::{Limits, Msg, Reaction, Refusal};

use crate::random::Random;
use crate::{Tally, mutate, seeds, wire};

/// Bytes of JSON or text that one byte of an input may become: an item of 2 bytes shows its
/// booleans and enumerations, each with a long name and indented.
const GROWTH_MAX: usize = 256;

/// Takes `data` for a Message that came. (R-ENC, R-MSG.5 to R-MSG.8)
pub fn message(data: &[u8]) -> Tally {
    check_limits(data);
    let peek = Msg::peek(data);
    match Msg::receive(data, &Limits::DEFAULT) {
        Ok(msg) => {
            check_decoded(data, &msg);
            assert_eq!(
                peek.msg_id,
                Some(msg.msg_id()),
                "a look and decoding differ"
            );
            assert_eq!(
                peek.is_request,
                msg.is_request(),
                "a look and decoding differ"
            );
            Tally::one(true)
        }
        Err(refusal) => {
            check_refusal(&refusal);
            let decoded = Msg::decode_bounded(data, &Limits::DEFAULT);
            if let Ok(msg) = &decoded {
                check_decoded(data, msg);
            }
            Tally::one(decoded.is_ok())
        }
    }
}

/// The next input: a Message of any kind, changed a little, often with right lengths.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    static CORPUS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    changed(CORPUS.get_or_init(corpus), random)
}

/// What fuzzing starts from: a Message of each kind.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    seeds::messages()
        .iter()
        .map(|msg| msg.clone().into_payload().to_vec())
        .collect()
}

/// One of `corpus`, with parts of another, most often still protobuf.
pub(crate) fn changed(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = corpus[random.below(corpus.len())].clone();
    let donor = &corpus[random.below(corpus.len())];
    change(&mut bytes, donor, random);
    bytes
}

/// Changes encoded protobuf, most often so that it stays protobuf.
pub(crate) fn change(bytes: &mut Vec<u8>, donor: &[u8], random: &mut Random) {
    if random.chance(80) {
        wire::mutate(bytes, &seeds::WORDS, donor, random);
    }
    if random.chance(35) {
        mutate::bytes(bytes, &seeds::WORDS, donor, random);
    }
}

/// Whether the first look at the wire refused it. What passes that look must be decodable.
pub(crate) fn is_refused_by_scan(refusal: &Refusal) -> bool {
    !refusal.to_string().contains("not decodable")
}

pub(crate) fn check_json(json: &impl ToString, bytes: usize) {
    check_growth(json.to_string().len(), bytes);
}

pub(crate) fn check_text(text: &str, bytes: usize) {
    check_growth(text.len(), bytes);
    let control = text
        .chars()
        .find(|character| character.is_control() && *character != '\n');
    assert_eq!(control, None, "a control character is shown");
}

fn check_growth(shown: usize, bytes: usize) {
    assert!(
        shown <= 4096 + GROWTH_MAX * bytes,
        "{bytes} bytes are shown as {shown}"
    );
}

fn check_decoded(data: &[u8], msg: &Msg) {
    let bytes = msg.clone().into_payload();
    assert!(
        bytes.len() <= data.len(),
        "it grew from {} to {} bytes",
        data.len(),
        bytes.len()
    );
    let again = Msg::decode_bounded(bytes.clone(), &Limits::DEFAULT);
    assert_eq!(again.as_ref(), Ok(msg), "encoded and decoded it is another");
    assert_eq!(
        msg.clone().into_payload(),
        bytes,
        "encoded twice it differs"
    );
    let json = msg.to_json();
    assert_eq!(
        Msg::from_json(&json).as_ref(),
        Ok(msg),
        "JSON loses something: {json}"
    );
    check_json(&json, data.len());
    check_text(&msg.to_text(), data.len());
}

fn check_refusal(refusal: &Refusal) {
    assert!(
        is_refused_by_scan(refusal),
        "scan and decoder differ: {refusal}"
    );
    match (&refusal.reaction, refusal.error_msg()) {
        (Reaction::Answer { msg_id, .. }, Some(error)) => {
            assert!(!msg_id.is_empty() && error.is_error());
            let received = Msg::receive(error.clone().into_payload(), &Limits::DEFAULT);
            assert_eq!(received, Ok(error), "the answer itself is erroneous");
        }
        (Reaction::Ignore, None) => {}
        (reaction, answer) => panic!("{reaction:?} gives {answer:?}"),
    }
}

fn check_limits(data: &[u8]) {
    let tight = Limits {
        record_bytes_max: data.len(),
        msg_bytes_max: data.len(),
        depth_max: 4,
        elements_max: 5,
    };
    let _ = Msg::decode_bounded(data, &tight);
    let short = Limits {
        msg_bytes_max: data.len().saturating_sub(1),
        ..tight
    };
    if !data.is_empty() {
        assert!(
            Msg::decode_bounded(data, &short).is_err(),
            "a limit of bytes is not kept"
        );
    }
}
