//! One engine's view of the supported data model: the shared base and what this engine mounts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Schema;
use super::build::SchemaError;
use super::node::{Node, NodeId, UnitId, UnitSpec};
use super::spec::ObjectSpec;

/// The shared base schema with the parts that one engine mounts beside it.
///
/// A mount hangs below every instance of its parent object, or below one instance only, which makes
/// that instance's supported model divergent. (TR-369, GetSupportedDM, `divergent_paths`)
#[derive(Clone, Debug)]
pub struct SchemaView {
    base: Arc<Schema>,
    mounts: Vec<Mount>,
    attached: BTreeMap<NodeId, Vec<MountId>>,
}

/// Names a mount of a view.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MountId(usize);

impl MountId {
    /// The part that the nodes of this mount are of.
    pub(crate) const fn part(self) -> usize {
        self.0 + 1
    }
}

/// A part that was mounted.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The schema of the part; its root is the mounted object.
    pub schema: Arc<Schema>,
    /// The object it hangs below.
    pub parent: NodeId,
    /// The one instance it hangs below, `Device.Proxy.Host.1.`; `None` for all.
    pub instance: Option<String>,
    state: MountState,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MountState {
    /// Its place can be taken.
    Free,
    /// It is not seen any more, but its node IDs may still be held.
    Gone,
    Mounted,
}

/// Why something cannot be mounted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MountError {
    /// The declarations are at fault.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// There is an object of that path already.
    #[error("{0}: there is such an object already")]
    Taken(String),
    /// The object to hang it below does not exist.
    #[error("{0}: there is no object to mount this below")]
    NoParent(String),
    /// There are as many mounts as a view can have.
    #[error("no more than {} parts can be mounted", NodeId::PARTS_MAX)]
    TooMany,
}

impl SchemaView {
    /// The view that has the base alone.
    pub fn new(base: Arc<Schema>) -> Self {
        Self {
            base,
            mounts: Vec::new(),
            attached: BTreeMap::new(),
        }
    }

    /// The object that all others are below.
    pub fn root(&self) -> &Node {
        self.base.root()
    }

    /// The node called `id`. An ID of a part that is gone gives the root.
    pub fn node(&self, id: NodeId) -> &Node {
        let nodes = match id.part() {
            0 => self.base.nodes(),
            part => self
                .mounts
                .get(part - 1)
                .map_or(&[][..], |mount| mount.schema.nodes()),
        };
        debug_assert!(id.index() < nodes.len(), "a node ID outlived its part");
        nodes.get(id.index()).unwrap_or_else(|| self.base.root())
    }

    /// The specification of a unit, and nothing for a unit of a part that is gone.
    pub fn unit(&self, id: UnitId) -> Option<&UnitSpec> {
        match id.0.part() {
            0 => self.base.units().get(id.0.index()),
            part => self.mounts.get(part - 1)?.schema.units().get(id.0.index()),
        }
    }

    /// All units: the base's, then each mount's.
    pub fn units(&self) -> impl Iterator<Item = (UnitId, &UnitSpec)> {
        let mounted = self.mounts.iter().enumerate();
        let mounted = mounted.filter(|(_, mount)| mount.state == MountState::Mounted);
        let parts = core::iter::once((0, &*self.base))
            .chain(mounted.map(|(place, mount)| (place + 1, &*mount.schema)));
        parts.flat_map(|(part, schema)| {
            let units = schema.units().iter().enumerate();
            units.map(move |(at, unit)| (UnitId(NodeId::new(part, at)), unit))
        })
    }

    /// The member of the object `id` called `name`, seen from the instance at `instance`, if there is one.
    pub fn member(&self, id: NodeId, name: &str, instance: Option<&str>) -> Option<NodeId> {
        let own = self
            .node(id)
            .object()
            .and_then(|object| object.member(name));
        own.or_else(|| {
            self.mounts_below(id, instance)
                .map(Schema::root)
                .find(|root| *root.name == *name)
                .map(|root| root.id)
        })
    }

    /// As [`Self::member`], seen from any instance at all.
    pub fn member_anywhere(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.member(id, name, None).or_else(|| {
            let mounts = self.attached.get(&id).into_iter().flatten();
            mounts
                .map(|mount| self.mounts[mount.0].schema.root())
                .find(|root| *root.name == *name)
                .map(|root| root.id)
        })
    }

