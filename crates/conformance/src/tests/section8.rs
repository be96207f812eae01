//! Section 8: Discovery. (R-DIS.1 to R-DIS.10)
//!
//! What the bench sees of it, and what it does about it, is [`Network`](crate::network::Network). Where the plan
//! has the test Controller behind a name, here a second one is: the first can always clean up.

use std::time::Duration;

use bytes::Bytes;

use super::{Test, test};
use crate::bench::{Bench, ensure, equal, same_value, value_in};
use crate::network::{
    BROADBAND_FORUM, LeaseOptions, Resource, ResourceData, Sighting, VendorClass,
};
use crate::peer::Seat;
use crate::stop::{Done, Stop};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[&[
    test(8, 1, asks_for_controllers),
    test(8, 2, takes_options),
    test(8, 3, asks_for_a_name),
    test(8, 4, asks_everybody),
    test(8, 5, tells_its_transports),
    test(8, 6, tells_their_attributes),
    test(8, 7, answers),
]];

const MTPS: &str = "Device.LocalAgent.MTP.";
const NAME: &str = "controller.conformance.test";
const LOCAL_NAME: &str = "usphere-conformance.local";
const CODE: &str = "conformance82";

/// How long the Agent may take to do what it does after it has started anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// 8.1
fn asks_for_controllers(bench: &mut Bench) -> Done {
    by_dhcp(bench)?;
    starts_anew(bench)?;
    bench.step("Wait until it asks for a lease, and look at its vendor class");
    let classes = lease(bench)?;
    let is_usp = |class: &VendorClass| {
        class.enterprise == BROADBAND_FORUM && class.data.iter().any(|data| *data == "usp")
    };
    ensure(classes.iter().any(is_usp), || {
        format!("a vendor class {BROADBAND_FORUM} with \"usp\" was expected, {classes:?} came")
    })
}

/// 8.2
fn takes_options(bench: &mut Bench) -> Done {
    by_dhcp(bench)?;
    let parameter = format!("{}ProvisioningCode", bench.controller_path());
    bench.needs(&parameter)?;
    bench.network()?;
    bench.step("Set the provisioning code to what it will not be");
    bench.changed(&parameter, "Arbitrary")?;
    bench.step("Give another one with each lease, which ends with a null");
    let options = LeaseOptions {
        provisioning_code: Some(Bytes::from(format!("{CODE}\0"))),
        endpoint_id: Some(Bytes::from(bench.endpoint_id(Seat::Primary).to_string())),
        url: None,
    };
    give(bench, options)?;
    starts_anew(bench)?;
    lease(bench)?;
    bench.connect(Seat::Primary)?;
    bench.step("Read the provisioning code");
    let us = bench.controller_path();
    let values = bench.values(&us)?;
    equal("ProvisioningCode", value_in(&values, &parameter)?, CODE)
}

/// 8.3
fn asks_for_a_name(bench: &mut Bench) -> Done {
    by_dhcp(bench)?;
    bench.network()?;
    bench.step("Give the URL of a Controller with each lease, which has a name");
    let options = LeaseOptions {
        url: Some(Bytes::from(url(bench)?)),
        endpoint_id: Some(Bytes::from(bench.endpoint_id(Seat::Second).to_string())),
        provisioning_code: None,
    };
    give(bench, options)?;
    bench.network()?.name(NAME).map_err(Stop::not_runnable)?;
    starts_anew(bench)?;
    lease(bench)?;
    bench.step("Wait until it asks for the name, and connects");
    asked_for(bench, NAME, false)?;
    bench.connect(Seat::Second)
}

/// 8.4
fn asks_everybody(bench: &mut Bench) -> Done {
    by_mdns(bench)?;
    bench.needs(&bench.profile().reboot.command)?;
    let network = bench.network()?;
    network.name(LOCAL_NAME).map_err(Stop::not_runnable)?;
    if bench.peer_address(Seat::Second).is_none() {
        let reason = "we dial the Agent, so that it resolves no name of ours; --listen waits for one that dials";
        return Err(Stop::not_runnable(reason));
    }
    bench.step("Introduce a second Controller, whose host has a name that ends with .local");
    bench.introduce_second_at(LOCAL_NAME)?;
    starts_anew(bench)?;
    bench.step("Wait until it asks everybody for the name");
    asked_for(bench, LOCAL_NAME, true)
}

