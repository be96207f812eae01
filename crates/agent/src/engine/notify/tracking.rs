//! Which rows Subscriptions to their deletion are about, where only their values tell: when a row is gone
//! it is too late to search.
//!
//! The rows are looked up when the Subscription is read, and again after every change of their table or of
//! what is below it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use usphere_datamodel::model::{Change, ResolvedKind, Sight};
use usphere_datamodel::{Access, SchemaView, Transaction};

use super::matter::{Kind, Matter};
use super::subscription::Subscription;

/// The paths of rows, or of tables all rows of which are meant.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    paths: BTreeSet<String>,
    /// Where in the supported model changes make a difference; empty for anywhere.
    places: Vec<Box<str>>,
}

/// The tracks of every Subscription that needs them.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    by_subscription: BTreeMap<u32, Arc<Tracks>>,
}

impl Tracks {
    /// Whether the row that `matter` is about is one of them.
    pub(super) fn contain(&self, matter: &Matter) -> bool {
        let row = &*matter.object;
        let table = row.strip_suffix('.').and_then(|row| row.rfind('.'));
        self.paths.contains(row) || table.is_some_and(|end| self.paths.contains(&row[..=end]))
    }

    fn may_be_others_by(&self, place: &str) -> bool {
        self.places.iter().any(|known| place.starts_with(&**known))
    }

    /// The rows that the Subscription is about now, as far as its recipient may search for them; `None`
    /// where it needs none.
    pub(super) fn look_up(
        transaction: &mut Transaction<'_>,
        subscription: &Subscription,
        access: &Access,
    ) -> Option<Self> {
        if !subscription.is_tracking() {
            return None;
        }
        let mut tracks = Self::default();
        for reference in subscription.references.iter().filter(|of| of.is_found()) {
            tracks.places.push(reference.searched().into());
            let text = &*reference.place;
            let Ok(found) = transaction.resolve(&reference.path, text, Sight::Addressable(access))
            else {
                continue;
            };
            tracks.paths.extend(found.targets.into_iter().map(|target| {
                let mut path = transaction.path(target.object).to_owned();
                if found.kind == ResolvedKind::Table {
                    path.extend([&*transaction.node(target.node).name, "."]);
                }
                path
            }));
        }
        Some(tracks)
    }
}

impl Tracking {
    /// Takes over what was looked up for a Subscription.
    pub(super) fn put(&mut self, instance: u32, tracks: Option<Tracks>) {
        match tracks {
            Some(tracks) => drop(self.by_subscription.insert(instance, Arc::new(tracks))),
            None => drop(self.by_subscription.remove(&instance)),
        }
    }

    pub(super) fn get(&self, instance: u32) -> Option<&Arc<Tracks>> {
        self.by_subscription.get(&instance)
    }

    /// The Subscriptions whose rows may be others after `changes`.
    pub(super) fn stale<'a>(
        &'a self,
        changes: &'a [Change],
        view: &'a SchemaView,
    ) -> impl Iterator<Item = u32> + 'a {
        let all = self.by_subscription.iter().filter(|(_, tracks)| {
            let mut changed = changes.iter().map(|change| &*view.node(change.node()).path);
            changed.any(|place| tracks.may_be_others_by(place))
        });
        all.map(|(instance, _)| *instance)
    }
}

impl Subscription {
    /// Whether only the values of rows tell whether it is about their deletion.
    pub(super) fn is_tracking(&self) -> bool {
        let deletion = self.kind == Kind::ObjectDeletion;
        deletion && self.references.iter().any(|of| of.is_found())
    }
}
