//! Whose word a supported data model rests on.
//!
//! Every device says for itself what product it is, and may lie about that and about its model. So one device's word
//! is good for that device only; for the others of its product it is when another one says the same. Each is heard
//! once, so that a device that disagrees keeps nobody from agreeing. This module reads no clock and asks nobody.

use sha2::{Digest as _, Sha256};
use usphere_datamodel::operation::{Supported, SupportedObject};

use crate::limits::MODEL_VOTES_MAX;

/// What a model comes down to, in whatever order it was told.
pub(super) type Digest = [u8; 32];

/// What the devices of one product have told.
#[derive(Debug, Default)]
pub(super) struct Votes {
    is_agreed: bool,
    /// Who told what, the latest last. What was told in an earlier life of the server is looked up when it is needed.
    told: Vec<(String, Option<Digest>)>,
}

impl Votes {
    /// One device has told, in an earlier life of the server.
    pub(super) fn of(device: String) -> Self {
        Self {
            is_agreed: false,
            told: vec![(device, None)],
        }
    }

    /// Whether what is kept may be told of this device: it said so itself, or two others did.
    pub(super) fn is_good_for(&self, device: &str) -> bool {
        self.is_agreed || self.teller() == Some(device)
    }

    /// Whether this device's word would make a difference.
    pub(super) fn wants(&self, device: &str) -> bool {
        !self.is_agreed && self.told.iter().all(|(known, _)| known != device)
    }

    /// Whether nobody but this device has told anything.
    pub(super) fn are_only_of(&self, device: &str) -> bool {
        !self.is_agreed && self.told.iter().all(|(known, _)| known == device)
    }

    /// Whether what is kept has to be looked at before somebody else's word can be compared with it.
    pub(super) fn lack_a_digest(&self) -> bool {
        self.told.iter().any(|(_, digest)| digest.is_none())
    }

    /// What is kept comes down to this, and whether it was agreed on then.
    pub(super) fn complete(&mut self, found: Digest, is_agreed: bool) {
        self.is_agreed |= is_agreed;
        for (_, digest) in &mut self.told {
            digest.get_or_insert(found);
        }
    }

    /// Whether two devices have told the same.
    pub(super) fn is_agreed(&self) -> bool {
        self.is_agreed
    }

    /// Whether another device has told the same as this one does.
    pub(super) fn agree_with(&self, device: &str, digest: Digest) -> bool {
        let mut others = self.told.iter().filter(|(known, _)| known != device);
        others.any(|(_, told)| *told == Some(digest))
    }

    /// Hears a device.
    pub(super) fn hear(&mut self, device: &str, digest: Digest) {
        self.is_agreed |= self.agree_with(device, digest);
        self.told.retain(|(known, _)| known != device);
        if self.told.len() >= MODEL_VOTES_MAX {
            self.told.remove(0);
        }
        self.told.push((device.to_owned(), Some(digest)));
    }

    fn teller(&self) -> Option<&str> {
        self.told.last().map(|(device, _)| device.as_str())
    }
}

/// What a model comes down to. Which instances differ is a matter of each device.
pub(super) fn digest(model: &Supported) -> Digest {
    let mut objects: Vec<String> = model.objects.iter().map(line).collect();
    objects.sort_unstable();
    let mut hash = Sha256::new();
    for text in objects.iter().chain([&model.model_uri]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

fn line(object: &SupportedObject) -> String {
    let mut object = object.clone();
    object.parameters.sort_by(|a, b| a.name.cmp(&b.name));
    object.commands.sort_by(|a, b| a.name.cmp(&b.name));
    object.events.sort_by(|a, b| a.name.cmp(&b.name));
    object.unique_keys.sort();
    object.divergent_paths.truncate(1);
    for path in &mut object.divergent_paths {
        path.clear();
    }
    // What came from JSON, or from a message, is written as JSON.
    serde_json::to_string(&object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use usphere_datamodel::operation::ObjectAccess;

    use super::*;

    const TRUE: Digest = [1; 32];
    const FALSE: Digest = [2; 32];

    #[test]
    fn one_devices_word_is_good_for_itself_alone() {
        let mut votes = Votes::default();
        votes.hear("liar", FALSE);
        assert!(votes.is_good_for("liar") && !votes.is_good_for("one"));
        assert!(votes.wants("one") && !votes.wants("liar"));
        votes.hear("one", TRUE);
        assert!(!votes.is_agreed(), "who is right is not known");
        assert!(!votes.is_good_for("liar") && !votes.is_good_for("two"));
        votes.hear("liar", FALSE);
        assert!(!votes.is_agreed(), "nobody confirms itself");
        votes.hear("two", TRUE);
        assert!(votes.is_good_for("three") && !votes.wants("three"));
    }

    #[test]
    fn what_was_kept_is_confirmed_in_another_life() {
        let mut votes = Votes::of("one".to_owned());
        assert!(votes.is_good_for("one") && votes.wants("two") && votes.are_only_of("one"));
        assert!(votes.lack_a_digest());
        votes.complete(TRUE, false);
        assert!(!votes.lack_a_digest() && !votes.is_agreed());
        votes.hear("two", TRUE);
        assert!(votes.is_agreed());
    }

    #[test]
    fn as_many_are_remembered_as_may_be() {
        let mut votes = Votes::default();
        for number in 0..=u8::try_from(MODEL_VOTES_MAX).unwrap() {
            votes.hear(&format!("device {number}"), [number; 32]);
        }
        assert_eq!(votes.told.len(), MODEL_VOTES_MAX);
        assert!(votes.wants("device 0"));
    }

    #[test]
    fn the_order_in_which_a_model_is_told_says_nothing() {
        let object = |path: &str, divergent: &[&str]| SupportedObject {
            path: path.into(),
            access: ObjectAccess::ReadOnly,
            multi_instance: false,
            parameters: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            unique_keys: vec![vec!["B".into()], vec!["A".into()]],
            divergent_paths: divergent.iter().map(|path| (*path).into()).collect(),
        };
        let model = |objects: Vec<SupportedObject>| {
            digest(&Supported {
                model_uri: "urn:model".into(),
                objects,
            })
        };
        let (a, b) = (object("A.", &["A.1."]), object("B.", &[]));
        let same = model(vec![b.clone(), object("A.", &["A.2.", "A.3."])]);
        assert_eq!(model(vec![a.clone(), b.clone()]), same);
        assert_ne!(model(vec![object("A.", &[]), b]), same);
        assert_ne!(model(vec![a]), same);
    }
}