/// 8.5
fn tells_its_transports(bench: &mut Bench) -> Done {
    by_mdns(bench)?;
    let services = services(bench)?;
    starts_anew(bench)?;
    bench.step("Wait until it tells how it is reached, without being asked");
    let records = told_of(bench, &services, false)?;
    for service in &services {
        let is_there = |record: &&Resource| {
            record.name.eq_ignore_ascii_case(service)
                && matches!(record.data, ResourceData::Service { .. })
        };
        ensure(records.iter().any(|record| is_there(&record)), || {
            format!("a SRV record of {service} was expected, {records:?} came")
        })?;
        attributes(&records, service)?;
    }
    Ok(())
}

/// 8.6
fn tells_their_attributes(bench: &mut Bench) -> Done {
    by_mdns(bench)?;
    let services = services(bench)?;
    starts_anew(bench)?;
    bench.step("Wait until it tells how it is reached, and look at the attributes");
    let records = told_of(bench, &services, false)?;
    for service in &services {
        complete(bench, &records, service)?;
    }
    Ok(())
}

/// 8.7
fn answers(bench: &mut Bench) -> Done {
    by_mdns(bench)?;
    let services = services(bench)?;
    starts_anew(bench)?;
    bench.connect(Seat::Primary)?;
    for service in &services {
        bench.step(format_args!("Ask everybody for {service}"));
        let kind = service.split_once('.').map_or("", |(_, kind)| kind);
        bench.network()?.ask(kind).map_err(Stop::not_runnable)?;
        let records = told_of(bench, std::slice::from_ref(service), true)?;
        let points_at_it = |record: &Resource| match &record.data {
            ResourceData::Pointer(target) => target.eq_ignore_ascii_case(service),
            _ => false,
        };
        ensure(records.iter().any(points_at_it), || {
            format!("a PTR record of {kind} to {service} was expected, {records:?} came")
        })?;
        complete(bench, &records, service)?;
    }
    Ok(())
}

