//! From a path to the objects it means. (R-ARC.7 to R-ARC.12)

use super::transaction::Transaction;
use crate::access::{Access, Rights};
use crate::fault::{Fault, FaultKind};
use crate::limits::{Clipped, TARGETS_MAX};
use crate::path::{End, Path, Segment, Which};
use crate::schema::{Node, NodeId, SchemaView};
use crate::tree::{Content, ObjectId, instance_number};
use crate::types::{self, Reference};

/// What a path resolved to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolved {
    /// What kind of thing the path names.
    pub kind: ResolvedKind,
    /// Every match, in the order of the Tree.
    pub targets: Vec<Target>,
}

/// The kind of thing that a path names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResolvedKind {
    /// Commands of the targets' objects.
    Command,
    /// Events of the targets' objects.
    Event,
    /// The targets' objects themselves.
    Object,
    /// Parameters of the targets' objects.
    Parameter,
    /// Tables, without an instance: the targets' nodes are the tables, their objects hold them.
    Table,
}

/// One match of a path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// The object; for a table, the object that holds it.
    pub object: ObjectId,
    /// The object's own node, or the member that the path names.
    pub node: NodeId,
}

/// What the one who asks gets to see while a path is resolved.
#[derive(Clone, Copy)]
pub enum Sight<'a> {
    /// Objects need no right; a search on what may not be read matches nothing.
    Addressable(&'a Access),
    /// Everything: for the Agent's own plans.
    Everything,
    /// Rows need the right to read instances. (R-GIN.0)
    Instances(&'a Access),
    /// What may not be read is absent. (R-GET.1)
    Readable(&'a Access),
}

impl<'a> Sight<'a> {
    fn access(self) -> Option<&'a Access> {
        match self {
            Self::Addressable(access) | Self::Instances(access) | Self::Readable(access) => {
                Some(access)
            }
            Self::Everything => None,
        }
    }
}

impl Transaction<'_> {
    /// Resolves a path name as it came from the peer.
    ///
    /// # Errors
    /// As [`Self::resolve`], and when it does not follow the grammar.
    pub fn resolve_text(&mut self, text: &str, sight: Sight<'_>) -> Result<Resolved, Fault> {
        if let Some(resolved) = self.lookup(text, sight) {
            return Ok(resolved);
        }
        let path = Path::parse(text).map_err(|error| {
            Fault::new(
                FaultKind::PathInvalid,
                Clipped::new(text).to_string(),
                error.to_string(),
            )
        })?;
        if path.segments.contains(&Segment::Placeholder) {
            let reason = "{i} is of the supported data model, name an instance or all by \"*\"";
            return Err(Fault::new(
                FaultKind::PathInvalid,
                Clipped::new(text).to_string(),
                reason,
            ));
        }
        self.resolve(&path, text, sight)
    }

    /// Every object, table, parameter, command or event that `path` means. `text` is how it was asked for.
    ///
    /// A path with a search, wildcard or reference that matches nothing gives no targets. (R-MSG.4a)
    ///
    /// # Errors
    /// [`FaultKind::PathUnsupported`] when the supported model has no such thing or hides it,
    /// [`FaultKind::NotInstantiated`] when a path without search names what is not there,
    /// [`FaultKind::PathInvalid`] when the path makes no sense here, and owners' faults.
    pub fn resolve(
        &mut self,
        path: &Path,
        text: &str,
        sight: Sight<'_>,
    ) -> Result<Resolved, Fault> {
        let mut spots = vec![Spot::Object(self.root())];
        match path.segments.first() {
            Some(Segment::Name(name)) if **name == *self.view.root().name => {}
            _ => return Err(unsupported(text)),
        }
        for segment in &path.segments[1..] {
            let mut next = Vec::new();
            for spot in spots {
                self.step(spot, segment, sight, &mut next)?;
                if next.len() > TARGETS_MAX {
                    let reason = format!("this means more than {TARGETS_MAX} objects");
                    let kind = FaultKind::ResourcesExceeded;
                    return Err(Fault::new(kind, Clipped::new(text).to_string(), reason));
                }
            }
            if next.is_empty() {
                return self.nothing(path, text, sight);
            }
            if matches!(segment, Segment::Follow { .. }) {
                // Two references to one object are one match.
                next.sort_unstable();
                next.dedup();
            }
            spots = next;
        }
        let (kind, mut targets) = self.end_of(&spots, &path.end)?;
        if targets.is_empty() {
            return self.nothing(path, text, sight);
        }
        self.keep_visible(kind, &mut targets, sight);
        if targets.is_empty() {
            // What may be read nowhere is not supported; a search may find it unreadable just here. (R-GET.1)
            supported(self.view, path, text, sight)?;
            if !path.is_search() {
                return Err(unsupported(text));
            }
        }
        Ok(Resolved { kind, targets })
    }

    /// The quick way for a path of names and instance numbers that exists and may be seen.
    fn lookup(&mut self, text: &str, sight: Sight<'_>) -> Option<Resolved> {
        let mut object = self.root();
        let rest = text.strip_prefix(&*self.tree.object(object).path)?;
        let mut kind = ResolvedKind::Object;
        let mut node = self.tree.object(object).node;
        let mut steps = rest.split('.');
        while let Some(name) = steps.next() {
            if name.is_empty() {
                if steps.next().is_some() {
                    return None;
                }
                break;
            }
            if kind == ResolvedKind::Table {
                object = self.row(object, node, instance_number(name)?).ok()??;
                kind = ResolvedKind::Object;
                self.visible_row(object, sight).then_some(())?;
                continue;
            }
            node = self.member(object, name)?;
            let of = self.view.node(node);
            let position = match of.object() {
                Some(of) => of.position,
                None => {
                    kind = kind_of(of);
                    if steps.next().is_some() {
                        return None;
                    }
                    break;
                }
            };
            match self.tree.object(object).child(node, position)?.content {
                Content::Single(single) => object = single,
                Content::Table(_) => kind = ResolvedKind::Table,
            }
        }
        if !text.ends_with('.') && matches!(kind, ResolvedKind::Object | ResolvedKind::Table) {
            return None;
        }
        let target = Target { object, node };
        self.visible(kind, target, sight).then(|| Resolved {
            kind,
            targets: vec![target],
        })
    }

    /// Adds the objects that `parameter` of `object` refers to. (R-ARC.11, R-ARC.12)
    ///
    /// # Errors
    /// When there is no such reference parameter, or its owner failed.
    pub(super) fn follow(
        &mut self,
        object: ObjectId,
        parameter: &str,
        which: Which,
        found: &mut Vec<ObjectId>,
    ) -> Result<(), Fault> {
        let path = || format!("{}{parameter}", self.node_of(object).path);
        let Some(node) = self.parameter(object, parameter) else {
            return Err(unsupported(&path()));
        };
        let is_reference = self
            .view
            .node(node)
            .parameter()
            .is_some_and(|of| of.value_type.reference.is_some());
        if !is_reference {
            return Err(Fault::new(
                FaultKind::PathInvalid,
                path(),
                "this parameter is not a reference",
            ));
        }
        let value = self.value(object, node)?.to_owned();
        let items: Vec<String> = types::list::items(&value)
            .map(|item| item.into_owned())
            .collect();
        self.spend(items.len())?;
        let chosen = match which {
            Which::All => &items[..],
            Which::Only => items.get(..1).unwrap_or_default(),
            Which::Index(place) => {
                let place = (place as usize).saturating_sub(1);
                items.get(place..=place).unwrap_or_default()
            }
        };
        for item in chosen.iter().filter(|item| !item.is_empty()) {
            let path = if item.ends_with('.') {
                item.clone()
            } else {
                format!("{item}.")
            };
            found.extend(self.find_fresh(&path));
        }
        Ok(())
    }

    /// As [`Self::find`], gathering the rows of owners on the way.
    pub(super) fn find_fresh(&mut self, path: &str) -> Option<ObjectId> {
        let resolved = self.lookup(path, Sight::Everything)?;
        (resolved.kind == ResolvedKind::Object).then(|| resolved.targets[0].object)
    }

    fn step(
        &mut self,
        spot: Spot,
        segment: &Segment,
        sight: Sight<'_>,
        next: &mut Vec<Spot>,
    ) -> Result<(), Fault> {
        self.spend(1)?;
        match (spot, segment) {
            (Spot::Object(object), Segment::Name(name)) => {
                let Some(node) = self.member(object, name) else {
                    return Ok(());
                };
                let Some(of) = self.view.node(node).object() else {
                    return Ok(());
                };
                next.push(
                    match self
                        .tree
                        .object(object)
                        .child(node, of.position)
                        .map(|child| &child.content)
                    {
                        Some(Content::Single(single)) => Spot::Object(*single),
                        Some(Content::Table(_)) => Spot::Table(object, node),
                        None => return Ok(()),
                    },
                );
            }
            (Spot::Object(object), Segment::Follow { parameter, which }) => {
                if self.hides_parameter(object, parameter, sight) {
                    return Ok(());
                }
                let mut found = Vec::new();
                self.follow(object, parameter, *which, &mut found)?;
                found.retain(|row| self.visible_row(*row, sight));
                next.extend(found.into_iter().map(Spot::Object));
            }
            (Spot::Table(parent, table), Segment::Instance(instance)) => {
                let row = self.row(parent, table, *instance)?;
                next.extend(
                    row.filter(|row| self.visible_row(*row, sight))
                        .map(Spot::Object),
                );
            }
            (Spot::Table(parent, table), Segment::Search(expression)) => {
                let rows = self.rows(parent, table)?;
                self.spend(rows.len())?;
                for row in rows {
                    if self.visible_row(row, sight)
                        && self.holds(expression, row, sight.access())?
                    {
                        next.push(Spot::Object(row));
                    }
                }
            }
            (Spot::Table(parent, table), Segment::Placeholder | Segment::Wildcard) => {
                let rows = self.rows(parent, table)?;
                self.spend(rows.len())?;
                for row in rows {
                    if self.visible_row(row, sight) {
                        next.push(Spot::Object(row));
                    }
                }
            }
            (Spot::Object(_), _) | (Spot::Table(..), Segment::Name(_) | Segment::Follow { .. }) => {
            }
        }
        Ok(())
    }

    fn end_of(&self, spots: &[Spot], end: &End) -> Result<(ResolvedKind, Vec<Target>), Fault> {
        let (kind, name) = match end {
            End::Command(name) => (ResolvedKind::Command, name),
            End::Event(name) => (ResolvedKind::Event, name),
            End::Parameter(name) => (ResolvedKind::Parameter, name),
            End::Object => {
                let tables = matches!(spots.first(), Some(Spot::Table(..)));
                let kind = if tables {
                    ResolvedKind::Table
                } else {
                    ResolvedKind::Object
                };
                // References may have led to both; then it is the first that counts.
                let same = spots
                    .iter()
                    .filter(|spot| matches!(spot, Spot::Table(..)) == tables);
                let targets = same.map(|spot| match *spot {
                    Spot::Object(object) => Target {
                        object,
                        node: self.tree.object(object).node,
                    },
                    Spot::Table(object, node) => Target { object, node },
                });
                return Ok((kind, targets.collect()));
            }
        };
        let targets = spots.iter().filter_map(|spot| match *spot {
            Spot::Object(object) => {
                let node = self.member(object, name)?;
                (kind_of(self.view.node(node)) == kind).then_some(Target { object, node })
            }
            Spot::Table(..) => None,
        });
        Ok((kind, targets.collect()))
    }

    /// What a path that found nothing gives: an empty success or the reason.
    fn nothing(&mut self, path: &Path, text: &str, sight: Sight<'_>) -> Result<Resolved, Fault> {
        let kind = supported(self.view, path, text, sight)?;
        if path.is_search() {
            return Ok(Resolved {
                kind,
                targets: Vec::new(),
            });
        }
        Err(Fault::new(
            FaultKind::NotInstantiated,
            text,
            "there is no such instance",
        ))
    }

    fn keep_visible(&mut self, kind: ResolvedKind, targets: &mut Vec<Target>, sight: Sight<'_>) {
        targets.retain(|target| self.visible(kind, *target, sight));
    }

    fn visible(&mut self, kind: ResolvedKind, target: Target, sight: Sight<'_>) -> bool {
        let Sight::Readable(access) = sight else {
            return true;
        };
        // Rights may depend on the row, and a table is none: it is seen where any of its rows can be.
        let rights = match kind {
            ResolvedKind::Table => access.anywhere(target.node),
            _ => self.rights(access, target.node, target.object),
        };
        rights.grants(reading(kind))
    }

    fn visible_row(&mut self, row: ObjectId, sight: Sight<'_>) -> bool {
        let Sight::Instances(access) = sight else {
            return true;
        };
        let node = self.tree.object(row).node;
        self.tree.object(row).instance == 0
            || self.rights(access, node, row).grants(Rights::INSTANCE_READ)
    }

    fn hides_parameter(&mut self, object: ObjectId, name: &str, sight: Sight<'_>) -> bool {
        self.hides(object, name, sight.access())
    }

    /// Whether there is a parameter `name` that `access` may not read.
    pub(super) fn hides(&mut self, object: ObjectId, name: &str, access: Option<&Access>) -> bool {
        let (Some(access), Some(parameter)) = (access, self.parameter(object, name)) else {
            return false;
        };
        !self
            .rights(access, parameter, object)
            .grants(Rights::PARAMETER_READ)
    }
}

