//! The table of defaults, from the constants that are used.

use std::fmt::Write as _;
use std::time::Duration;

use usphere::defaults::{
    AGENT_ROLE, ANSWER_BYTES_MAX, API_URL, API_VARIABLE, CA_DAYS, CERTIFICATE_DAYS, CERTS_ROLE,
    COMPLETION_WAIT, CONTACTS_LISTED, CONTROLLER_ID, DATA_VARIABLE, DECODE_BYTES_MAX,
    ENDPOINT_ID_FILE, FIRST_USE_FILE, IDENTITY_FILE, LOG_COMMANDS, LOG_DAEMONS, LOG_VARIABLE,
    ROWS_FILE, SERVER_ROLE, SIM_PREFIX, SPINNER_AFTER, TIMEOUT, TOKEN_FILE, TOKEN_VARIABLE,
    WATCH_LEASE,
};
use usphere_mtp::limits as mtp;
use usphere_runtime::agent_host::STORE_FILE;
use usphere_server::{Config, limits as server};
use usphere_sim::limits::STARTS_PER_SECOND;
use usphere_store::limits as store;

/// `| what | default | changed by |`
pub(crate) fn table() -> String {
    let mut table = String::from("| what | default | changed by |\n|---|---|---|\n");
    let rows = [identity(), places(), manners(), limits()];
    for [what, default, by] in rows.into_iter().flatten() {
        let _ = writeln!(table, "| {what} | {default} | {by} |");
    }
    table
}

type Row = [String; 3];

fn row(what: &str, default: impl Into<String>, by: &str) -> Row {
    [what.to_owned(), default.into(), by.to_owned()]
}

fn code(text: impl std::fmt::Display) -> String {
    format!("`{text}`")
}

fn identity() -> Vec<Row> {
    let made = "`uuid::` and a random UUID, made at first start and kept";
    vec![
        row(
            "endpoint ID of a server",
            made,
            "`--endpoint-id`, `endpoint_id`; kept from then on",
        ),
        row(
            "endpoint ID of an Agent",
            made,
            "`--endpoint-id`, `endpoint_id`; kept from then on",
        ),
        row(
            "endpoint ID of a verb with `--agent` or `--listen`",
            code(CONTROLLER_ID),
            "`--as`",
        ),
        row(
            "role of a Controller given by `--controller`",
            "full access",
            "`AssignedRole` in the Agent's Controller table",
        ),
        row(
            "role of any other Controller",
            "untrusted",
            "`Device.LocalAgent.ControllerTrust.`",
        ),
    ]
}

fn places() -> Vec<Row> {
    let config = Config::new("unused");
    let folder = |role| {
        format!(
            "root: `/var/lib/usphere/{role}`; others: `$XDG_STATE_HOME/usphere/{role}`, else `~/.local/state/usphere/{role}`"
        )
    };
    let in_folder = "not";
    vec![
        row("API of the server", code(config.api), "`--api`, `api`"),
        row(
            "USP door of the server",
            format!("`ws://{}{}`", config.ws, config.ws_path),
            "`--ws`, `ws`, `ws_path`; `wss://` with `--tls-cert`",
        ),
        row(
            "doors without TLS on other addresses than loopback",
            code(config.insecure),
            "`insecure` in the configuration file",
        ),
        row("USP door of an Agent", "none", "`--listen`, `listen`"),
        row(
            "server that verbs ask",
            code(API_URL),
            &format!("`--server`, `{API_VARIABLE}`"),
        ),
        row(
            "token that verbs show",
            format!("what the file `{TOKEN_FILE}` in the server's data folder says"),
            &format!("`--token`, `{TOKEN_VARIABLE}`"),
        ),
        row(
            "data folder of a server",
            folder(SERVER_ROLE),
            &format!("`--data`, `{DATA_VARIABLE}`, `data`"),
        ),
        row(
            "data folder of an Agent",
            folder(AGENT_ROLE),
            "`--data`, `data`",
        ),
        row(
            "files of a server",
            format!(
                "`{ENDPOINT_ID_FILE}`, `{TOKEN_FILE}` (mode 600), `server.db`, `server.db-wal` and `server.db-shm` while it runs, `lock`"
            ),
            in_folder,
        ),
        row(
            "files of an Agent",
            format!(
                "`{ENDPOINT_ID_FILE}` (mode 600), `{STORE_FILE}`, `{STORE_FILE}.lock`, `{FIRST_USE_FILE}`, `{ROWS_FILE}`"
            ),
            in_folder,
        ),
        row("configuration file", "none", "`--config`"),
        row(
            "certificate and key of a server, CAs that it trusts",
            "none: its USP door is plain",
            "`--tls-cert`, `--tls-key`, `--tls-ca`; `tls_cert`, `tls_key`, `tls_ca`",
        ),
        row(
            "certificate and key of an Agent",
            format!("self-signed, made at first start and kept as `{IDENTITY_FILE}` (mode 600)"),
            "`--tls-cert`, `--tls-key`; `tls_cert`, `tls_key`",
        ),
        row(
            "CAs that an Agent trusts at first",
            "none",
            "`--tls-ca`, `tls_ca`",
        ),
        row(
            "certificate, key and CA of a verb with `--agent` or `--listen`",
            "those that `usphere certs` has put into its folder for who it is",
            "`--tls-cert`, `--tls-key`, `--tls-ca`",
        ),
        row("folder of `usphere certs`", folder(CERTS_ROLE), "`--dir`"),
        row("a CA is valid", format!("{CA_DAYS} days"), "`--days`"),
        row(
            "a certificate is valid",
            format!("{CERTIFICATE_DAYS} days, at most as long as the CA"),
            "`--days`",
        ),
    ]
}

