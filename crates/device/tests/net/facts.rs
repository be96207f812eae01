//! What iproute2 says and what the tree says, both as sets of sentences that can be compared.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::namespace::Namespace;
use crate::scene::Tree;

/// Sentences about a namespace.
pub(crate) type Facts = BTreeSet<String>;

/// What `ip` says of links, addresses and routes.
pub(crate) fn of_iproute(namespace: &Namespace) -> Facts {
    let links = namespace.ask("link show");
    let names: BTreeMap<u64, String> = links
        .iter()
        .map(|link| (number(link, "ifindex"), text(link, "ifname")))
        .collect();
    let mut facts = Facts::new();
    for link in &links {
        link_facts(link, &links, &mut facts);
    }
    for link in namespace.ask("addr show") {
        for address in link["addr_info"].as_array().into_iter().flatten() {
            facts.insert(format!(
                "{} has {}/{}",
                text(&link, "ifname"),
                text(address, "local"),
                number(address, "prefixlen"),
            ));
        }
    }
    for family in ["-4", "-6"] {
        for route in namespace.ask(&format!("{family} route show table main")) {
            route_facts(&route, family, &mut facts);
        }
    }
    assert_eq!(names.len(), links.len());
    facts
}

/// Everything is in both, but for what the tree has no place for.
pub(crate) fn compare(facts: &Facts, told: &Facts) {
    let missing = facts.difference(told);
    let missing: Vec<_> = missing.filter(|fact| !is_homeless(fact, facts)).collect();
    let invented: Vec<_> = told.difference(facts).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not in the tree: {missing:#?}\nonly in the tree: {invented:#?}"
    );
}

/// Whether TR-181 has no place for it: only links and IP interfaces have an MTU, which ports of bridges need
/// not have on them.
pub(crate) fn is_homeless(fact: &str, facts: &Facts) -> bool {
    let Some((device, _)) = fact.split_once(" mtu ") else {
        return false;
    };
    let port = format!("{device} is port of ");
    facts.iter().any(|fact| fact.starts_with(&port))
}

fn link_facts(link: &Value, links: &[Value], facts: &mut Facts) {
    let name = text(link, "ifname");
    let flags = link["flags"].as_array().expect("flags");
    let is_up = flags.iter().any(|flag| flag == "UP");
    let kind = link["linkinfo"]["info_kind"].as_str().unwrap_or("");
    let ether = link["link_type"] == "ether";
    facts.insert(format!("{name} exists"));
    facts.insert(format!("{name} up {is_up}"));
    // TR-181 knows none that is greater.
    let mtu = number(link, "mtu").min(65_535);
    facts.insert(format!("{name} mtu {mtu}"));
    facts.insert(format!("{name} state {}", state(link, is_up)));
    if ether && kind != "vlan" && kind != "bridge" {
        let mac = text(link, "address").to_uppercase();
        facts.insert(format!("{name} is ethernet {mac}"));
    }
    if kind == "vlan" {
        let data = &link["linkinfo"]["info_data"];
        let lower = text(link, "link");
        facts.insert(format!("{name} is vlan {} on {lower}", number(data, "id")));
    }
    if kind == "bridge" {
        let data = &link["linkinfo"]["info_data"];
        facts.insert(format!("{name} is bridge"));
        facts.insert(format!(
            "{name} ages {}",
            (number(data, "ageing_time") / 100).clamp(10, 1_000_000)
        ));
        facts.insert(format!("{name} stp {}", number(data, "stp_state") != 0));
        facts.insert(format!("{name} priority {}", number(data, "priority")));
        let ports = links.iter().filter(|port| port["master"] == name.as_str());
        for port in ports {
            let data = &port["linkinfo"]["info_slave_data"];
            let port_name = text(port, "ifname");
            let state = text(data, "state");
            facts.insert(format!("{port_name} is port of {name} {state}"));
            facts.insert(format!(
                "{port_name} costs {}",
                number(data, "cost").min(65_535)
            ));
        }
    }
}

