//! Records outside of session contexts.

use super::{Test, test};
use crate::bench::Bench;
use crate::peer::Seat;
use crate::stop::Done;
use crate::tests::common::ENDPOINT_ID;
use usphere_proto::msg::{Get, RequestType};
use usphere_proto::record::{NoSessionContext, RecordType};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[test(3, 1, malformed)];

/// 3.1
fn malformed(bench: &mut Bench) -> Done {
    let question = RequestType::Get(Get {
        param_paths: vec![ENDPOINT_ID.to_owned()],
        max_depth: 0,
    });
    let (record, msg_id) = bench.record_of(question)?;
    bench.step("Send a Record without a payload");
    bench.may_take_leave();
    let mut empty = record.clone();
    empty.record_type = Some(RecordType::NoSessionContext(NoSessionContext::default()));
    bench.send_record(Seat::Primary, &empty)?;
    bench.expect_no_answer(&msg_id)?;
    bench.step("Send a Record whose payload is no Message");
    let mut garbage = record;
    let payload = vec![0xff; 16].into();
    garbage.record_type = Some(RecordType::NoSessionContext(NoSessionContext { payload }));
    bench.connect(Seat::Primary)?;
    bench.send_record(Seat::Primary, &garbage)?;
    bench.expect_no_answer(&msg_id)?;
    bench.step("See that the Agent still answers");
    bench.get(&[ENDPOINT_ID])?.response().map(drop)
}
