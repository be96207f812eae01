//! Which Subscriptions may be about what happened, found by where it happened.
//!
//! A Subscription stands at the supported path of each of its references, under the innermost row that it
//! names. What happens looks at its own place and those above it, so that its cost depends on how many
//! Subscriptions are about it and not on how many there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::matter::{Kind, Matter, prefixes};
use super::reference::Cover;
use super::subscription::Subscription;

/// All Subscriptions that are enabled.
#[derive(Debug, Default)]
pub(super) struct Index {
    all: BTreeMap<u32, Arc<Subscription>>,
    kinds: [Places; Kind::COUNT],
}

/// The Subscriptions of one kind.
#[derive(Debug, Default)]
struct Places {
    by_place: HashMap<Box<str>, HashMap<u32, Vec<Arc<Subscription>>>>,
    /// Those with references to follow, which may lead anywhere.
    following: Vec<Arc<Subscription>>,
}

impl Index {
    /// Puts the Subscription in the place of the one with its instance number, or takes that out.
    pub(super) fn put(&mut self, instance: u32, subscription: Option<Subscription>) {
        if let Some(old) = self.all.remove(&instance) {
            self.take_out(&old);
        }
        let Some(subscription) = subscription.map(Arc::new) else {
            return;
        };
        let places = &mut self.kinds[subscription.kind as usize];
        for reference in &subscription.references {
            let here = if reference.is_followed() {
                &mut places.following
            } else {
                let rows = places.by_place.entry(reference.place.clone()).or_default();
                rows.entry(reference.row()).or_default()
            };
            if !here.iter().any(|known| Arc::ptr_eq(known, &subscription)) {
                here.push(Arc::clone(&subscription));
            }
        }
        self.all.insert(instance, subscription);
    }

    pub(super) fn get(&self, instance: u32) -> Option<&Arc<Subscription>> {
        self.all.get(&instance)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.all.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The Subscriptions that may be about `matter`, which happened at the supported path `place`, each once.
    pub(super) fn candidates(&self, matter: &Matter, place: &str) -> Vec<Arc<Subscription>> {
        let places = &self.kinds[matter.kind() as usize];
        let mut found: Vec<Arc<Subscription>> = Vec::new();
        if places.by_place.is_empty() && places.following.is_empty() {
            return found;
        }
        let mut consider = |here: &[Arc<Subscription>]| {
            let covering = here.iter().filter(|subscription| {
                let mut references = subscription.references.iter();
                let told = matter
                    .only
                    .is_none_or(|only| only == subscription.recipient);
                told && references.any(|reference| reference.covers(matter, place) != Cover::No)
            });
            found.extend(covering.cloned());
        };
        for prefix in prefixes(place) {
            let Some(rows) = places.by_place.get(prefix) else {
                continue;
            };
            let tables = prefix.matches("{i}").count();
            let row = tables
                .checked_sub(1)
                .and_then(|innermost| matter.rows.get(innermost));
            rows.get(&0).into_iter().for_each(|here| consider(here));
            let of_row = row.and_then(|row| rows.get(row));
            of_row.into_iter().for_each(|here| consider(here));
        }
        consider(&places.following);
        found.sort_by_key(|subscription| subscription.instance);
        found.dedup_by_key(|subscription| subscription.instance);
        found
    }

    fn take_out(&mut self, old: &Arc<Subscription>) {
        let places = &mut self.kinds[old.kind as usize];
        for reference in &old.references {
            if reference.is_followed() {
                places.following.retain(|known| !Arc::ptr_eq(known, old));
                continue;
            }
            let Some(rows) = places.by_place.get_mut(&reference.place) else {
                continue;
            };
            if let Some(here) = rows.get_mut(&reference.row()) {
                here.retain(|known| !Arc::ptr_eq(known, old));
                if here.is_empty() {
                    rows.remove(&reference.row());
                }
            }
            if rows.is_empty() {
                places.by_place.remove(&reference.place);
            }
        }
    }
}