fn state(link: &Value, is_up: bool) -> &'static str {
    match link["operstate"].as_str() {
        _ if !is_up => "Down",
        Some("UP") => "Up",
        Some("LOWERLAYERDOWN") => "LowerLayerDown",
        Some("DORMANT") => "Dormant",
        Some("UNKNOWN") => "Up",
        _ => "Down",
    }
}

fn route_facts(route: &Value, family: &str, facts: &mut Facts) {
    let all = if family == "-4" { "0.0.0.0/0" } else { "::/0" };
    let host = if family == "-4" { 32 } else { 128 };
    let to = match text(route, "dst") {
        to if to == "default" => all.to_owned(),
        to if to.contains('/') => to,
        to => format!("{to}/{host}"),
    };
    let kind = match route["type"].as_str() {
        Some("blackhole") => "Blackhole",
        Some("unreachable") => "Unreachable",
        Some("prohibit") => "Prohibit",
        _ => "Normal",
    };
    let metric = route["metric"].as_u64().unwrap_or(0);
    let mut say = |way: &Value| {
        let gateway = way["gateway"].as_str().unwrap_or("-").to_owned();
        let device = way["dev"].as_str().unwrap_or("-").to_owned();
        facts.insert(format!(
            "{kind} route to {to} via {gateway} by {device} metric {metric}"
        ));
    };
    match route["nexthops"].as_array() {
        Some(ways) => ways.iter().for_each(&mut say),
        None => say(route),
    }
}

/// What the tree says of the same.
pub(crate) fn of_tree(tree: &Tree) -> Facts {
    let mut facts = Facts::new();
    for row in tree.rows("Device.Ethernet.Interface.") {
        let of = tree.of(&row);
        interface(&of, &mut facts);
        facts.insert(format!("{} is ethernet {}", of("Name"), of("MACAddress")));
    }
    for row in tree.rows("Device.Ethernet.VLANTermination.") {
        let of = tree.of(&row);
        interface(&of, &mut facts);
        let lower = device(tree, &of("LowerLayers"));
        facts.insert(format!(
            "{} is vlan {} on {lower}",
            of("Name"),
            of("VLANID")
        ));
    }
    for row in tree.rows("Device.Ethernet.Link.") {
        let of = tree.of(&row);
        interface(&of, &mut facts);
        facts.insert(format!("{} mtu {}", of("Name"), of("MTU")));
        assert_eq!(device(tree, &of("LowerLayers")), of("Name"));
    }
    for row in tree.rows("Device.Bridging.Bridge.") {
        bridge(tree, &row, &mut facts);
    }
    for row in tree.rows("Device.IP.Interface.") {
        let of = tree.of(&row);
        interface(&of, &mut facts);
        facts.insert(format!("{} mtu {}", of("Name"), of("MaxMTUSize")));
        if !of("LowerLayers").is_empty() {
            assert_eq!(device(tree, &of("LowerLayers")), of("Name"));
        }
        addresses(tree, &row, &of("Name"), &mut facts);
    }
    for row in tree.rows("Device.Routing.Router.1.IPv4Forwarding.") {
        route(tree, &tree.of(&row), &mut facts, true);
    }
    for row in tree.rows("Device.Routing.Router.1.IPv6Forwarding.") {
        route(tree, &tree.of(&row), &mut facts, false);
    }
    stack(tree);
    facts
}

fn interface(of: &impl Fn(&str) -> String, facts: &mut Facts) {
    let name = of("Name");
    facts.insert(format!("{name} exists"));
    facts.insert(format!("{name} up {}", of("Enable")));
    facts.insert(format!("{name} state {}", of("Status")));
}

