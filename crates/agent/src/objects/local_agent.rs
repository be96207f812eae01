//! The Agent itself.

use core::time::Duration;

use usphere_datamodel::declare::{
    Numbering, Object, STRING, UNSIGNED_INT, Unit, command, event, object, one_of, parameter,
};

use crate::limits::UP_TIME_AGE_MAX;
use crate::objects::WEBSOCKET;

/// The Endpoint IDs of the Controllers that the configuration has seeded, now or at an earlier start.
pub(crate) const SEEDED_CONTROLLERS: &str = "X_USPHERE_SeededControllers";

/// The SHA-256 of the certificates that the configuration has seeded, now or at an earlier start.
pub(crate) const SEEDED_CERTIFICATES: &str = "X_USPHERE_SeededCertificates";

/// All of TR-181's but SHA-224, which nobody uses.
const FINGERPRINT_ALGORITHMS: &str = "SHA-1,SHA-256,SHA-384,SHA-512";

/// The owner of what the engine itself knows.
pub(crate) const OWNER: &str = "agent";

/// How long the Agent has been running.
pub(crate) const UP_TIME: Unit = Unit {
    name: "agent-uptime",
    owner: OWNER,
    max_age: UP_TIME_AGE_MAX,
    deadline: UP_TIME_AGE_MAX,
    numbering: Numbering::Fresh,
    announced: false,
    poll: Duration::from_secs(10),
};

/// This Agent. Its ID and version are told by whoever starts it. (TR-181 2.19)
pub(super) const LOCAL_AGENT: Object = object("Device.LocalAgent.")
    .parameters(&[
        parameter("EndpointID", STRING).volatile(),
        parameter("SoftwareVersion", STRING.max(64)).volatile(),
        parameter("UpTime", UNSIGNED_INT)
            .unannounced()
            .live(&UP_TIME),
        parameter(
            "SupportedProtocols",
            one_of(&["WebSocket", "STOMP", "MQTT", "UDS"]).list_of(1, 4),
        )
        .default(WEBSOCKET),
        parameter("AdvertisedDeviceSubtypes", STRING.list()).writable(),
        parameter(
            "SupportedFingerprintAlgorithms",
            one_of(&["SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"]).list(),
        )
        .default(FINGERPRINT_ALGORITHMS),
        parameter("MTPNumberOfEntries", UNSIGNED_INT).counts("MTP"),
        parameter("ControllerNumberOfEntries", UNSIGNED_INT).counts("Controller"),
        parameter("CertificateNumberOfEntries", UNSIGNED_INT).counts("Certificate"),
        parameter("SubscriptionNumberOfEntries", UNSIGNED_INT).counts("Subscription"),
        parameter("RequestNumberOfEntries", UNSIGNED_INT).counts("Request"),
        // Ours: whom the configuration has brought in once. Who was deleted since is not brought in again.
        parameter(SEEDED_CONTROLLERS, STRING.list()),
        // Ours: the fingerprints of the certificates that the configuration has brought in once.
        parameter(SEEDED_CERTIFICATES, STRING.list()),
    ])
    .commands(&[command("AddCertificate()")
        .input(&["Alias", "Certificate"])
        .mandatory(&["Certificate"])])
    .events(&[event("Periodic!")]);
