//! Every bound of the suite.

use std::time::Duration;

use usphere_proto::Limits;

/// What decoding an answer of the Agent may cost.
pub const DECODING: Limits = Limits::DEFAULT;

/// Characters of one Message that a transcript keeps.
pub const EXCHANGE_CHARACTERS_MAX: usize = 32 * 1024;

/// Messages of one test that a transcript keeps with their content; of those after it only a line.
pub const EXCHANGES_MAX: usize = 400;

/// What was heard of one Controller and not yet looked at; what is older is forgotten.
pub const HEARD_MAX: usize = 10_000;

/// How long an answer may take, unless the profile says otherwise.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing must come where nothing may come, unless the plan or the profile says otherwise.
pub const SILENCE: Duration = Duration::from_secs(5);

/// How long a notification may take. The plan sets no limit, and R-NOT.0a only wishes for 10 s; there are Agents that look
/// every 15 s whether something has changed.
pub const NOTIFY_PATIENCE: Duration = Duration::from_secs(30);

/// How long the Agent may take to connect, unless the profile says otherwise.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// How long cleaning up after one test may take.
pub const CLEANING: Duration = Duration::from_secs(60);

/// Bytes of a profile.
pub const PROFILE_BYTES_MAX: u64 = 256 * 1024;

/// How long an opening handshake, ours or the Agent's, may take.
pub const HANDSHAKE: Duration = Duration::from_secs(5);

/// Connections of the Agent that are being opened at the same time.
pub const HANDSHAKES_MAX: usize = 32;

/// Bytes of one message that the Agent may send.
pub const MESSAGE_BYTES_MAX: usize = DECODING.record_bytes_max;

/// How often the Agent's process is looked after.
pub const PROCESS_CHECK: Duration = Duration::from_millis(200);

/// How long the Agent's process may take to end when it is told to.
pub const PROCESS_FAREWELL: Duration = Duration::from_secs(5);

/// How long after its end the Agent's process is started again.
pub const PROCESS_PAUSE: Duration = Duration::from_secs(1);

/// How much longer than asked for the suite may wait for something before that is worth a note.
pub const HELD_UP: Duration = Duration::from_secs(3);

/// How often in a row the Agent's process may end soon after its start.
pub const PROCESS_STARTS_MAX: u32 = 5;

/// What counts as soon.
pub const PROCESS_SOON: Duration = Duration::from_secs(5);

/// How long downloading a firmware image, or starting anew with it, may take, unless the profile says otherwise.
pub const FIRMWARE_PATIENCE: Duration = Duration::from_secs(600);

/// Bytes of one report that is collected.
pub const REPORT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Ports of the host that says nothing, each of which takes a descriptor: three tries of each of a few hops.
pub const TRIED_PORTS: u16 = 48;

/// Connections of the Agent to the web server, and to that for bulk data over MQTT, at the same time.
pub const WEB_CONNECTIONS_MAX: usize = 32;

/// How long a connection to the web server may take for one request.
pub const WEB_PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a firmware image that is given to the Agent.
pub const FIRMWARE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Records of a session context that are kept, those that came too early and those that were sent.
pub const SESSION_RECORDS_MAX: usize = 1_000;

/// Bytes of the command and headers of a frame of STOMP.
pub const STOMP_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a packet of MQTT: a Record, and what is said beside it.
pub const MQTT_PACKET_BYTES_MAX: u32 = MESSAGE_BYTES_MAX as u32 + 64 * 1024;