/// Where resolving has got to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Spot {
    Object(ObjectId),
    Table(ObjectId, NodeId),
}

/// What kind of thing the supported model has at `path`.
///
/// # Errors
/// When it has none, or shows it nowhere to the one who asks.
pub(super) fn supported(
    view: &SchemaView,
    path: &Path,
    text: &str,
    sight: Sight<'_>,
) -> Result<ResolvedKind, Fault> {
    let mut at = view.root();
    let mut in_table = false;
    // The path of the one instance so far, as long as it is one: its supported model may diverge.
    let mut instance = Some(at.path.clone().into_string());
    for segment in &path.segments[1..] {
        let here = instance.take();
        match segment {
            Segment::Name(name) if !in_table => {
                let node = member(view, at, name, here.as_deref());
                instance = here.map(|path| format!("{path}{name}."));
                at = node
                    .filter(|node| node.object().is_some())
                    .ok_or_else(|| unsupported(text))?;
                in_table = at.object().is_some_and(|object| object.table);
            }
            Segment::Follow { parameter, .. } if !in_table => {
                let node = view
                    .member(at.id, parameter, None)
                    .and_then(|node| view.node(node).parameter());
                let reference = node
                    .and_then(|node| node.value_type.reference)
                    .ok_or_else(|| unsupported(text))?;
                let (Reference::Strong(target) | Reference::Weak(target)) = reference else {
                    // It may refer to anything, so what follows cannot be judged.
                    return Ok(kind_of_end(&path.end));
                };
                if target.is_empty() {
                    return Ok(kind_of_end(&path.end));
                }
                at = view.find(target).ok_or_else(|| unsupported(text))?;
            }
            Segment::Name(_) | Segment::Follow { .. } => return Err(unsupported(text)),
            _ if in_table => {
                match segment {
                    Segment::Search(expression) => searchable(view, at, expression, text)?,
                    Segment::Instance(number) => {
                        instance = here.map(|path| format!("{path}{number}."));
                    }
                    _ => {}
                }
                in_table = false;
            }
            _ => return Err(unsupported(text)),
        }
    }
    let (kind, node) = match &path.end {
        End::Object if in_table => (ResolvedKind::Table, at),
        End::Object => (ResolvedKind::Object, at),
        End::Command(name) | End::Event(name) | End::Parameter(name) => {
            let node = view.member(at.id, name, None).map(|node| view.node(node));
            let node = node
                .filter(|_| !in_table)
                .ok_or_else(|| unsupported(text))?;
            (kind_of(node), node)
        }
    };
    if kind != kind_of_end(&path.end) && kind != ResolvedKind::Table {
        return Err(unsupported(text));
    }
    match sight {
        Sight::Readable(access) if !access.anywhere(node.id).grants(reading(kind)) => {
            Err(unsupported(text))
        }
        _ => Ok(kind),
    }
}

