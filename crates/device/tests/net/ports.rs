//! What `ss` says of TCP is what the tree says.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use crate::chance::{Dice, seed};
use crate::inside::{output, within};
use crate::namespace::Namespace;
use crate::scene::{Scene, Tree};

/// Kept open while it lives.
#[derive(Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    streams: Vec<TcpStream>,
}

/// Listens, connects and hangs up at random, over both versions of IP.
fn build(dice: &mut Dice) -> Sockets {
    let mut sockets = Sockets::default();
    for _ in 0..30 {
        let address: IpAddr = match dice.below(5) {
            0 => Ipv4Addr::LOCALHOST.into(),
            1 => Ipv4Addr::UNSPECIFIED.into(),
            2 => Ipv6Addr::LOCALHOST.into(),
            3 => Ipv6Addr::UNSPECIFIED.into(),
            _ => Ipv4Addr::new(192, 0, 2, 1).into(),
        };
        let listener = TcpListener::bind((address, 0)).unwrap();
        let to = match listener.local_addr().unwrap() {
            // Who listens at all addresses of IPv6 is called by IPv4, too.
            to if to.ip().is_unspecified() && (to.is_ipv4() || dice.below(2) == 0) => {
                SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port())
            }
            to if to.ip().is_unspecified() => {
                SocketAddr::new(Ipv6Addr::LOCALHOST.into(), to.port())
            }
            to => to,
        };
        for _ in 0..dice.below(4) {
            let near = TcpStream::connect(to).unwrap();
            match dice.below(4) {
                // Nobody takes it, and it is a connection all the same.
                0 => sockets.streams.push(near),
                1 => drop(near),
                // Half of it is left, which is neither.
                2 => sockets.streams.push(listener.accept().unwrap().0),
                _ => sockets.streams.extend([near, listener.accept().unwrap().0]),
            }
        }
        if dice.below(3) != 0 {
            sockets.listeners.push(listener);
        }
    }
    sockets
}

/// `LISTEN local - ` and `ESTABLISHED local - remote`.
fn of_ss(namespace: &Namespace) -> BTreeSet<String> {
    let said = output(namespace, "ss -tanH");
    let lines = said.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "LISTEN" => Some(format!("LISTEN {} - ", end(words[3]))),
            "ESTAB" => Some(format!("ESTABLISHED {} - {}", end(words[3]), end(words[4]))),
            _ => None,
        }
    });
    lines.collect()
}

/// `*:80`, `[::1]:80`, `192.0.2.1%eth0:80`
fn end(text: &str) -> String {
    let (address, port) = text.rsplit_once(':').unwrap();
    let address = address.trim_matches(['[', ']']);
    let address = address.split('%').next().unwrap().replace('*', "::");
    let address: IpAddr = address.parse().unwrap();
    format!("{} {port}", address.to_canonical())
}

fn of_tree(tree: &Tree) -> BTreeSet<String> {
    let rows = tree.rows("Device.IP.ActivePort.");
    let facts: BTreeSet<String> = rows
        .iter()
        .map(|row| {
            let of = tree.of(row);
            let remote = match (of("RemoteIPAddress"), of("RemotePort")) {
                (address, port) if address.is_empty() && port == "0" => String::new(),
                (address, port) => format!("{address} {port}"),
            };
            let (status, local) = (of("Status"), of("LocalIPAddress"));
            format!("{status} {local} {} - {remote}", of("LocalPort"))
        })
        .collect();
    assert_eq!(facts.len(), rows.len(), "each is one row");
    let count = tree.value("Device.IP.ActivePortNumberOfEntries");
    assert_eq!(count, rows.len().to_string());
    facts
}

/// Generated namespaces, each with other sockets.
#[test]
fn what_ss_says_of_tcp_is_what_the_tree_says() {
    let seed = seed();
    for at in 0..4 {
        let Some(namespace) = Namespace::new() else {
            return;
        };
        namespace.ip("addr add 192.0.2.1/24 dev lo");
        let mut dice = Dice::new(seed + at);
        let sockets = within(&namespace, || build(&mut dice));
        let mut scene = Scene::new(&namespace);
        let still = (0..20).any(|_| {
            let before = of_ss(&namespace);
            let told = of_tree(&scene.tree("Device.IP."));
            let is_still = before == of_ss(&namespace);
            if is_still {
                assert_eq!(told, before, "SEED={seed} namespace {at}");
                assert!(before.len() > sockets.listeners.len());
            }
            is_still
        });
        assert!(still, "the sockets never stood still");

        drop(sockets);
        // The other ends hear of it in a moment.
        let is_empty = (0..50).any(|_| {
            sleep(Duration::from_millis(20));
            of_tree(&scene.tree("Device.IP.")).is_empty()
        });
        assert!(is_empty, "SEED={seed} namespace {at}");
    }
}

/// A connection is the same row for as long as it lasts, whatever comes and goes beside it.
#[test]
fn a_connection_keeps_its_row() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let (one, two) = within(&namespace, || {
        let listen = || TcpListener::bind("[::1]:0").unwrap();
        (listen(), listen())
    });
    let mut scene = Scene::new(&namespace);
    let port = two.local_addr().unwrap().port().to_string();
    let row = |scene: &mut Scene| {
        let tree = scene.tree("Device.IP.");
        tree.find("Device.IP.ActivePort.", "LocalPort", &port)
    };
    let before = row(&mut scene);
    assert!(before.is_some());
    drop(one);
    assert_eq!(row(&mut scene), before);
    drop(two);
    assert_eq!(row(&mut scene), None);
}
