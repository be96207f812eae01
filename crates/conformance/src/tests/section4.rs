//! Section 4: MTPs in general.

use super::{Test, test};
use crate::bench::Bench;
use crate::stop::{Done, Stop};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[&[test(4, 1, certificates)]];

/// 4.1
fn certificates(bench: &mut Bench) -> Done {
    if !bench.is_over_tls()? {
        let reason = "the Agent is reached without TLS; a URL with wss://, mqtts:// or stomps:// reaches it with TLS";
        return Err(Stop::not_runnable(reason));
    }
    bench.step("Ask something over TLS, which both ends' certificates have opened");
    bench.supported_protocol()?.response().map(drop)
}
