//! Diagnostics on loopback, and in networks made for them where the machine lets a test make some.

use std::net::UdpSocket;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use usphere_datamodel::model::Outputs;

use super::target::Arguments;
use super::{Ping, TraceRoute};
use crate::dns::Resolver;

fn arguments(given: &[(&str, &str)]) -> Arguments {
    let given = given.iter();
    given
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn ping(given: &[(&str, &str)]) -> Outputs {
    let mut all = arguments(&[
        ("ProtocolVersion", "Any"),
        ("NumberOfRepetitions", "2"),
        ("Timeout", "10000"),
        ("DataBlockSize", "64"),
    ]);
    all.extend(arguments(given));
    Ping::read(&all, None).unwrap().run(&|| false)
}

fn trace(given: &[(&str, &str)]) -> Outputs {
    let mut all = arguments(&[("ProtocolVersion", "Any"), ("Timeout", "10000")]);
    all.extend(arguments(given));
    let trace = TraceRoute::read(&all, None).unwrap();
    trace.run(&Resolver::default(), &|| false)
}

fn number(outputs: &Outputs, name: &str) -> u64 {
    outputs[name].parse().unwrap()
}

/// Runs `test` in a network of its own, whose loopback is up. False, said aloud, where that may not be.
fn in_a_network(test: impl FnOnce() + Send + 'static) -> bool {
    let done = thread::spawn(|| {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("left out: no network namespace can be made here: {error}");
            return false;
        }
        run("ip link set lo up");
        test();
        true
    });
    done.join().unwrap()
}

fn run(command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    let status = Command::new(words[0]).args(&words[1..]).status().unwrap();
    assert!(status.success(), "{command}");
}

#[test]
fn an_echo_of_either_version_comes_back_from_loopback() {
    in_a_network(|| {
        for (host, size) in [("127.0.0.1", "1"), ("127.0.0.1", "9000"), ("::1", "64")] {
            let outputs = ping(&[("Host", host), ("DataBlockSize", size), ("DSCP", "46")]);
            assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
            assert_eq!(outputs["IPAddressUsed"], host);
            assert_eq!(
                (
                    number(&outputs, "SuccessCount"),
                    number(&outputs, "FailureCount")
                ),
                (2, 0)
            );
            let least = number(&outputs, "MinimumResponseTimeDetailed");
            let average = number(&outputs, "AverageResponseTimeDetailed");
            let most = number(&outputs, "MaximumResponseTimeDetailed");
            assert!(
                0 < least && least <= average && average <= most,
                "{outputs:?}"
            );
            assert_eq!(outputs.len(), super::ping::IP_PING.output.len());
        }
    });
}

#[test]
fn where_there_is_no_way_the_status_says_so() {
    in_a_network(|| {
        let outputs = ping(&[("Host", "192.0.2.1")]);
        assert_eq!(outputs["Status"], "Error_NoRouteToHost", "{outputs:?}");
        assert_eq!(outputs["AverageResponseTime"], "0");
        let outputs = trace(&[("Host", "192.0.2.1")]);
        assert_eq!(outputs["Status"], "Error_NoRouteToHost", "{outputs:?}");
        let outputs = ping(&[("Host", "nowhere.invalid")]);
        assert_eq!(outputs["Status"], "Error_CannotResolveHostName");
        let outputs = ping(&[("Host", "127.0.0.1"), ("ProtocolVersion", "IPv6")]);
        assert_eq!(outputs["Status"], "Error_CannotResolveHostName");
    });
}

