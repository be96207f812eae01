//! The destination at which an Agent is reached.

use super::{LOCAL_AGENT, Test, answers_from, connection, destination_parameter, subscribed, test};
use crate::bench::{Bench, Said, ensure, equal};
use crate::brokered::StompSaid;
use crate::peer::Seat;
use crate::stop::{Done, Stop};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(6, 5, told),
    test(6, 6, configured),
    test(6, 7, unknown),
    test(6, 10, changed),
];

/// 6.5
fn told(bench: &mut Bench) -> Done {
    connection(bench)?;
    let destination = "/usphere/conformance/65";
    bench.step("Have the server name a destination that is not used");
    bench.stomp_answers(|answers| answers.subscribe_dest = Some(destination.to_owned()))?;
    bench.step("Restart the Agent, and wait until it has subscribed");
    bench.forget_said();
    bench.begin_restart()?;
    equal("the destination", subscribed(bench)?.as_str(), destination)?;
    bench.await_return()?;
    answers_from(bench, destination)
}

/// 6.6
fn configured(bench: &mut Bench) -> Done {
    connection(bench)?;
    let destination = "/usphere/conformance/66";
    with_own(bench, destination)?;
    answers_from(bench, destination)
}

/// 6.7
fn unknown(bench: &mut Bench) -> Done {
    connection(bench)?;
    let parameter = destination_parameter(bench)?;
    bench.step("Have neither the Agent nor the server know a destination");
    bench.changed(&parameter, "")?;
    bench.stomp_answers(|answers| answers.subscribe_dest = None)?;
    bench.step("Restart the Agent, and wait until it begins a session");
    bench.forget_said();
    bench.begin_restart()?;
    bench.await_stomp(&["STOMP", "CONNECT"])?;
    bench.step("Wait until it ends it");
    let until = bench.now() + bench.profile().connect_patience();
    let end = bench.find(Seat::Primary, until, |heard| match &heard.said {
        Said::Closed(_) | Said::Lost => Some(Ok(())),
        Said::Stomp(StompSaid::Frame(frame)) => match frame.command.as_str() {
            "DISCONNECT" => Some(Ok(())),
            "SUBSCRIBE" => Some(Err("it has subscribed to something")),
            _ => None,
        },
        _ => None,
    });
    let end = end.unwrap_or(Err("it is still open"));
    end.map_err(|what| Stop::Failed(format!("the Agent was to end the session, {what}")))
}

/// 6.10
fn changed(bench: &mut Bench) -> Done {
    connection(bench)?;
    with_own(bench, "/usphere/conformance/610-before")?;
    let destination = "/usphere/conformance/610";
    bench.step("Change the Agent's destination");
    bench.forget_said();
    let parameter = destination_parameter(bench)?;
    bench.write(&parameter, destination)?;
    bench.step("Wait for the UNSUBSCRIBE, and for the SUBSCRIBE after it");
    let frame = bench.await_stomp(&["UNSUBSCRIBE", "SUBSCRIBE"])?;
    ensure(frame.command == "UNSUBSCRIBE", || {
        "an UNSUBSCRIBE was expected before the SUBSCRIBE, it did not come".to_owned()
    })?;
    equal("the destination", subscribed(bench)?.as_str(), destination)?;
    bench.step("See that the Agent answers there");
    bench.get(&[LOCAL_AGENT])?.response().map(drop)
}

/// The Agent has a destination of its own, and the server names none, until the test ends.
fn with_own(bench: &mut Bench, destination: &str) -> Done {
    let parameter = destination_parameter(bench)?;
    bench.step("Give the Agent a destination of its own, and have the server name none");
    bench.changed(&parameter, destination)?;
    bench.stomp_answers(|answers| answers.subscribe_dest = None)?;
    bench.step("Restart the Agent, and wait until it has subscribed");
    bench.forget_said();
    bench.begin_restart()?;
    equal("the destination", subscribed(bench)?.as_str(), destination)?;
    bench.await_return()
}