fn by_dhcp(bench: &Bench) -> Done {
    match bench.profile().discovery.dhcp {
        Some(false) => Err(Stop::NotApplicable(
            "the Agent does not ask for Controllers by DHCP, the profile says".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn by_mdns(bench: &Bench) -> Done {
    let offered = bench.features().has(&format!("{MTPS}{{i}}.EnableMDNS"));
    match bench.profile().discovery.mdns.unwrap_or(offered) {
        true => Ok(()),
        false => Err(Stop::NotApplicable(format!(
            "the Agent has no {MTPS}{{i}}.EnableMDNS"
        ))),
    }
}

/// The Agent reboots; what was seen of it before does not count.
fn starts_anew(bench: &mut Bench) -> Done {
    bench.network()?;
    bench.step("Have the Agent reboot");
    bench.forget_sightings();
    bench.restart_agent_until_connected()
}

fn lease(bench: &mut Bench) -> Result<Vec<VendorClass>, Stop> {
    bench.await_sighting(
        "a request for a lease",
        PATIENCE,
        |sighting| match sighting {
            Sighting::Lease(classes) => Some(classes.clone()),
            _ => None,
        },
    )
}

/// Gives options with each lease until the test ends.
fn give(bench: &mut Bench, options: LeaseOptions) -> Done {
    bench.undo(|bench| {
        let none = bench.network()?.lease(LeaseOptions::default());
        none.map_err(Stop::not_runnable)
    });
    let network = bench.network()?;
    network.lease(options).map_err(Stop::not_runnable)
}

/// Where the second Controller is, by name.
fn url(bench: &mut Bench) -> Result<String, Stop> {
    let address = bench.peer_address(Seat::Second).ok_or_else(|| {
        Stop::not_runnable(
            "we dial the Agent, so that it finds no Controller; --listen waits for one that dials",
        )
    })?;
    let scheme = if address.encryption { "wss" } else { "ws" };
    Ok(format!(
        "{scheme}://{NAME}:{}{}",
        address.port, address.path
    ))
}

fn asked_for(bench: &mut Bench, wanted: &str, everybody: bool) -> Done {
    let what = format!("a question for {wanted}");
    bench.await_sighting(&what, PATIENCE, |sighting| match sighting {
        Sighting::Question { name, is_multicast } => {
            (name.eq_ignore_ascii_case(wanted) && *is_multicast == everybody).then_some(())
        }
        _ => None,
    })
}

/// The DNS-SD names of the transports that the Agent is reached by. (R-DIS.8)
fn services(bench: &mut Bench) -> Result<Vec<String>, Stop> {
    bench.network()?;
    let values = bench.values(MTPS)?;
    let agent = bench.agent()?;
    let rows = bench.rows(MTPS)?.into_iter();
    let enabled = rows.filter(|row| {
        let says = |name: &str| {
            values
                .get(&format!("{row}{name}"))
                .is_none_or(|value| same_value(value, "true"))
        };
        says("Enable") && says("EnableMDNS")
    });
    let services = enabled.filter_map(|row| {
        let kind = match values.get(&format!("{row}Protocol"))?.as_str() {
            "CoAP" => "_usp-agt-coap._udp",
            "MQTT" => "_usp-agt-mqtt._tcp",
            "STOMP" => "_usp-agt-stomp._tcp",
            "WebSocket" => "_usp-agt-ws._tcp",
            _ => return None,
        };
        Some(format!("{agent}.{kind}.local"))
    });
    let services: Vec<String> = services.collect();
    match services.is_empty() {
        false => Ok(services),
        true => Err(Stop::not_runnable(format_args!(
            "{MTPS} has no enabled row that is told of by mDNS"
        ))),
    }
}

/// The records that the Agent tells until it has told of each of these services.
fn told_of(bench: &mut Bench, services: &[String], asked: bool) -> Result<Vec<Resource>, Stop> {
    let is_about = |record: &Resource, service: &str| {
        record.name.eq_ignore_ascii_case(service)
            || matches!(&record.data, ResourceData::Pointer(to) if to.eq_ignore_ascii_case(service))
    };
    let mut told: Vec<Resource> = Vec::new();
    for service in services {
        let what = format!("an mDNS response about {service}");
        while !told.iter().any(|record| is_about(record, service)) {
            let more = bench.await_sighting(&what, PATIENCE, |sighting| match sighting {
                Sighting::Answer {
                    records,
                    is_solicited,
                } if *is_solicited == asked => Some(records.clone()),
                _ => None,
            })?;
            told.extend(more);
        }
    }
    Ok(told)
}

/// What the TXT record of a service says.
fn attributes<'a>(
    records: &'a [Resource],
    service: &str,
) -> Result<&'a [(String, Option<String>)], Stop> {
    let found = records.iter().find_map(|record| match &record.data {
        ResourceData::Text(attributes) if record.name.eq_ignore_ascii_case(service) => {
            Some(attributes.as_slice())
        }
        _ => None,
    });
    found.ok_or_else(|| {
        Stop::Failed(format!(
            "a TXT record of {service} was expected, {records:?} came"
        ))
    })
}

/// The TXT record has a path, and the name that the Agent has in its data model. (R-DIS.9, R-DIS.10)
fn complete(bench: &mut Bench, records: &[Resource], service: &str) -> Done {
    let attributes = attributes(records, service)?;
    let value = |name: &str| {
        let found = attributes
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone().unwrap_or_default())
    };
    for name in ["path", "name"] {
        ensure(value(name).is_some(), || {
            format!("the attribute {name} of {service} was expected, {attributes:?} came")
        })?;
    }
    let friendly = "Device.DeviceInfo.FriendlyName";
    if bench.features().has(friendly) {
        let expected = bench.value(friendly)?;
        equal(
            "the attribute name",
            &value("name").unwrap_or_default(),
            &expected,
        )?;
    }
    Ok(())
}