/// The member called `name` that the instance at `instance` has, or any instance at all.
fn member<'v>(
    view: &'v SchemaView,
    object: &Node,
    name: &str,
    instance: Option<&str>,
) -> Option<&'v Node> {
    let node = match instance {
        Some(path) => view.member(object.id, name, Some(path)),
        None => view.member_anywhere(object.id, name),
    };
    node.map(|node| view.node(node))
}

/// Checks the parts of an expression that can be judged without a row: a search of an empty table
/// for what is not supported is an error all the same. (R-GET.0)
fn searchable(
    view: &SchemaView,
    table: &Node,
    expression: &crate::path::Expression,
    text: &str,
) -> Result<(), Fault> {
    for comparison in &expression.comparisons {
        let mut at = table;
        let mut known = true;
        for segment in &comparison.path.segments {
            let Segment::Name(name) = segment else {
                known = false;
                break;
            };
            at = member(view, at, name, None)
                .filter(|node| node.object().is_some())
                .ok_or_else(|| unsupported(text))?;
        }
        if !known {
            continue;
        }
        let node = view.member(at.id, &comparison.path.parameter, None);
        let parameter = node
            .and_then(|node| view.node(node).parameter())
            .ok_or_else(|| unsupported(text))?;
        parameter
            .value_type
            .check_comparison(comparison)
            .map_err(|error| Fault::new(FaultKind::PathInvalid, text, error.to_string()))?;
    }
    Ok(())
}

fn reading(kind: ResolvedKind) -> Rights {
    match kind {
        ResolvedKind::Command | ResolvedKind::Event => Rights::COMMAND_READ,
        ResolvedKind::Object | ResolvedKind::Table => Rights::OBJECT_READ,
        ResolvedKind::Parameter => Rights::PARAMETER_READ,
    }
}

fn kind_of(node: &Node) -> ResolvedKind {
    match &node.kind {
        crate::schema::Kind::Command(_) => ResolvedKind::Command,
        crate::schema::Kind::Event(_) => ResolvedKind::Event,
        crate::schema::Kind::Object(_) => ResolvedKind::Object,
        crate::schema::Kind::Parameter(_) => ResolvedKind::Parameter,
    }
}

fn kind_of_end(end: &End) -> ResolvedKind {
    match end {
        End::Command(_) => ResolvedKind::Command,
        End::Event(_) => ResolvedKind::Event,
        End::Object => ResolvedKind::Object,
        End::Parameter(_) => ResolvedKind::Parameter,
    }
}

fn unsupported(text: &str) -> Fault {
    Fault::new(
        FaultKind::PathUnsupported,
        text,
        "the supported data model has no such path",
    )
}
