//! Who says something, and to whom. (R-ARC.2, R-MTP.4b, R-SEC.0a, R-SEC.19)

use super::guest::{Guest, ROLES};
use super::{Test, test};
use crate::bench::{
    Bench, CONTROLLERS, FoundResult, Settings, create, ensure, equal, only, value_in,
};
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::ENDPOINT_ID;
use usphere_proto::msg::{Get, RequestType};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(2, 1, from_the_agent_itself),
    test(2, 2, to_somebody_else),
    test(2, 9, untrusted),
    test(2, 10, a_new_role),
    test(2, 27, secured),
];

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";

/// 2.1
fn from_the_agent_itself(bench: &mut Bench) -> Done {
    let (mut record, msg_id) = bench.record_of(question())?;
    record.from_id = bench.agent()?.to_string();
    bench.step("Send a Get in a Record that says it comes from the Agent itself");
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)
}

/// 2.2
fn to_somebody_else(bench: &mut Bench) -> Done {
    let (mut record, msg_id) = bench.record_of(question())?;
    record.to_id = "self::somebody-else".to_owned();
    bench.step("Send a Get in a Record to somebody else");
    bench.send_record(Seat::Primary, &record)?;
    bench.expect_no_answer(&msg_id)
}

/// 2.9
fn untrusted(bench: &mut Bench) -> Done {
    bench.needs(&format!("{TRUST}UntrustedRole"))?;
    bench.step("Connect as a Controller that the Agent does not know, and ask it something");
    bench.meet_as_stranger()?;
    bench.speak_as(Seat::Second);
    let (record, _) = bench.record_of(question())?;
    bench.send_record(Seat::Second, &record)?;
    bench.pass(bench.profile().silence());
    bench.speak_as(Seat::Primary);
    bench.step("Read the row that the Agent has made for it");
    let values = bench.values(CONTROLLERS)?;
    let id = bench.endpoint_id(Seat::Second);
    let is_its =
        |(path, value): &(&String, &String)| path.ends_with(".EndpointID") && *value == id.as_str();
    let Some((path, _)) = values.iter().find(is_its) else {
        return Err(Stop::Failed(format!(
            "a row with the EndpointID {id} was expected, there is none"
        )));
    };
    let row = path.trim_end_matches("EndpointID").to_owned();
    let assigned = value_in(&values, &format!("{row}AssignedRole"))?.to_owned();
    bench.undo(move |bench| {
        bench
            .delete(crate::bench::AllowPartial::Yes, &[&row])
            .map(drop)
    });
    let untrusted = bench.value(&format!("{TRUST}UntrustedRole"))?;
    equal(
        "AssignedRole",
        assigned.trim_end_matches('.'),
        untrusted.trim_end_matches('.'),
    )
}

/// 2.10
fn a_new_role(bench: &mut Bench) -> Done {
    bench.needs_addable(ROLES)?;
    bench.step("Add a Role");
    let role = create(ROLES).with("Enable", "true").with("Name", "Trusted");
    let role = bench.added(role)?;
    bench.expect_values(&role, &[("Name", "Trusted")])
}

/// 2.27
fn secured(bench: &mut Bench) -> Done {
    let roles = format!("{TRUST}SecuredRoles");
    bench.needs(&roles)?;
    let parameter = secret(bench)?;
    let guest = Guest::arrive(bench)?;
    bench.step(
        "The second Controller, whose Role is not a secured one, reads the secured parameter",
    );
    let value = read(bench, &parameter)?;
    ensure(value.is_empty(), || {
        format!("{parameter}: an empty value was expected, another came")
    })?;
    bench.step("Make its Role a secured one");
    bench.speak_as(Seat::Primary);
    let before = bench.value(&roles)?;
    let both = match before.as_str() {
        "" => guest.role().to_owned(),
        before => format!("{before},{}", guest.role()),
    };
    bench.changed(&roles, &both)?;
    bench.step("The second Controller reads the parameter again");
    bench.speak_as(Seat::Second);
    let value = read(bench, &parameter)?;
    equal(&parameter, value.as_str(), SECRET)
}

/// Base64 as well, which some secured parameters are.
const SECRET: &str = "Q29uZm9ybWFuY2U=";

/// The path of a secured parameter, which has a value now.
fn secret(bench: &mut Bench) -> Result<String, Stop> {
    let Some(path) = bench.profile().secured.clone() else {
        let reason = "no secured parameter of the Agent is known; the profile can name one";
        return Err(Stop::NotApplicable(reason.to_owned()));
    };
    let path = bench.filled_in(&path);
    bench.needs(&path)?;
    bench.step("Give a secured parameter a value");
    let Some((table, rest)) = path.split_once("{i}.") else {
        bench.changed(&path, SECRET)?;
        return Ok(path);
    };
    // What is kept secret in a row that is there already could not be given back.
    let row = match bench.added(create(table)) {
        Ok(row) => row,
        Err(stop) => bench.rows(table)?.first().cloned().ok_or(stop)?,
    };
    let path = format!("{row}{rest}");
    bench.undo({
        let path = path.clone();
        move |bench| bench.write(&path, "")
    });
    bench.write(&path, SECRET)?;
    Ok(path)
}

fn read(bench: &mut Bench, path: &str) -> Result<String, Stop> {
    let got = bench.get(&[path])?.response()?;
    let values = only("req_path_results", &got.req_path_results)?
        .found()?
        .values();
    value_in(&values, path).map(str::to_owned)
}

fn question() -> RequestType {
    RequestType::Get(Get {
        param_paths: vec![ENDPOINT_ID.to_owned()],
        max_depth: 0,
    })
}