fn manners() -> Vec<Row> {
    let config = Config::new("unused");
    vec![
        row(
            "time for each step of a verb: reaching the server, the Connect Record of an Agent, the answer",
            seconds(TIMEOUT),
            &format!("`--timeout`, at most {} s", server::OPERATION_SECONDS_MAX),
        ),
        row(
            "time of an API request without `timeout`",
            seconds(server::OPERATION_TIMEOUT),
            "`?timeout=SECONDS`",
        ),
        row(
            "time that an operation with `--later` waits for its device",
            seconds(Duration::from_secs(server::EXPIRY_SECONDS)),
            &format!(
                "`--expires`, `?expires=SECONDS`, at most {} s",
                server::EXPIRY_SECONDS_MAX
            ),
        ),
        row(
            "operations that are kept after their end",
            format!(
                "{} days; {} in all, {} of one device, {} of requests and outcomes",
                config.retention.operations_days,
                config.retention.operations_max,
                store::OPERATIONS_PER_DEVICE_MAX,
                size(store::OPERATIONS_BYTES_MAX as usize)
            ),
            "`[retention] operations_days`, `operations_max`",
        ),
        row(
            "operations that only read that are kept after their end",
            format!(
                "as long; {} in all, {} of one device, {} of requests and outcomes",
                config.retention.reads_max,
                store::OPERATIONS_PER_DEVICE_MAX,
                size(store::READS_BYTES_MAX as usize)
            ),
            "`[retention] reads_max`",
        ),
        row(
            "time for which an `Idempotency-Key` is good",
            format!("{} hours after the end", config.retention.keys_hours),
            "`[retention] keys_hours`",
        ),
        row(
            "contacts that failed that `doctor` tells",
            CONTACTS_LISTED.to_string(),
            "`--limit`",
        ),
        row(
            "contacts that failed that are kept",
            format!(
                "{} days; {} in all, {} of one address",
                Config::new("").retention.contacts_days,
                store::CONTACTS_MAX,
                store::CONTACTS_PER_SOURCE_MAX
            ),
            "`retention.contacts_days`, the numbers not",
        ),
        row(
            "time that `operate` waits for a command to complete",
            seconds(COMPLETION_WAIT),
            "`--wait`, `--no-wait`",
        ),
        row(
            "time after which a device forgets a `watch` that was killed",
            seconds(WATCH_LEASE),
            "not",
        ),
        row(
            "endpoint IDs of simulated devices begin with",
            code(SIM_PREFIX),
            "`sim usp --prefix`",
        ),
        row(
            "simulated devices begin",
            format!("{STARTS_PER_SECOND} a second"),
            "`sim usp --rate`",
        ),
        row(
            "a verb shows that it waits, on a terminal",
            format!("after {}", seconds(SPINNER_AFTER)),
            "not",
        ),
        row(
            "log of `server` and `agent`",
            code(LOG_DAEMONS),
            &format!("`--log`, `{LOG_VARIABLE}`; for the Agent also `log`"),
        ),
        row(
            "log of verbs",
            code(LOG_COMMANDS),
            &format!("`--log`, `{LOG_VARIABLE}`"),
        ),
        row("colours", "on a terminal", "`NO_COLOR`, `TERM=dumb`"),
        row(
            "time between WebSocket Pings",
            seconds(mtp::PING_INTERVAL),
            "of an Agent: `KeepAliveInterval`",
        ),
        row("time for a Pong", seconds(mtp::PONG_TIMEOUT), "not"),
        row(
            "the same two of a server",
            format!("{} s, {} s", server::PING_SECONDS, server::PONG_SECONDS),
            "`ping_seconds`, `pong_seconds` of `[links]` ([links.md](links.md))",
        ),
        row(
            "time for dialling over WebSocket, with the handshake",
            seconds(mtp::CONNECT_TIMEOUT),
            "of a verb with `--agent`: `--timeout`, where that is shorter",
        ),
        row(
            "time for a Connect Record",
            seconds(usphere_controller::limits::CONNECT_PATIENCE),
            "not",
        ),
    ]
}

