//! Records: any bytes are decoded or refused, within bounds, and what was decoded survives every form.

use std::sync::OnceLock;

use usphere_proto::{EndpointId, Limits, Record, Refusal};

use crate::message::{self, check_json, check_text, is_refused_by_scan};
use crate::random::Random;
use crate::{Tally, seeds};

/// Takes `data` for a Record that came. (R-ENC, R-MTP.5)
pub fn record(data: &[u8]) -> Tally {
    let own = seeds::own();
    check_limits(data);
    match Record::receive(data, &own, &Limits::DEFAULT) {
        Ok(record) => {
            check_decoded(data, &record);
            if let Some(payload) = record.payload() {
                message::message(payload);
            }
            Tally::one(true)
        }
        Err(refusal) => {
            check_refusal(&refusal, &own);
            let decoded = Record::decode_bounded(data, &Limits::DEFAULT);
            if let Ok(record) = &decoded {
                check_decoded(data, record);
            }
            Tally::one(decoded.is_ok())
        }
    }
}

/// The next input: a Record of any kind, changed a little, often with right lengths.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    static CORPUS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    message::changed(CORPUS.get_or_init(corpus), random)
}

/// What fuzzing starts from: a Record of each kind, and of each Message.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    seeds::records()
        .iter()
        .map(|record| record.to_bytes().to_vec())
        .collect()
}

fn check_decoded(data: &[u8], record: &Record) {
    let bytes = record.to_bytes();
    assert!(
        bytes.len() <= data.len(),
        "it grew from {} to {} bytes",
        data.len(),
        bytes.len()
    );
    let again = Record::decode_bounded(bytes.clone(), &Limits::DEFAULT);
    assert_eq!(
        again.as_ref(),
        Ok(record),
        "encoded and decoded it is another"
    );
    assert_eq!(record.to_bytes(), bytes, "encoded twice it differs");
    for json in [record.to_json(), record.to_readable_json()] {
        assert_eq!(
            Record::from_json(&json).as_ref(),
            Ok(record),
            "JSON loses something: {json}"
        );
    }
    check_json(&record.to_json(), data.len());
    check_text(&record.to_text(), data.len());
}

fn check_refusal(refusal: &Refusal, own: &EndpointId) {
    assert!(
        is_refused_by_scan(refusal),
        "scan and decoder differ: {refusal}"
    );
    let Some(answer) = refusal.error_record(own) else {
        return;
    };
    assert_eq!(
        Some(answer.to_id.as_str()),
        refusal.from.as_ref().map(EndpointId::as_str)
    );
    if let Some(to) = &refusal.from {
        assert_eq!(answer.check(to), Ok(()), "the answer itself is erroneous");
    }
}

/// Limits that are nearly used up are still kept to.
fn check_limits(data: &[u8]) {
    let tight = Limits {
        record_bytes_max: data.len(),
        msg_bytes_max: data.len(),
        depth_max: 2,
        elements_max: 3,
    };
    let _ = Record::decode_bounded(data, &tight);
    let short = Limits {
        record_bytes_max: data.len().saturating_sub(1),
        ..tight
    };
    if !data.is_empty() {
        assert!(
            Record::decode_bounded(data, &short).is_err(),
            "a limit of bytes is not kept"
        );
    }
}