    /// The child objects of `id` seen from the instance at `instance`: its own, then the mounted.
    pub fn objects<'a>(
        &'a self,
        id: NodeId,
        instance: Option<&'a str>,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let own = self
            .node(id)
            .object()
            .map_or(&[][..], |object| &object.objects);
        own.iter().copied().chain(
            self.mounts_below(id, instance)
                .map(|schema| schema.root().id),
        )
    }

    /// The instances of `id` below which something hangs that does not hang below all.
    pub fn divergent<'a>(&'a self, id: NodeId) -> impl Iterator<Item = &'a str> + 'a {
        let mounts = self.attached.get(&id).into_iter().flatten();
        mounts.filter_map(|mount| self.mounts[mount.0].instance.as_deref())
    }

    /// The node of a supported path, `Device.A.{i}.` or `Device.A.{i}.B`; instance numbers stand for `{i}`.
    pub fn find(&self, path: &str) -> Option<&Node> {
        let mut at = self.base.root();
        let rest = path.strip_prefix(&*at.path)?;
        let mut end = path.len() - rest.len();
        for step in rest.split_inclusive('.') {
            let name = step.strip_suffix('.').unwrap_or(step);
            let table = at.object().is_some_and(|object| object.table);
            let selector = name == "{i}"
                || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()));
            if !(table && selector) {
                at = self.node(self.member(at.id, name, Some(&path[..end]))?);
                let is_object = at.object().is_some();
                if is_object != step.ends_with('.') {
                    return None;
                }
            }
            end += step.len();
        }
        Some(at)
    }

    /// Mounts `objects`, all at or below `root`, and returns the mount. `root` is a supported path, or
    /// the path below one instance: `Device.Proxy.Host.1.WiFi.`
    ///
    /// # Errors
    /// When the declarations do not fit together or the place is taken; the view is then unchanged.
    pub fn mount(&mut self, root: &str, objects: Vec<ObjectSpec>) -> Result<MountId, MountError> {
        let bad = || SchemaError::BadPath {
            path: root.to_owned(),
        };
        let named = root.strip_suffix("{i}.").unwrap_or(root);
        let above = named
            .strip_suffix('.')
            .and_then(|path| path.rfind('.'))
            .ok_or_else(bad)?;
        let above = &root[..=above];
        let instance = has_instance(above).then(|| above.to_owned());
        let parent = self
            .find(above)
            .filter(|node| node.object().is_some() && is_whole(above, &node.path))
            .ok_or_else(|| MountError::NoParent(above.to_owned()))?
            .id;
        let name = named[above.len()..].trim_end_matches('.');
        let taken = match &instance {
            Some(path) => self.member(parent, name, Some(path)).is_some(),
            None => self.member_anywhere(parent, name).is_some(),
        };
        if taken {
            return Err(MountError::Taken(root.to_owned()));
        }
        let place = self
            .mounts
            .iter()
            .position(|mount| mount.state == MountState::Free)
            .unwrap_or(self.mounts.len());
        if place >= NodeId::PARTS_MAX {
            return Err(MountError::TooMany);
        }
        let schema = Schema::compile(objects, root, place + 1, Some(parent))?;
        let schema = Arc::new(schema);
        let mount = Mount {
            schema,
            parent,
            instance,
            state: MountState::Mounted,
        };
        match self.mounts.get_mut(place) {
            Some(free) => *free = mount,
            None => self.mounts.push(mount),
        }
        self.attached
            .entry(parent)
            .or_default()
            .push(MountId(place));
        Ok(MountId(place))
    }

    /// Takes a mount away, and what is mounted inside it. Its node IDs still name the nodes until
    /// [`Self::release`].
    pub fn unmount(&mut self, id: MountId) {
        for id in self.mounts_inside(id) {
            let mount = &mut self.mounts[id.0];
            mount.state = MountState::Gone;
            if let Some(list) = self.attached.get_mut(&mount.parent) {
                list.retain(|mount| *mount != id);
            }
        }
    }

    /// Says that nobody holds the node IDs of a mount that was taken away: others may get them now.
    pub fn release(&mut self, id: MountId) {
        if let Some(mount) = self.mounts.get_mut(id.0)
            && mount.state == MountState::Gone
        {
            mount.state = MountState::Free;
        }
    }

    /// The mount `id`, while it is mounted, and all that hang below its nodes; those first.
    pub(crate) fn mounts_inside(&self, id: MountId) -> Vec<MountId> {
        let mut found: Vec<MountId> = self.mounted(id).map(|_| id).into_iter().collect();
        let mut at = 0;
        while let Some(outer) = found.get(at).copied() {
            let inside = self
                .attached
                .iter()
                .filter(|(parent, _)| parent.part() == outer.part());
            found.extend(inside.flat_map(|(_, mounts)| mounts));
            at += 1;
        }
        found.reverse();
        found
    }

    /// The mount called `id`, while it is mounted.
    pub fn mounted(&self, id: MountId) -> Option<&Mount> {
        self.mounts
            .get(id.0)
            .filter(|mount| mount.state == MountState::Mounted)
    }

    /// All nodes: the base's, then each mount's.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        let mounted = self
            .mounts
            .iter()
            .filter(|mount| mount.state == MountState::Mounted);
        self.base
            .nodes()
            .iter()
            .chain(mounted.flat_map(|mount| mount.schema.nodes()))
    }

    /// How many nodes each part has: the base first, then every mount that there ever was.
    pub fn part_sizes(&self) -> impl Iterator<Item = usize> + '_ {
        core::iter::once(self.base.len()).chain(self.mounts.iter().map(|mount| mount.schema.len()))
    }

    fn mounts_below<'a>(
        &'a self,
        id: NodeId,
        instance: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Schema> + 'a {
        let mounts = self
            .attached
            .get(&id)
            .into_iter()
            .flatten()
            .map(|mount| &self.mounts[mount.0]);
        mounts
            .filter(move |mount| mount.instance.is_none() || mount.instance.as_deref() == instance)
            .map(|mount| &*mount.schema)
    }
}

fn has_instance(path: &str) -> bool {
    path.split('.')
        .any(|step| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether `path` names a row, by number or as `{i}`, wherever the path `supported` of its node does, and
/// does not mix the two.
fn is_whole(path: &str, supported: &str) -> bool {
    path == supported || (!path.contains("{i}") && generic(path) == generic(supported))
}

/// The path with `{i}` for every instance number: where a divergent part would lie if it were not.
pub(crate) fn generic(path: &str) -> Cow<'_, str> {
    if !has_instance(path) {
        return Cow::Borrowed(path);
    }
    let steps = path.split('.').map(|step| {
        let number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        if number { "{i}" } else { step }
    });
    Cow::Owned(steps.collect::<Vec<_>>().join("."))
}