fn limits() -> Vec<Row> {
    let config = Config::new("unused");
    let proto = usphere_proto::Limits::DEFAULT;
    let not = |what: &str, default: String| row(what, default, "not");
    vec![
        not("bytes of a Record", size(proto.record_bytes_max)),
        not("bytes of a Message", size(proto.msg_bytes_max)),
        not(
            "bytes that wait to be sent on one connection",
            size(mtp::QUEUE_BYTES_MAX),
        ),
        not(
            "bytes of the body of an API request",
            size(server::BODY_BYTES_MAX),
        ),
        not(
            "bytes of an answer of the API that a verb reads",
            size(ANSWER_BYTES_MAX),
        ),
        not("bytes that `decode` reads", size(DECODE_BYTES_MAX as usize)),
        row(
            "USP connections of a server",
            config.connections_max.to_string(),
            "`connections_max`",
        ),
        row(
            "USP connections of a server from one address",
            config.connections_per_source_max.to_string(),
            "`connections_per_source_max`",
        ),
        not(
            "API connections of a server",
            server::API_CONNECTIONS_MAX.to_string(),
        ),
        not(
            "live streams of events of a server",
            server::STREAMS_MAX.to_string(),
        ),
        not(
            "events of one device that a server keeps",
            format!(
                "{}, at most {}",
                store::EVENTS_PER_DEVICE_MAX,
                size(store::EVENT_BYTES_PER_DEVICE_MAX as usize)
            ),
        ),
        row(
            "events that a server keeps in all",
            config.retention.events_max.to_string(),
            "`[retention] events_max`",
        ),
        row(
            "days for which a server keeps events",
            config.retention.events_days.to_string(),
            "`[retention] events_days`",
        ),
        row(
            "days for which a server keeps its audit",
            format!(
                "{}, at most {} entries",
                config.retention.audit_days, config.retention.audit_max
            ),
            "`[retention] audit_days`, `audit_max`",
        ),
        row(
            "API requests with one token",
            format!(
                "{} per second, {} at once",
                config.rate.token_per_second, config.rate.token_burst
            ),
            "`[rate] token_per_second`, `token_burst`",
        ),
        row(
            "API requests without a valid token from one address",
            format!(
                "{} per second, {} at once",
                config.rate.address_per_second, config.rate.address_burst
            ),
            "`[rate] address_per_second`, `address_burst`",
        ),
        not(
            "tokens of a server beside its own",
            store::TOKENS_MAX.to_string(),
        ),
        not("tags of a device", store::TAGS_PER_DEVICE_MAX.to_string()),
        not(
            "notifications that wait in a Controller to be taken",
            format!(
                "{}, of one Agent {}",
                usphere_controller::limits::OFFERED_MAX,
                usphere_controller::limits::OFFERED_PER_AGENT_MAX
            ),
        ),
        not(
            "requests that wait for the answers of one device",
            usphere_controller::limits::OUTSTANDING_MAX.to_string(),
        ),
        not(
            "operations that have not ended",
            format!(
                "{}, on one device {}",
                server::OPERATIONS_MAX,
                server::OPERATIONS_PER_DEVICE_MAX
            ),
        ),
        not(
            "bytes of an outcome that are kept",
            format!("{} KiB", server::OUTCOME_BYTES_MAX >> 10),
        ),
        not(
            "requests of one Controller that wait in an Agent",
            usphere_agent::limits::REQUESTS_MAX.to_string(),
        ),
        not(
            "characters of an alias of a device",
            usphere_store::limits::ALIAS_CHARACTERS_MAX.to_string(),
        ),
    ]
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

fn size(bytes: usize) -> String {
    format!("{} MiB", bytes >> 20)
}
