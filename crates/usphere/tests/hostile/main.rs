//! Programs as a user starts them, and peers that mean ill or know no better: the process lives, the
//! others are served, memory stays bounded.
//!
//! What each input comes to in detail is tested nearer to where it is decided:
//!
//! | input | here | in detail |
//! |---|---|---|
//! | wrong `to_id`, `from_id`, version; empty or absurd payload; unknown Msg; header without body, body without header | `agent.rs` | `agent/src/engine/tests/records.rs`, `controller/src/engine/tests/records.rs` |
//! | deep nesting, counts, invalid UTF-8 | `agent.rs` | `proto/src/codec/tests/faults.rs`, `fuzz/` |
//! | messages of 10 MB, text frames, broken frames | `agent.rs`, `server.rs` | `mtp/tests/websocket_link.rs` |
//! | paths of a megabyte, huge search expressions | `agent.rs` | `datamodel/src/path/tests.rs` |
//! | an Agent that reconnects in the middle of a request, two with one Endpoint ID | `server.rs` | `server/tests/server.rs`, `agent/src/engine/tests/links.rs`, `.../requests.rs` |
//! | a peer that floods or never reads | `agent.rs`, `server.rs` | `mtp/tests/websocket_link.rs`, `agent/src/engine/tests/requests.rs` |
//! | crowds at the door: slow requests, half-open TLS, large heads; a byte per second; a flood of notifications | `links.rs` | `mtp/tests/websocket_admission.rs`, `mtp/src/websocket/{gate,seats}.rs` |
//! | the API: bodies, tokens, names, slow clients | `api.rs` | `server/tests/server.rs` |

mod agent;
mod api;
#[path = "../common/mod.rs"]
mod common;
mod links;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::{Program, free_port, usphere};
use crate::support::{Peer, memory_kib};

const AGENT: &str = "self::besieged";
const GOOD: &str = "self::good";
const BAD: &str = "self::bad";
const SERVER: &str = "self::besieged-server";

/// How long somebody who behaves may wait while others do not. The tests' builds are slow, and so
/// may the machine be.
const PROMPT: Duration = Duration::from_secs(5);

/// A program, and where it listens.
struct Besieged {
    program: Program,
    /// Where USP is spoken.
    port: u16,
    /// Where the API is.
    api: u16,
    /// Largest resident memory that it may ever have had.
    memory_kib_max: u64,
}

impl Besieged {
    /// An Agent that two Controllers may dial.
    fn agent(folder: &Path) -> Self {
        let port = free_port();
        let mut command = usphere();
        command
            .args(["agent", "--endpoint-id", AGENT, "--data"])
            .arg(folder.join("agent"))
            .args(["--listen", &format!("ws://127.0.0.1:{port}/usp")])
            .args(["--controller", GOOD, "--controller", BAD]);
        let mut program = Program::start(&mut command, folder.join("agent.log"));
        program.wait_for("listening");
        Self {
            program,
            port,
            api: 0,
            // A message of 8 MiB is held as it came, as text, in the answer, and in its encoding; an
            // answer of 65,536 objects is made before it is found to be too large.
            memory_kib_max: 128 << 10,
        }
    }

    fn server(folder: &Path) -> Self {
        let (port, api) = (free_port(), free_port());
        let mut command = usphere();
        command
            .args(["server", "--endpoint-id", SERVER, "--data"])
            .arg(folder.join("server"))
            .args(["--ws", &format!("127.0.0.1:{port}")])
            .args(["--api", &format!("127.0.0.1:{api}")]);
        let mut program = Program::start(&mut command, folder.join("server.log"));
        program.wait_for("server started");
        Self {
            program,
            port,
            api,
            memory_kib_max: 128 << 10,
        }
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/usp", self.port)
    }

    /// A Controller of the Agent.
    async fn controller(&self, who: &str) -> Peer {
        Peer::dial(&self.url(), who, AGENT).await
    }

    /// The process lives and never was too large.
    #[track_caller]
    fn is_sound(&self, context: &str) {
        let peak = memory_kib(self.program.id(), "VmHWM:");
        println!("{context}: at most {peak} KiB");
        assert!(
            peak < self.memory_kib_max,
            "{context}: {peak} KiB were resident, at most {} may be",
            self.memory_kib_max
        );
    }
}

/// The other Controller is answered promptly.
async fn is_served(good: &mut Peer, context: &str) {
    let began = Instant::now();
    let value = good.value("Device.LocalAgent.EndpointID").await;
    assert_eq!(value, AGENT, "{context}");
    let took = began.elapsed();
    assert!(took < PROMPT, "{context}: the other waited {took:?}");
}
