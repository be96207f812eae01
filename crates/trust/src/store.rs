//! What an Endpoint trusts, as the charts ask for it.
//!
//! An Agent compiles it from `Device.LocalAgent.`: Certificate, Controller.{i}.Credential and
//! ControllerTrust. It is a value: whoever changes something makes a new one with a new revision.

use std::time::Duration;

use usphere_proto::EndpointId;

use crate::certificate::Certificate;
use crate::revocation::RevocationList;
use crate::signatures::Signatures;

/// What an Endpoint trusts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Store {
    /// Another one each time something else has changed. What was judged by one revision is judged
    /// again by the next.
    pub revision: u64,
    /// `ControllerTrust.Credential.`, enabled rows with an enabled certificate only.
    pub credentials: Vec<Credential>,
    /// The Endpoints that are known by name; for an Agent all rows of `Controller.`
    pub peers: Vec<Peer>,
    /// The revocation lists that were configured.
    pub revocation_lists: Vec<RevocationList>,
    /// Whether peers whom nobody vouches for are trusted on first use. (TOFUAllowed)
    pub tofu_allowed: bool,
    /// After which silence the connection of such a peer is ended. (TOFUInactivityTimer)
    pub tofu_inactivity: Option<Duration>,
}

impl Store {
    /// What trusts these authorities, for whatever Endpoint and use.
    pub fn of_authorities(authorities: Vec<Certificate>) -> Self {
        let numbered = (1..).zip(authorities);
        let credentials = numbered.map(|(instance, certificate)| Credential {
            instance,
            certificate,
            allowed_uses: Some(AllowedUses::MtpAndUsp),
            roles: Vec::new(),
        });
        Self {
            credentials: credentials.collect(),
            ..Self::default()
        }
    }

    /// The known Endpoint `id`.
    pub fn peer(&self, id: &EndpointId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.endpoint_id == *id)
    }

    /// Whether the Endpoint of this row has to prove each time that a Credential vouches for it.
    pub fn inherits(&self, instance: u32) -> bool {
        let mut peers = self.peers.iter();
        peers.any(|peer| peer.instance == instance && peer.inherits)
    }

    /// Whether a Credential bans this certificate, or who has signed it. Where more than
    /// [`SIGNATURES_MAX`](crate::limits::SIGNATURES_MAX) signatures would have to be verified to tell, it does.
    pub fn bans(&self, certificate: &Certificate) -> bool {
        let mut signatures = Signatures::new();
        self.ban_of(certificate, &mut signatures).is_some() || signatures.exhausted()
    }

    /// The Credential that bans this certificate, or who has signed it; as far as `signatures` go. A banned
    /// certificate is known by its issuer and number: its bytes can be changed without breaking its signature.
    pub(crate) fn ban_of(
        &self,
        certificate: &Certificate,
        signatures: &mut Signatures,
    ) -> Option<&Credential> {
        let mut bans = self
            .credentials
            .iter()
            .filter(|credential| credential.allowed_uses.is_none());
        bans.find(|ban| {
            let banned = &ban.certificate;
            banned.issuer_and_serial() == certificate.issuer_and_serial()
                || signatures.verify(certificate, banned)
        })
    }

    /// The Endpoint that this certificate is stored for.
    pub(crate) fn pinned(&self, certificate: &Certificate) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.has(certificate))
    }
}

/// A certificate whose owner is trusted to vouch for others, or is not to be trusted at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// The instance number of its row.
    pub instance: u32,
    /// The certificate, of an authority or of the peer itself.
    pub certificate: Certificate,
    /// What it is trusted to vouch for; `None` when whoever it vouches for is banned: its Role is the
    /// BannedRole.
    pub allowed_uses: Option<AllowedUses>,
    /// The paths of the roles that Controllers inherit by it, in the order of the row.
    pub roles: Vec<String>,
}

/// What the authority behind a Credential is trusted to vouch for. (TR-181, AllowedUses)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AllowedUses {
    /// Connections, and that the presenter has authenticated everybody whose Records it brings.
    MtpAndBroker,
    /// Connections, and the identity and role of Controllers.
    MtpAndUsp,
    /// Connections only.
    MtpOnly,
}

impl AllowedUses {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::MtpAndBroker, Self::MtpAndUsp, Self::MtpOnly];

    /// Its name in TR-181.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MtpAndBroker => "MTP-and-broker",
            Self::MtpAndUsp => "MTP-and-USP",
            Self::MtpOnly => "MTP-only",
        }
    }

    /// The use of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|uses| uses.name() == name)
    }
}

/// An Endpoint that is known by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The instance number of its row.
    pub instance: u32,
    /// Its Endpoint ID.
    pub endpoint_id: EndpointId,
    /// The certificates that are stored for it, enabled ones only. (Controller.{i}.Credential)
    pub certificates: Vec<Certificate>,
    /// Whether it was given roles by name. (Controller.{i}.AssignedRole)
    pub has_roles: bool,
    /// Whether a Credential has vouched for it and given it roles, which it has to prove anew each time.
    pub inherits: bool,
}

impl Peer {
    /// Whether `certificate` is stored for it.
    pub fn has(&self, certificate: &Certificate) -> bool {
        self.certificates.contains(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::authority;

    #[test]
    fn authorities_vouch_for_whoever_it_is_and_give_no_role() {
        let authorities = ["One", "Two"].map(|name| authority(name).certificate);
        let store = Store::of_authorities(authorities.to_vec());
        let expected = (1..)
            .zip(authorities)
            .map(|(instance, certificate)| Credential {
                instance,
                certificate,
                allowed_uses: Some(AllowedUses::MtpAndUsp),
                roles: Vec::new(),
            });
        assert_eq!(store.credentials, expected.collect::<Vec<_>>());
    }
}
