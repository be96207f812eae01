//! Who is to hear of what happened: searches, references to follow and rights, judged in one plan.
//!
//! A plan is run on what is durable, or waits until it is. It only reads, and asks no owner: what is known
//! of live data is what has just changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use usphere_datamodel::model::{ResolvedKind, Sight};
use usphere_datamodel::{Access, Rights, Transaction};

use super::matter::{Kind, Matter, What};
use super::reference::{Cover, Reference};
use super::subscription::Subscription;
use super::tracking::Tracks;

/// A Subscription that may be about what happened.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) subscription: Arc<Subscription>,
    pub(super) matter: Arc<Matter>,
    /// What its recipient may do.
    pub(super) access: Arc<Access>,
    /// The rows that it is about, where it is about their deletion and only their values told.
    pub(super) tracks: Option<Arc<Tracks>>,
}

/// A Subscription that is about what happened, and whose recipient may hear of it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) subscription: Arc<Subscription>,
    pub(super) matter: Arc<Matter>,
    /// The unique keys of a new row that the recipient may read.
    pub(super) keys: BTreeMap<String, String>,
    /// Whether the value reads as empty to the recipient. (TR-181, SecuredRoles)
    pub(super) hidden: bool,
}

/// Judges one candidate.
pub(super) fn judge(transaction: &mut Transaction<'_>, candidate: &Candidate) -> Option<Verdict> {
    let Candidate {
        subscription,
        matter,
        access,
        tracks,
    } = candidate;
    if !may_hear(transaction, matter, access) {
        return None;
    }
    let place = &*transaction.node(matter.node).path;
    let covered =
        subscription
            .references
            .iter()
            .any(|reference| match reference.covers(matter, place) {
                Cover::IfFollowed | Cover::IfFound if matter.kind() == Kind::ObjectDeletion => {
                    tracks.as_ref().is_some_and(|tracks| tracks.contain(matter))
                }
                Cover::IfFollowed => leads_to(transaction, reference, matter, access),
                Cover::IfFound => holds(transaction, reference, matter, access),
                Cover::No => false,
                Cover::Yes => true,
            });
    covered.then(|| Verdict {
        subscription: Arc::clone(subscription),
        matter: Arc::clone(matter),
        keys: keys(transaction, matter, access),
        hidden: is_hidden(transaction, matter, access),
    })
}

/// Whether the recipient's roles let it be told. (TR-181 2.19, Permission.{i}.)
fn may_hear(transaction: &mut Transaction<'_>, matter: &Matter, access: &Access) -> bool {
    let right = match matter.kind() {
        Kind::Event | Kind::OperationComplete => Rights::COMMAND_NOTIFY,
        Kind::ObjectCreation => Rights::OBJECT_NOTIFY,
        Kind::ObjectDeletion => Rights::INSTANCE_NOTIFY,
        Kind::ValueChange => Rights::PARAMETER_NOTIFY,
    };
    // What does not depend on the row needs none to be looked at, and so waits for nobody who changes it.
    let rights =
        access
            .fixed(matter.node)
            .unwrap_or_else(|| match transaction.find(&matter.object) {
                Some(object) => transaction.rights(access, matter.node, object),
                None => transaction.rights_where_gone(access, matter.node, &matter.rows),
            });
    rights.grants(right)
}

/// Whether every search of `reference` holds for the row on the way to `matter`. What the recipient may not
/// read holds for none.
fn holds(
    transaction: &mut Transaction<'_>,
    reference: &Reference,
    matter: &Matter,
    access: &Access,
) -> bool {
    reference.searches().all(|(depth, expression)| {
        let row = transaction.find(row_at(&matter.object, depth));
        row.is_some_and(|row| {
            transaction
                .holds(expression, row, Some(access))
                .unwrap_or(false)
        })
    })
}

/// Whether the references in `reference` lead to where `matter` happened.
fn leads_to(
    transaction: &mut Transaction<'_>,
    reference: &Reference,
    matter: &Matter,
    access: &Access,
) -> bool {
    let sight = Sight::Addressable(access);
    let Ok(resolved) = transaction.resolve(&reference.path, &matter.object, sight) else {
        return false;
    };
    let whole = matches!(matter.kind(), Kind::ObjectCreation | Kind::ObjectDeletion);
    resolved.targets.iter().any(|target| {
        let at = transaction.path(target.object);
        match resolved.kind {
            ResolvedKind::Command | ResolvedKind::Event | ResolvedKind::Parameter => {
                target.node == matter.node && at == matter.object
            }
            ResolvedKind::Object if whole => at == matter.object,
            ResolvedKind::Object => matter.object.starts_with(at),
            ResolvedKind::Table => {
                let name = &*transaction.node(target.node).name;
                let rest = matter.object.strip_prefix(at);
                let rest = rest.and_then(|rest| rest.strip_prefix(name)?.strip_prefix('.'));
                rest.is_some_and(|rest| !whole || rest.matches('.').count() == 1)
            }
        }
    })
}

/// The path of the row in `path` that is the `depth`th on the way.
fn row_at(path: &str, depth: usize) -> &str {
    let mut left = depth;
    for (at, step) in path
        .match_indices('.')
        .map(|(at, _)| (at, path[..at].rsplit('.').next().unwrap_or("")))
    {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            left -= 1;
            if left == 0 {
                return &path[..=at];
            }
        }
    }
    path
}

/// The unique keys of a row that was made, as far as the recipient may read them. Where the row is gone
/// already, what it was given tells them.
fn keys(
    transaction: &mut Transaction<'_>,
    matter: &Matter,
    access: &Access,
) -> BTreeMap<String, String> {
    let What::Created(given) = &matter.what else {
        return BTreeMap::new();
    };
    match transaction.find(&matter.object) {
        Some(row) => crate::handlers::unique_keys(transaction, access, row),
        None => {
            let node = transaction.node(matter.node).object();
            let unique = node
                .into_iter()
                .flat_map(|node| node.unique.iter().flatten());
            let readable = unique.filter(|key| {
                let rights = transaction.rights_where_gone(access, **key, &matter.rows);
                rights.grants(Rights::PARAMETER_READ)
            });
            let names = readable.map(|key| transaction.node(*key).name.clone().into_string());
            let found = names.filter_map(|name| Some((name.clone(), given.get(&name)?.clone())));
            found.collect()
        }
    }
}

fn is_hidden(transaction: &Transaction<'_>, matter: &Matter, access: &Access) -> bool {
    let parameter = transaction.node(matter.node).parameter();
    parameter.is_some_and(|parameter| parameter.secured) && !access.is_secured()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_on_the_way_is_counted_from_the_outermost() {
        let path = "Device.A.1.B.C.20.D.3.";
        assert_eq!(row_at(path, 1), "Device.A.1.");
        assert_eq!(row_at(path, 2), "Device.A.1.B.C.20.");
        assert_eq!(row_at(path, 3), path);
    }
}
