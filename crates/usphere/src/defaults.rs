//! Every default of the command line, in one place. `docs/cli.md` shows them, and a test compares.

use std::time::Duration;

/// Where verbs look for the server.
pub const API_URL: &str = "http://127.0.0.1:8080";

/// Where the API begins.
pub const API_PATH: &str = "/api/v1";

/// Names the server for verbs.
pub const API_VARIABLE: &str = "USPHERE_API";

/// Names the file of the CAs that vouch for the server, for verbs.
pub const CA_VARIABLE: &str = "USPHERE_CA";

/// Holds the server's token for verbs.
pub const TOKEN_VARIABLE: &str = "USPHERE_TOKEN";

/// Names the server's data folder, for the server and for verbs.
pub const DATA_VARIABLE: &str = "USPHERE_DATA";

/// Holds the log filter.
pub const LOG_VARIABLE: &str = "USPHERE_LOG";

/// The server's folder below `usphere`.
pub const SERVER_ROLE: &str = "server";

/// The Agent's folder below `usphere`.
pub const AGENT_ROLE: &str = "agent";

/// The folder of certificates below `usphere`.
pub const CERTS_ROLE: &str = "certs";

/// What a CA is called.
pub const CA_NAME: &str = "usphere CA";

/// How long a CA is valid.
pub const CA_DAYS: u32 = 3650;

/// How long the certificate of an Endpoint is valid.
pub const CERTIFICATE_DAYS: u32 = 730;

/// Who a verb is to an Agent that it asks without a server.
pub const CONTROLLER_ID: &str = "self::usphere-cli";

/// Who the Controller of the conformance suite is; the second one's endpoint ID ends with `-2`.
pub const CONFORMANCE_ID: &str = "self::usphere-conformance";

/// Where an Agent that the conformance suite starts dials it, at a port that is free.
pub const CONFORMANCE_PATH: &str = "/usp";

/// What the endpoint IDs of simulated devices begin with.
pub const SIM_PREFIX: &str = "os::012345-SIM";

/// How often a simulated fleet tells how it is.
pub const SIM_PROGRESS: Duration = Duration::from_secs(2);

/// Operations that are listed where no limit is given.
pub const OPERATIONS_LISTED: usize = 100;

/// Failed contacts that are told where no limit is given.
pub const CONTACTS_LISTED: usize = 20;
/// Entries of the audit that are listed where the command line does not say.
pub const AUDIT_LISTED: usize = 100;

/// How long each step of a verb may take.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// After which time a device forgets who watches it, unless it is reminded.
pub const WATCH_LEASE: Duration = Duration::from_secs(3600);

/// How long `operate` waits for a command to complete.
pub const COMPLETION_WAIT: Duration = Duration::from_secs(600);

/// After which time a verb shows that it waits.
pub const SPINNER_AFTER: Duration = Duration::from_secs(2);

/// Where the API of a server in the process of its devices listens.
pub const SIM_API: &str = "127.0.0.1:8080";

/// Threads of the server that may wait for its store at the same time.
pub const STORE_THREADS: usize = 16;

/// File of the server's token in its data folder.
pub const TOKEN_FILE: &str = "token";

/// File of an Endpoint ID in a data folder.
pub const ENDPOINT_ID_FILE: &str = "endpoint-id";

/// File of the certificate and key that an Agent makes for itself, in its data folder.
pub const IDENTITY_FILE: &str = "identity.pem";

/// File that keeps when the Agent's device was first used, in its data folder.
pub const FIRST_USE_FILE: &str = "first-use";

/// File that keeps instance numbers of the device's rows, in its data folder.
pub const ROWS_FILE: &str = "rows";

/// The file in the Agent's data folder that keeps what is configured of the network.
pub const NETWORK_FILE: &str = "network";

/// What the server and the Agent log.
pub const LOG_DAEMONS: &str = "info";

/// What the verbs log.
pub const LOG_COMMANDS: &str = "warn";

/// Bytes of an answer of the server.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Bytes that `decode` reads, before hexadecimal digits or base64 are decoded.
pub const DECODE_BYTES_MAX: u64 = 32 << 20;
