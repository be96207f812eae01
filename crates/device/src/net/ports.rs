//! The TCP ports of this host: who listens where, and which connections there are.
//!
//! Asked by the netlink of `ss`, which many small kernels do not have; of those, `/proc/net/tcp` and `tcp6`
//! are read, which takes several times as long.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};

use super::facts::ip;
use super::objects::ACTIVE_PORT;
use super::socket::{KernelError, Netlink};
use super::sources::Sources;
use super::uapi::{AF_INET, AF_INET6};
use crate::limits::{ACTIVE_PORTS_MAX, TABLE_BYTES_MAX};
use crate::snapshot::{row, value};

/// A port on which somebody listens, or a connection that is established. Listeners come first: what there is
/// no room for are connections.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Port {
    /// The other end of a connection.
    remote: Option<(IpAddr, u16)>,
    local: (IpAddr, u16),
}

/// The ports in the namespace of the calling thread.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn fetch(sources: &Sources) -> Result<Snapshot, OwnerError> {
    let ports = match ask() {
        Ok(ports) => ports,
        Err(_) => read_all(sources)?,
    };
    let ports = ports.into_iter().take(ACTIVE_PORTS_MAX);
    Ok(Snapshot {
        objects: ports.map(Port::into_object).collect(),
    })
}

/// States of TCP.
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

/// Asks the kernel. It tells of listeners before connections.
fn ask() -> Result<BTreeSet<Port>, KernelError> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const REQUEST: usize = 56;
    const TCP: u8 = 6;
    let mut kernel = Netlink::open_to(NETLINK_SOCK_DIAG)?;
    let mut ports = BTreeSet::new();
    for family in [AF_INET, AF_INET6] {
        let mut request = [0; REQUEST];
        request[..2].copy_from_slice(&[family, TCP]);
        let states: u32 = 1 << ESTABLISHED | 1 << LISTEN;
        request[4..8].copy_from_slice(&states.to_ne_bytes());
        let port = |_, content: &[u8]| Port::told(content);
        ports.extend(kernel.dump_as(SOCK_DIAG_BY_FAMILY, &request, &[], ACTIVE_PORTS_MAX, port)?);
    }
    Ok(ports)
}

fn read_all(sources: &Sources) -> Result<BTreeSet<Port>, OwnerError> {
    let mut ports = BTreeSet::new();
    let [tcp, tcp6] = sources.ports();
    read(&tcp, &mut ports)
        .map_err(|error| OwnerError::failed(format!("{}: {error}", tcp.display())))?;
    match read(&tcp6, &mut ports) {
        // There is none where the kernel has no IPv6.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(OwnerError::failed(format!("{}: {error}", tcp6.display())));
        }
        _ => {}
    }
    Ok(ports)
}

/// Adds the ports of one of the kernel's tables. It has listeners before connections.
fn read(table: &Path, ports: &mut BTreeSet<Port>) -> io::Result<()> {
    let mut table = BufReader::new(File::open(table)?.take(TABLE_BYTES_MAX));
    let mut line = String::new();
    let most = ports.len() + ACTIVE_PORTS_MAX;
    while ports.len() < most && table.read_line(&mut line)? > 0 {
        ports.extend(Port::parse(&line));
        line.clear();
    }
    Ok(())
}

impl Port {
    /// What an `inet_diag_msg` says (`linux/inet_diag.h`).
    fn told(content: &[u8]) -> Option<Self> {
        let end = |address: usize, port: usize| {
            let bytes = content.get(address..address + 16)?;
            let address = match *content.first()? {
                AF_INET => ip(AF_INET, bytes.get(..4)?)?,
                family => ip(family, bytes)?.to_canonical(),
            };
            let port = content.get(port..port + 2)?.try_into().ok()?;
            Some((address, u16::from_be_bytes(port)))
        };
        let remote = match *content.get(1)? {
            ESTABLISHED => Some(end(24, 6)?),
            LISTEN => None,
            _ => return None,
        };
        let local = end(8, 4)?;
        Some(Self { remote, local })
    }

    /// `sl: local remote state …`, numbers in hexadecimal. None for other states, and for headings.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (fields.next()?, fields.next()?);
        let remote = match u8::from_str_radix(fields.next()?, 16).ok()? {
            ESTABLISHED => Some(end(remote)?),
            LISTEN => None,
            _ => return None,
        };
        let local = end(local)?;
        Some(Self { remote, local })
    }

    fn into_object(self) -> SnapshotObject {
        let (local, port) = self.local;
        let (remote, remote_port) = match self.remote {
            Some((remote, port)) => (remote.to_string(), port),
            None => (String::new(), 0),
        };
        let status = match self.remote {
            Some(_) => "ESTABLISHED",
            None => "LISTEN",
        };
        let key = format!("{local} {port} {remote} {remote_port}");
        let values = vec![
            value("LocalIPAddress", local.to_string()),
            value("LocalPort", port.to_string()),
            value("RemoteIPAddress", remote),
            value("RemotePort", remote_port.to_string()),
            value("Status", status),
        ];
        row(&ACTIVE_PORT, vec![key], values)
    }
}

