//! Every bound that this crate puts on what a peer can make it hold, spend or wait for.

use std::time::Duration;

use usphere_proto::Limits;

/// Largest Record that is received unless the settings say otherwise, in bytes.
pub const RECORD_BYTES_MAX: usize = Limits::DEFAULT.record_bytes_max;

/// Most bytes that wait to be sent on one link, and so also the largest Record that can be sent.
pub const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most Records that wait to be sent on one link.
pub const QUEUE_RECORDS_MAX: usize = 32 * 1024;

/// Size of the buffer that one read of a socket fills, in bytes. It is allocated for the life of
/// the link, so it decides what an idle link costs.
pub const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Outgoing bytes that are gathered before a write is forced. A batch of answers leaves in one write.
pub const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// Most events that are taken from a socket before what has been queued meanwhile is flushed.
pub const EVENTS_BEFORE_FLUSH_MAX: u32 = 64;

/// Time between two Pings unless the settings say otherwise. (R-WS.18)
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Time in which a Ping has to be answered.
pub const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// Time in which a blocked write has to make progress, see [`PROGRESS_BYTES_MIN`].
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that count as progress of a transfer that is larger than one time-out allows for.
pub const PROGRESS_BYTES_MIN: u64 = 16 * 1024;

/// Time for the closing handshake before the socket is simply closed. (R-WS.8)
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for resolving the name and connecting, all addresses together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the opening handshake, from the accepted or made connection on.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Most addresses of one name that are tried.
pub const ADDRESSES_MAX: usize = 8;

/// Most bytes of a handshake request up to and with its empty line.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of the body of a refusal that are kept for the error message.
pub const REFUSAL_BYTES_MAX: usize = 256;

/// Longest time for which a server that was dialled may send us away.
pub const SENT_AWAY_MAX: Duration = Duration::from_secs(600);

/// Most bytes of the path and query of a target.
pub const TARGET_PATH_BYTES_MAX: usize = 2 * 1024;

/// Longest text of a Close frame: a control frame has 125 bytes, two of them are the code.
pub const CLOSE_TEXT_BYTES_MAX: usize = 123;

/// Connections of a listener, those in handshake included, unless its limits say otherwise.
pub const CONNECTIONS_MAX: usize = 20_000;

/// Connections from one source (an IPv4 address, an IPv6 /64) unless the limits say otherwise.
/// Many devices can stand behind one address translator.
pub const CONNECTIONS_PER_SOURCE_MAX: usize = 1_000;

/// Connections accepted per second, in the long run, unless the limits say otherwise.
pub const ACCEPTS_PER_SECOND: u32 = 500;

/// Connections accepted at once after a quiet time, unless the limits say otherwise.
pub const ACCEPT_BURST: u32 = 500;

/// One of so many connections may be that of a source from which no more are waiting or shaking hands than have
/// links, and does not queue behind the others.
pub const NEWCOMERS_SHARE: u32 = 4;

/// Of these, how many may come from one source unless the limits say otherwise.
pub const ACCEPTS_PER_SOURCE_PER_SECOND: u32 = 200;

/// Connections that wait in the system's queue to be taken from it; the system may allow fewer.
pub const BACKLOG: u32 = 4_096;

/// How long a connection may wait for its turn; whoever would wait longer is told to come back.
pub const ADMISSION_PATIENCE: Duration = Duration::from_secs(3);

/// How long it is remembered that no link came of a connection from a source.
pub const FAILURE_MEMORY: Duration = Duration::from_secs(10);

/// Handshakes that are under way at the same time unless the limits say otherwise.
pub const HANDSHAKES_MAX: usize = 2_048;

/// Of these, how many may be with one source unless the limits say otherwise.
pub const HANDSHAKES_PER_SOURCE_MAX: usize = 512;

/// How long a handshake may take before it has to make room for others, where there are too many.
pub const HANDSHAKE_GRACE: Duration = Duration::from_secs(2);

/// The shortest time for which somebody is sent away.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(2);

/// The longest.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Sources that a listener remembers, each with its share.
pub const SOURCES_MAX: usize = 100_000;

/// Connections that are being told to come back; the others are closed without many words.
pub const TURNED_AWAY_TOGETHER_MAX: usize = 256;

/// How long that may take.
pub const TURNING_AWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// Handshakes of TLS per second that are done only to tell somebody to come back.
pub const TLS_TURNED_AWAY_PER_SECOND: u32 = 50;

/// Bytes that all links of a listener together may hold of Records that are not whole yet, unless the
/// limits say otherwise.
pub const BEGUN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes that each link may hold of one whatever the others do.
pub const BEGUN_BYTES_FREE: usize = 64 * 1024;

/// Finished handshakes that wait to be taken from a listener.
pub const ACCEPTED_WAITING_MAX: usize = 64;

/// Pause after an accept failed for want of descriptors or memory.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Bytes of plain text or cipher text that TLS holds back for a peer that does not read.
pub const TLS_BUFFER_BYTES_MAX: usize = 16 * 1024;

/// Most certificates of a chain, ours or a peer's.
pub const TLS_CHAIN_CERTIFICATES_MAX: usize = 8;

/// Most bytes of a file with certificates or a key.
pub const TLS_FILE_BYTES_MAX: u64 = 256 * 1024;

/// Peers that were dialled whose TLS sessions are kept for being resumed.
pub const TLS_PEERS_REMEMBERED_MAX: usize = 32;

/// TLS sessions that are kept for each of them.
pub const TLS_TICKETS_PER_PEER: usize = 4;

/// Time for a client that was refused to read why.
pub const TLS_FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Most bytes that are read from a client that was refused.
pub const TLS_FAREWELL_BYTES_MAX: u64 = 64 * 1024;
