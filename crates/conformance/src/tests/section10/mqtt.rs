//! Bulk data to an MQTT server.

use super::{Collected, TRANSFERS, Test, UP_TIME, has_only, needed, profile, test};
use crate::bench::{Bench, Settings, create};
use crate::stop::{Done, Stop};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[test(10, 13, published)];

const CLIENTS: &str = "Device.MQTT.Client.";
const TOPIC: &str = "mqtt-bulkdata";

/// 10.13
fn published(bench: &mut Bench) -> Done {
    let encoding = needed(bench, "MQTT", None)?;
    bench.needs(UP_TIME)?;
    if !bench.features().can_add(CLIENTS) {
        let reason =
            format!("the Agent cannot be told of our server: no row can be added to {CLIENTS}");
        return Err(Stop::NotRunnable(reason));
    }
    let server = bench.follow(TOPIC)?;
    bench.step("Add a client of the MQTT server");
    let client = create(CLIENTS)
        .must("BrokerAddress", &server.host)
        .must("BrokerPort", &server.port.to_string())
        .must("Enable", "true");
    let client = bench.added(client)?;
    let settings = [
        ("MQTT.Reference", client.trim_end_matches('.')),
        ("MQTT.PublishTopic", TOPIC),
    ];
    let collection = profile(bench, "MQTT", encoding, &settings, &Collected::UP_TIME)?;
    collection.enable(bench)?;
    let patience = collection.patience();
    bench.step(format_args!(
        "Wait {} s for {TRANSFERS} transfers, and look at each",
        patience.as_secs()
    ));
    let until = bench.now() + patience;
    for number in 0..TRANSFERS {
        let left = until.saturating_sub(bench.now());
        let Some(publication) = bench.publication(TOPIC, left) else {
            return Err(Stop::Failed(format!(
                "{TRANSFERS} transfers were expected within {} s, {number} came",
                patience.as_secs()
            )));
        };
        collection.judge(&publication.payload, |report| {
            has_only(report, Collected::UP_TIME.name)
        })?;
    }
    Ok(())
}
