//! What is known of a peer, and whether the Record that it sends may be processed.

use std::net::IpAddr;
use std::sync::Arc;

use usphere_proto::EndpointId;

use crate::session::Session;

/// What is known of the peer at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The Endpoint ID that the peer told while the link opened, if it told one. This is a claim and no
    /// more; over TLS it has to be proven by the certificate.
    pub endpoint_id: Option<EndpointId>,
    /// What the link runs over.
    pub channel: Channel,
}

/// What a link runs over, and so how much a claim made on it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Plain, to an address beyond this host: anyone between may read and change what is said.
    /// Only there because somebody asked for it by name.
    PlainInsecure,
    /// Plain, within this host.
    PlainLoopback,
    /// TLS, with a peer whose certificate was judged.
    Tls(Arc<Session>),
    /// TLS, with a peer that presented no certificate: nothing says who it is, and whether somebody else is between.
    #[cfg(feature = "platform")]
    TlsUnproven,
}

impl Channel {
    /// The plain channel to the peer at `remote`.
    pub fn plain(remote: IpAddr) -> Self {
        match remote.to_canonical().is_loopback() {
            true => Self::PlainLoopback,
            false => Self::PlainInsecure,
        }
    }

    /// Whether nobody between the two ends can read or change what is said. A Controller that comes
    /// in through any other channel has the untrusted role, whatever it claims. (R-SEC.0)
    pub fn is_protected(&self) -> bool {
        match self {
            Self::PlainInsecure => false,
            #[cfg(feature = "platform")]
            Self::TlsUnproven => false,
            Self::PlainLoopback | Self::Tls(_) => true,
        }
    }

    /// What TLS tells of the peer, where there is TLS.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::PlainInsecure | Self::PlainLoopback => None,
            #[cfg(feature = "platform")]
            Self::TlsUnproven => None,
            Self::Tls(session) => Some(session),
        }
    }
}

/// Why a Record is not processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The Record names another sender than the peer named for itself. (R-SEC.0a)
    #[error("from_id is {from_id}, but the peer opened the link as {claimed}")]
    NotAsClaimed {
        /// Sender that the Record names.
        from_id: EndpointId,
        /// Endpoint ID that was told while the link opened.
        claimed: EndpointId,
    },
    /// The Record names this very Endpoint as its sender. (R-ARC.2)
    #[error("from_id is {from_id}, the Endpoint ID of this end")]
    OwnEndpointId {
        /// Sender that the Record names.
        from_id: EndpointId,
    },
}

/// Whether the Endpoint `our_id` may process a Record that says it is from `from_id` and came from
/// `peer`.
///
/// An Agent and a Controller may carry one Endpoint ID; they keep apart from each other, and each
/// may still speak to everybody else. (R-ARC.0 to R-ARC.2)
///
/// # Errors
/// The [`Refusal`] for which the Record has to be dropped.
pub fn may_speak(
    peer: &PeerIdentity,
    from_id: &EndpointId,
    our_id: &EndpointId,
) -> Result<(), Refusal> {
    if from_id == our_id {
        return Err(Refusal::OwnEndpointId {
            from_id: from_id.clone(),
        });
    }
    match &peer.endpoint_id {
        Some(claimed) if claimed != from_id => Err(Refusal::NotAsClaimed {
            from_id: from_id.clone(),
            claimed: claimed.clone(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EndpointId {
        text.parse().unwrap()
    }

    fn peer(claimed: Option<&str>) -> PeerIdentity {
        PeerIdentity {
            endpoint_id: claimed.map(id),
            channel: Channel::PlainLoopback,
        }
    }

    #[test]
    fn a_peer_speaks_for_itself() {
        let (us, them) = (id("self::us"), id("self::them"));
        assert_eq!(may_speak(&peer(Some("self::them")), &them, &us), Ok(()));
        assert_eq!(may_speak(&peer(None), &them, &us), Ok(()));
    }

    /// A Record is not processed when its sender is not who the peer said it is.
    #[test]
    fn a_peer_does_not_speak_for_others() {
        let refusal = may_speak(
            &peer(Some("self::them")),
            &id("self::other"),
            &id("self::us"),
        );
        assert_eq!(
            refusal.unwrap_err().to_string(),
            "from_id is self::other, but the peer opened the link as self::them"
        );
    }

    /// Proves: R-ARC.2
    #[test]
    fn two_ends_with_one_endpoint_id_do_not_speak() {
        for claimed in [None, Some("self::us"), Some("self::them")] {
            let refusal = may_speak(&peer(claimed), &id("self::us"), &id("self::us"));
            assert_eq!(
                refusal,
                Err(Refusal::OwnEndpointId {
                    from_id: id("self::us")
                })
            );
        }
    }

    #[test]
    fn only_loopback_protects_a_plain_channel() {
        let channel = |text: &str| Channel::plain(text.parse().unwrap());
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(channel(text).is_protected(), "{text}");
        }
        for text in ["10.0.0.1", "::", "0.0.0.0", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(!channel(text).is_protected(), "{text}");
        }
    }
}