#[test]
fn a_ping_that_is_cancelled_stops_soon() {
    in_a_network(|| {
        let all = arguments(&[
            ("ProtocolVersion", "IPv4"),
            ("Host", "127.0.0.1"),
            ("NumberOfRepetitions", "1000"),
            ("Timeout", "60000"),
            ("DataBlockSize", "64"),
        ]);
        let began = Instant::now();
        let outputs = Ping::read(&all, None)
            .unwrap()
            .run(&|| began.elapsed() > Duration::from_millis(300));
        assert!((1..1_000).contains(&number(&outputs, "SuccessCount")));
        assert_eq!(number(&outputs, "FailureCount"), 0);
        assert!(began.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn arguments_out_of_range_are_refused_before_anything_is_sent() {
    for (name, value) in [
        ("NumberOfRepetitions", "0"),
        ("Timeout", "0"),
        ("DataBlockSize", "65536"),
        ("DSCP", "64"),
        ("ProtocolVersion", "IPv5"),
        ("Host", ""),
    ] {
        let mut all = arguments(&[("Host", "127.0.0.1")]);
        all.extend(arguments(&[(name, value)]));
        assert!(Ping::read(&all, None).is_err(), "{name}={value}");
    }
    for (name, value) in [("NumberOfTries", "4"), ("MaxHopCount", "65")] {
        let all = arguments(&[("Host", "127.0.0.1"), (name, value)]);
        assert!(TraceRoute::read(&all, None).is_err(), "{name}={value}");
    }
}

#[test]
fn loopback_is_one_hop_away() {
    in_a_network(|| {
        for host in ["127.0.0.1", "::1"] {
            let outputs = trace(&[("Host", host)]);
            assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
            assert_eq!(outputs["RouteHops.1.Host"], host);
            assert_eq!(outputs["RouteHops.1.HostAddress"], "");
            assert!(!outputs.contains_key("RouteHops.2.Host"));
            let times: Vec<u64> = outputs["RouteHops.1.RTTimes"]
                .split(',')
                .map(|time| time.parse().unwrap())
                .collect();
            assert_eq!(times.len(), 3);
            assert!(times.iter().all(|time| *time >= 1), "{times:?}");
            assert!(number(&outputs, "ResponseTime") >= 1);
        }
    });
}

/// A host that says nothing is tried again when the time for its answer is up, as often as was asked for.
#[test]
fn silence_is_waited_for_after_each_try() {
    in_a_network(|| {
        let ears = (33_434..33_437).map(|port| UdpSocket::bind(("127.0.0.1", port)).unwrap());
        let ears: Vec<UdpSocket> = ears.collect();
        let began = Instant::now();
        let outputs = trace(&[
            ("Host", "127.0.0.1"),
            ("Timeout", "300"),
            ("MaxHopCount", "1"),
        ]);
        assert!(began.elapsed() >= Duration::from_millis(900));
        assert_eq!(outputs["Status"], "Error_MaxHopCountExceeded");
        assert_eq!(outputs["RouteHops.1.RTTimes"], "0,0,0");
        for ear in ears {
            ear.set_nonblocking(true).unwrap();
            assert!(ear.recv(&mut [0; 64]).is_ok());
        }
    });
}

/// A process that keeps a network for a router.
struct Router(Child);

impl Router {
    fn new() -> Self {
        let child = Command::new("unshare").args(["-n", "sleep", "60"]).spawn();
        let router = Self(child.unwrap());
        // It has a network of its own as soon as it is the sleeper.
        let comm = format!("/proc/{}/comm", router.0.id());
        let end = Instant::now() + Duration::from_secs(10);
        while std::fs::read_to_string(&comm).unwrap_or_default() != "sleep\n" {
            assert!(Instant::now() < end, "the sleeper does not sleep");
            thread::sleep(Duration::from_millis(5));
        }
        router.run("ip link set lo up");
        router.write("1", "ipv4/ip_forward");
        router.write("1", "ipv6/conf/all/forwarding");
        // They answer everybody, however often.
        router.write("0", "ipv4/icmp_ratelimit");
        router
    }

    fn run(&self, command: &str) {
        run(&format!("nsenter -t {} -n {command}", self.0.id()));
    }

    fn write(&self, value: &str, setting: &str) {
        let id = self.0.id().to_string();
        let shell = format!("echo {value} > /proc/sys/net/{setting}");
        let status = Command::new("nsenter")
            .args(["-t", &id, "-n", "sh", "-c", &shell])
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Two routers stand between this host and 198.51.100.2 / 2001:db8:3::2.
fn chain() -> [Router; 3] {
    let routers = [Router::new(), Router::new(), Router::new()];
    let [near, far, end] = &routers;
    run(&format!(
        "ip link add out type veth peer name in netns {}",
        near.0.id()
    ));
    run("ip address add 192.0.2.2/30 dev out");
    run("ip address add 2001:db8:1::2/64 dev out nodad");
    run("ip link set out up");
    for (router, next) in [(near, far), (far, end)] {
        router.run(&format!(
            "ip link add out type veth peer name in netns {}",
            next.0.id()
        ));
    }
    for (router, device, v4, v6) in [
        (near, "in", "192.0.2.1/30", "2001:db8:1::1/64"),
        (near, "out", "203.0.113.1/30", "2001:db8:2::1/64"),
        (far, "in", "203.0.113.2/30", "2001:db8:2::2/64"),
        (far, "out", "198.51.100.1/29", "2001:db8:3::1/64"),
        (end, "in", "198.51.100.2/29", "2001:db8:3::2/64"),
    ] {
        router.run(&format!("ip address add {v4} dev {device}"));
        router.run(&format!("ip address add {v6} dev {device} nodad"));
        router.run(&format!("ip link set {device} up"));
    }
    run("ip route add default via 192.0.2.1");
    run("ip route add default via 2001:db8:1::1");
    near.run("ip route add default via 203.0.113.2");
    near.run("ip route add default via 2001:db8:2::2");
    far.run("ip route add default via 203.0.113.1");
    far.run("ip route add default via 2001:db8:2::1");
    end.run("ip route add default via 198.51.100.1");
    end.run("ip route add default via 2001:db8:3::1");
    routers
}

fn hops(outputs: &Outputs) -> Vec<&str> {
    let hosts = (1..).map_while(|hop| outputs.get(&format!("RouteHops.{hop}.Host")));
    hosts.map(String::as_str).collect()
}

#[test]
fn each_router_on_the_way_is_told() {
    in_a_network(|| {
        let routers = chain();
        let outputs = trace(&[("Host", "198.51.100.2")]);
        assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
        assert_eq!(hops(&outputs), ["192.0.2.1", "203.0.113.2", "198.51.100.2"]);
        assert_eq!(outputs["RouteHops.1.ErrorCode"], "0");
        assert_eq!(outputs["RouteHops.3.ErrorCode"], "3");
        let outputs = trace(&[("Host", "2001:db8:3::2")]);
        assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
        assert_eq!(
            hops(&outputs),
            ["2001:db8:1::1", "2001:db8:2::2", "2001:db8:3::2"]
        );

        let outputs = trace(&[("Host", "198.51.100.2"), ("MaxHopCount", "2")]);
        assert_eq!(outputs["Status"], "Error_MaxHopCountExceeded");
        assert_eq!(hops(&outputs).len(), 2);

        // Nobody is there, which the last router knows as soon as it gives up asking.
        routers[1].write("100", "ipv4/neigh/out/retrans_time_ms");
        routers[1].write("1", "ipv4/neigh/out/mcast_solicit");
        let outputs = trace(&[
            ("Host", "198.51.100.5"),
            ("NumberOfTries", "1"),
            ("Timeout", "10000"),
        ]);
        assert_eq!(outputs["Status"], "Error_NoRouteToHost", "{outputs:?}");
        assert_eq!(hops(&outputs)[..2], ["192.0.2.1", "203.0.113.2"]);
        let outputs = ping(&[("Host", "198.51.100.5"), ("Timeout", "10000")]);
        assert_eq!(outputs["Status"], "Error_NoRouteToHost", "{outputs:?}");
        let outputs = ping(&[("Host", "2001:db8:3::2")]);
        assert_eq!(outputs["SuccessCount"], "2", "{outputs:?}");

        // A router that says nothing is a hop without a name, and its times are zero.
        routers[0].run("ip route add blackhole 198.51.100.2/32");
        let outputs = trace(&[
            ("Host", "198.51.100.2"),
            ("MaxHopCount", "2"),
            ("Timeout", "200"),
        ]);
        assert_eq!(
            outputs["Status"], "Error_MaxHopCountExceeded",
            "{outputs:?}"
        );
        assert_eq!(outputs["RouteHops.2.RTTimes"], "0,0,0");
        let outputs = ping(&[("Host", "198.51.100.2"), ("Timeout", "200")]);
        assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
        assert_eq!(outputs["FailureCount"], "2");
    });
}

#[test]
fn datagrams_leave_through_the_device_that_is_asked_for() {
    in_a_network(|| {
        let _routers = chain();
        let all = arguments(&[("Host", "127.0.0.1"), ("Timeout", "300")]);
        let through = |device: &str| {
            let ping = Ping::read(&all, Some(device.to_owned())).unwrap();
            ping.run(&|| false)["SuccessCount"].clone()
        };
        assert_eq!(through("lo"), "3");
        assert_eq!(through("out"), "0");
    });
}

#[test]
fn a_trace_that_is_cancelled_stops_soon() {
    in_a_network(|| {
        run("ip link add quiet type veth peer name other");
        run("ip address add 192.0.2.2/24 dev quiet");
        run("ip link set quiet up");
        run("ip link set other up");
        let all = arguments(&[
            ("ProtocolVersion", "Any"),
            ("Host", "192.0.2.1"),
            ("Timeout", "60000"),
        ]);
        let trace = TraceRoute::read(&all, None).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(200));
                stop.store(true, Ordering::Relaxed);
            });
            let began = Instant::now();
            let outputs = trace.run(&Resolver::default(), &|| stop.load(Ordering::Relaxed));
            assert!(!outputs.contains_key("RouteHops.2.Host"), "{outputs:?}");
            assert!(began.elapsed() < Duration::from_secs(10));
        });
    });
}
