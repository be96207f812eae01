//! Connections to the fuzzed Agent: who dials in, who is dialled, and when they end.

use usphere_agent::{DialId, Input, LinkId, Origin};
use usphere_proto::EndpointId;
use usphere_trust::{Channel, PeerIdentity};

use super::{Link, Stage, endpoint};
use crate::random::Script;

impl Stage {
    pub(super) fn connect(&mut self, script: &mut Script<'_>) {
        let names = [
            "self::c1",
            "self::c2",
            "self::c3",
            "self::stranger",
            "self::agent",
        ];
        let name = names[[0, 0, 0, 1, 1, 1, 2, 3, 4][script.below(9)]];
        let channel = if script.chance(15) {
            Channel::PlainInsecure
        } else {
            Channel::PlainLoopback
        };
        self.arrive(name, script.byte() < 230, channel);
    }

    pub(super) fn arrive(&mut self, name: &str, claims: bool, channel: Channel) -> LinkId {
        let controller = endpoint(name);
        let link = self.name_link(&controller, claims);
        let peer = PeerIdentity {
            endpoint_id: claims.then_some(controller),
            channel,
        };
        self.tell(Input::Connected {
            link,
            origin: Origin::Accepted,
            peer,
        });
        link
    }

    pub(super) fn answer_dial(&mut self, script: &mut Script<'_>) {
        let Some((dial, controller)) = self.dials.pop_front() else {
            return;
        };
        if script.chance(40) {
            return self.tell(Input::DialFailed {
                dial,
                reason: "refused".into(),
            });
        }
        self.pick_up(dial, controller, script.chance(30));
    }

    pub(super) fn pick_up(&mut self, dial: DialId, controller: EndpointId, claims: bool) -> LinkId {
        let link = self.name_link(&controller, true);
        let peer = PeerIdentity {
            endpoint_id: claims.then_some(controller),
            channel: Channel::PlainLoopback,
        };
        self.tell(Input::Connected {
            link,
            origin: Origin::Dialled(dial),
            peer,
        });
        link
    }

    pub(super) fn disconnect(&mut self, script: &mut Script<'_>) {
        if let Some(link) = self.pick_link(script) {
            self.forget(link);
            self.tell(Input::Disconnected {
                link,
                reason: "cut".into(),
            });
        }
    }

    fn name_link(&mut self, controller: &EndpointId, named: bool) -> LinkId {
        self.named += 1;
        let link = LinkId(self.named);
        self.links.insert(
            link,
            Link {
                controller: controller.clone(),
                named,
                sound: false,
            },
        );
        link
    }

    /// Something was sent that may have ended what was agreed on the link.
    pub(super) fn part(&mut self, link: LinkId) {
        if let Some(known) = self.links.get_mut(&link) {
            known.sound = false;
            self.owed.retain(|(to, _)| to != known.controller.as_str());
        }
    }

    /// The link is gone, and nobody is owed an answer on it.
    pub(super) fn forget(&mut self, link: LinkId) {
        if let Some(gone) = self.links.remove(&link) {
            self.owed.retain(|(to, _)| to != gone.controller.as_str());
        }
    }
}