/// `0100007F:1F90`: an address in words of 32 bits, each as the processor reads it, and a port. Addresses of
/// IPv4 in those of IPv6 are shown as what they are.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(local: &str, remote: &str, state: &str) -> String {
        format!(
            "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
        )
    }

    /// The kernel's notation of an address on this processor.
    fn hex(bytes: &[u8]) -> String {
        let words = bytes.chunks(4);
        let words = words.map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        words.map(|word| format!("{word:08X}")).collect()
    }

    #[test]
    fn listeners_and_connections_are_read_and_nothing_else() {
        let v4 = hex(&[127, 0, 0, 1]);
        let v6: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let v6_text = hex(&v6.octets());
        let mapped = hex(&Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets());
        let listening = line(&format!("{v4}:1F90"), "00000000:0000", "0A");
        let local = (IpAddr::from([127, 0, 0, 1]), 8080);
        let expected = Port {
            remote: None,
            local,
        };
        assert_eq!(Port::parse(&listening), Some(expected));
        let connected = line(&format!("{v6_text}:0016"), &format!("{mapped}:FFFF"), "01");
        let expected = Port {
            remote: Some(([192, 0, 2, 1].into(), 65_535)),
            local: (v6.into(), 22),
        };
        assert_eq!(Port::parse(&connected), Some(expected));
        for other in [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
            "",
            &line(&format!("{v4}:1F90"), "00000000:0000", "06"),
            &line("0100:1F90", "00000000:0000", "0A"),
            &line("0100007F", "00000000:0000", "0A"),
        ] {
            assert_eq!(Port::parse(other), None, "{other}");
        }
    }

    #[test]
    fn where_there_is_no_room_listeners_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let v4 = hex(&[127, 0, 0, 1]);
        let connection =
            |port: usize| line(&format!("{v4}:{port:04X}"), &format!("{v4}:0016"), "01");
        let many: String = (1..=ACTIVE_PORTS_MAX + 9).map(connection).collect();
        let (tcp, tcp6) = (folder.path().join("tcp"), folder.path().join("tcp6"));
        std::fs::write(&tcp, many).unwrap();
        std::fs::write(&tcp6, line(&format!("{}:0050", "0".repeat(32)), &v4, "0A")).unwrap();
        let mut ports = BTreeSet::new();
        read(&tcp, &mut ports).unwrap();
        read(&tcp6, &mut ports).unwrap();
        assert_eq!(ports.len(), ACTIVE_PORTS_MAX + 1);
        assert_eq!(ports.first().unwrap().local.1, 80);
    }

    /// Both ways say the same of this process's own network, while it holds still.
    #[test]
    fn what_the_kernel_is_asked_is_what_its_tables_say() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(to).unwrap();
        let near = stream.local_addr().unwrap();
        let Ok(asked) = ask() else {
            println!("LEFT OUT: this kernel has no sock_diag");
            return;
        };
        let table = Path::new("/proc/thread-self/net/tcp");
        let mut read_from = BTreeSet::new();
        read(table, &mut read_from).unwrap();
        // Connections that have ended are in the table for a minute, and other tests make thousands.
        let length = std::fs::read(table).unwrap().len() as u64;
        if length * 10 > TABLE_BYTES_MAX * 9 || asked.len() > ACTIVE_PORTS_MAX {
            println!("LEFT OUT: this machine has more connections than are shown");
            return;
        }
        let end = |address: std::net::SocketAddr| (address.ip(), address.port());
        for port in [
            Port {
                remote: None,
                local: end(to),
            },
            Port {
                remote: Some(end(near)),
                local: end(to),
            },
            Port {
                remote: Some(end(to)),
                local: end(near),
            },
        ] {
            assert!(
                asked.contains(&port) && read_from.contains(&port),
                "{port:?}"
            );
        }
    }

    #[test]
    fn a_message_that_is_cut_is_nothing() {
        let mut message = [0; 72];
        message[..2].copy_from_slice(&[AF_INET, ESTABLISHED]);
        assert!(Port::told(&message).is_some());
        for length in 0..40 {
            assert_eq!(Port::told(&message[..length]), None);
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_it(line in "[ 0-9A-F:x\u{fc}]{0,120}") {
            let _ = Port::parse(&line);
        }
    }
}