fn bridge(tree: &Tree, row: &str, facts: &mut Facts) {
    let of = tree.of(row);
    let name = of("Name");
    facts.insert(format!("{name} is bridge"));
    facts.insert(format!("{name} ages {}", of("AgingTime")));
    facts.insert(format!("{name} stp {}", of("STP.Enable")));
    facts.insert(format!("{name} priority {}", of("STP.BridgePriority")));
    let mut below = Vec::new();
    let mut managed = None;
    for port in tree.rows(&format!("{row}.Port.")) {
        let of = tree.of(&port);
        if of("ManagementPort") == "true" {
            assert_eq!(of("Name"), name);
            interface(&of, facts);
            managed = Some(of("LowerLayers"));
            continue;
        }
        let port_name = of("Name");
        let state = of("PortState").to_lowercase();
        facts.insert(format!("{port_name} is port of {name} {state}"));
        facts.insert(format!("{port_name} costs {}", of("PathCost")));
        assert_eq!(device(tree, &of("LowerLayers")), port_name);
        below.push(port);
    }
    let mut managed: Vec<String> = managed
        .expect("a management port")
        .split(',')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    managed.sort();
    below.sort();
    assert_eq!(managed, below, "the management port is above all others");
}

fn addresses(tree: &Tree, row: &str, name: &str, facts: &mut Facts) {
    for address in tree.rows(&format!("{row}.IPv4Address.")) {
        let of = tree.of(&address);
        let mask: std::net::Ipv4Addr = of("SubnetMask").parse().unwrap();
        let length = u32::from(mask).count_ones();
        facts.insert(format!("{name} has {}/{length}", of("IPAddress")));
    }
    for address in tree.rows(&format!("{row}.IPv6Address.")) {
        let of = tree.of(&address);
        let prefix = of("Prefix");
        let length = match prefix.as_str() {
            "" => "128".to_owned(),
            prefix => {
                let prefix = tree.value(&format!("{prefix}.Prefix")).to_owned();
                prefix.split_once('/').unwrap().1.to_owned()
            }
        };
        facts.insert(format!("{name} has {}/{length}", of("IPAddress")));
    }
}

fn route(tree: &Tree, of: &impl Fn(&str) -> String, facts: &mut Facts, is_v4: bool) {
    let (to, gateway) = if is_v4 {
        let to = match (of("DestIPAddress"), of("DestSubnetMask")) {
            (address, mask) if address.is_empty() && mask.is_empty() => "0.0.0.0/0".to_owned(),
            (address, mask) => {
                let mask: std::net::Ipv4Addr = mask.parse().unwrap();
                format!("{address}/{}", u32::from(mask).count_ones())
            }
        };
        (to, of("GatewayIPAddress"))
    } else {
        (of("DestIPPrefix"), of("NextHop"))
    };
    let or_dash = |text: String| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text
        }
    };
    let interface = of("Interface");
    let device = if interface.is_empty() {
        "-".to_owned()
    } else {
        tree.value(&format!("{interface}.Name")).to_owned()
    };
    let metric = match of("ForwardingMetric").as_str() {
        "-1" => "0".to_owned(),
        metric => metric.to_owned(),
    };
    facts.insert(format!(
        "{} route to {to} via {} by {device} metric {metric}",
        of("Type"),
        or_dash(gateway)
    ));
}

/// The device at the bottom of a row.
fn device(tree: &Tree, row: &str) -> String {
    tree.value(&format!("{row}.Name")).to_owned()
}

/// The InterfaceStack says the same as all LowerLayers together.
fn stack(tree: &Tree) {
    let mut pairs = BTreeSet::new();
    for (path, value) in &tree.values {
        if let Some(higher) = path.strip_suffix(".LowerLayers") {
            let lower = value.split(',').filter(|lower| !lower.is_empty());
            pairs.extend(lower.map(|lower| (higher.to_owned(), lower.to_owned())));
        }
    }
    let mut told = BTreeSet::new();
    for row in tree.rows("Device.InterfaceStack.") {
        let of = tree.of(&row);
        let alias = |row: String| tree.value(&format!("{row}.Alias")).to_owned();
        assert_eq!(of("HigherAlias"), alias(of("HigherLayer")));
        assert_eq!(of("LowerAlias"), alias(of("LowerLayer")));
        told.insert((of("HigherLayer"), of("LowerLayer")));
    }
    assert_eq!(told, pairs);
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    match &value[name] {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0),
        value => value.as_u64().unwrap_or(0),
    }
}
