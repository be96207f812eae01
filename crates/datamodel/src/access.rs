//! Who may do what where: permissions, compiled to one mask per schema node and instance predicates.
//!
//! A protocol gathers roles from wherever it keeps them and compiles them once; every plan then asks
//! the compiled [`Access`] through the transaction. Nothing here reads values: what a search predicate
//! needs is evaluated by the transaction, which may have to gather.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Holds;
use crate::path::{End, Expression, Path, Segment};
use crate::schema::{Node, NodeId, SchemaView, generic};

/// What may be done with a node, as TR-181's four permission strings say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rights(u16);

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);
    /// Read a parameter's value and meta-information.
    pub const PARAMETER_READ: Self = Self(1);
    /// Set a parameter.
    pub const PARAMETER_WRITE: Self = Self(1 << 1);
    /// Be told of value changes.
    pub const PARAMETER_NOTIFY: Self = Self(1 << 3);
    /// Resolve the object and read its meta-information.
    pub const OBJECT_READ: Self = Self(1 << 4);
    /// Add rows.
    pub const OBJECT_WRITE: Self = Self(1 << 5);
    /// Be told of created rows.
    pub const OBJECT_NOTIFY: Self = Self(1 << 7);
    /// Read instance numbers and unique keys.
    pub const INSTANCE_READ: Self = Self(1 << 8);
    /// Delete the instance.
    pub const INSTANCE_WRITE: Self = Self(1 << 9);
    /// Be told of deleted rows.
    pub const INSTANCE_NOTIFY: Self = Self(1 << 11);
    /// Read the meta-information of a command or event.
    pub const COMMAND_READ: Self = Self(1 << 12);
    /// Execute the command.
    pub const COMMAND_EXECUTE: Self = Self(1 << 14);
    /// Be told of the event or of the command's completion.
    pub const COMMAND_NOTIFY: Self = Self(1 << 15);

    /// Rights from the four strings of a Permission row, each like `rw-n`.
    /// `None` when one of them is not four characters of `rwxn` or `-` in their places.
    pub fn parse(parameter: &str, object: &str, instance: &str, command: &str) -> Option<Self> {
        let mut bits = 0;
        for (place, text) in [parameter, object, instance, command]
            .into_iter()
            .enumerate()
        {
            bits |= nibble(text)? << (4 * place);
        }
        Some(Self(bits))
    }

    /// Whether all of `wanted` is granted.
    pub const fn grants(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// What both grant.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either grants.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A role, ready to be compiled.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Whether it may read secured parameters.
    pub secured: bool,
    /// Its permissions, in any order.
    pub permissions: Vec<Permission>,
}

/// What one Permission row grants.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Larger wins over smaller; of equal ones, the later.
    pub order: u32,
    /// Where.
    pub targets: Vec<Path>,
    /// What.
    pub rights: Rights,
}

/// The compiled rights of one caller: the union of its roles.
#[derive(Clone, Debug)]
pub struct Access {
    parts: Vec<Rules>,
    predicates: Arc<[Predicate]>,
    secured: bool,
    unrestricted: bool,
}

impl Access {
    /// May do everything. For the Agent's own plans.
    pub fn unrestricted() -> Self {
        Self {
            parts: Vec::new(),
            predicates: Arc::default(),
            secured: true,
            unrestricted: true,
        }
    }

    /// May do nothing.
    pub fn nothing() -> Self {
        Self {
            parts: Vec::new(),
            predicates: Arc::default(),
            secured: false,
            unrestricted: false,
        }
    }

    /// The union of `roles`. Targets that the supported model does not have grant nothing.
    pub fn compile(view: &SchemaView, roles: &[Role]) -> Self {
        let mut parts: Vec<Vec<NodeRule>> = view
            .part_sizes()
            .map(|size| vec![NodeRule::default(); size])
            .collect();
        let mut access = Self {
            secured: roles.iter().any(|role| role.secured),
            ..Self::nothing()
        };
        let places: Vec<(&Node, Cow<'_, str>)> = view
            .nodes()
            .map(|node| (node, generic(&node.path)))
            .collect();
        let mut predicates = Vec::new();
        for role in roles {
            let layers = layers_of(view, &places, role, &mut predicates);
            unite(&mut parts, layers);
        }
        access.parts = parts.into_iter().map(Rules::of).collect();
        access.predicates = predicates.into();
        access
    }

    /// A target of a permission as it is written in the model: a path name of an object with or without
    /// the dot at its end, of a parameter, a command or an event. `None` when it is none of these.
    pub fn target(view: &SchemaView, text: &str) -> Option<Path> {
        if *text == *view.root().name {
            return Path::parse(&view.root().path).ok();
        }
        let path = Path::parse(text).ok()?;
        if !matches!(path.end, End::Parameter(_)) {
            return Some(path);
        }
        let object = path.clone().into_object();
        let supported = supported(&object);
        let is_object = view.nodes().any(|node| {
            node.object().is_some() && is_row_or_table(&generic(&node.path), &supported)
        });
        Some(if is_object { object } else { path })
    }

    /// Whether secured parameters show their values.
    pub const fn is_secured(&self) -> bool {
        self.secured
    }

    /// Rights on `node` that do not depend on the instance; `None` when they do.
    pub fn fixed(&self, node: NodeId) -> Option<Rights> {
        if self.unrestricted {
            return Some(Rights::ALL);
        }
        let Some(rule) = self.rule(node) else {
            return Some(Rights::NONE);
        };
        rule.layers.is_empty().then_some(rule.rights)
    }

    /// Rights on `node` where `matches` tells which predicates hold for the instance; where it does not
    /// know, only what is granted either way is.
    pub(crate) fn conditional(
        &self,
        node: NodeId,
        mut matches: impl FnMut(usize) -> Holds,
    ) -> Rights {
        let Some(rule) = self.rule(node) else {
            return Rights::NONE;
        };
        rule.layers.iter().fold(rule.rights, |rights, layer| {
            let mut either = Rights::ALL;
            for (predicate, role) in layer.overlays.iter().rev() {
                match matches(*predicate) {
                    Holds::No => {}
                    Holds::Unasked | Holds::Unknown => either = either.and(*role),
                    Holds::Yes => return rights.or(either.and(*role)),
                }
            }
            rights.or(either.and(layer.base))
        })
    }

    /// Rights on `node` in a row that is gone, of which only the numbers on the way to it are known.
    pub(crate) fn where_gone(&self, view: &SchemaView, node: NodeId, rows: &[u32]) -> Rights {
        let path = generic(&view.node(node).path);
        let holds = |predicate: &Predicate| {
            let mut all = Holds::Yes;
            for (tables, selector) in &predicate.steps {
                let mut on_the_way = tables.iter().map(|table| generic(&view.node(*table).path));
                let row = on_the_way
                    .find(|table| path.starts_with(&**table))
                    .and_then(|table| rows.get(table.matches("{i}").count().checked_sub(1)?));
                match (selector, row) {
                    (Selector::Row(number), Some(row)) if number == row => {}
                    (Selector::Row(_), _) | (_, None) => return Holds::No,
                    (Selector::Search(_), Some(_)) => all = Holds::Unknown,
                }
            }
            all
        };
        self.fixed(node)
            .unwrap_or_else(|| self.conditional(node, |at| holds(&self.predicates[at])))
    }

    /// Rights on `node` for every instance, those included that are still to come.
    pub fn everywhere(&self, node: NodeId) -> Rights {
        self.fixed(node).unwrap_or(Rights::NONE)
    }

    /// Rights on `node` for at least one instance: what the supported model may show. (R-GSP.0)
    pub fn anywhere(&self, node: NodeId) -> Rights {
        self.fixed(node).unwrap_or_else(|| {
            let Some(rule) = self.rule(node) else {
                return Rights::NONE;
            };
            let all = rule.layers.iter().flat_map(|layer| {
                layer
                    .overlays
                    .iter()
                    .map(|(_, rights)| *rights)
                    .chain([layer.base])
            });
            all.fold(rule.rights, Rights::or)
        })
    }

    pub(crate) fn predicates(&self) -> &Arc<[Predicate]> {
        &self.predicates
    }

    fn rule(&self, node: NodeId) -> Option<&NodeRule> {
        self.parts.get(node.part())?.of_node(node.index())
    }
}

/// Adds what one role grants.
fn unite(parts: &mut [Vec<NodeRule>], layers: Vec<(NodeId, Layer)>) {
    for (node, layer) in layers {
        let rule = &mut parts[node.part()][node.index()];
        if layer.overlays.is_empty() {
            rule.rights = rule.rights.or(layer.base);
        } else {
            rule.layers.push(layer);
        }
    }
}

/// One role's layer for every node that the role names. `places` has all nodes with the paths where they
/// are looked for.
fn layers_of(
    view: &SchemaView,
    places: &[(&Node, Cow<'_, str>)],
    role: &Role,
    predicates: &mut Vec<Predicate>,
) -> Vec<(NodeId, Layer)> {
    let mut permissions: Vec<&Permission> = role.permissions.iter().collect();
    permissions.sort_by_key(|permission| permission.order);
    let mut layers: Vec<Vec<Option<Layer>>> =
        view.part_sizes().map(|size| vec![None; size]).collect();
    for permission in permissions {
        for target in &permission.targets {
            let Some(mut place) = Place::of(places, target) else {
                continue;
            };
            let predicate = place
                .predicate
                .take()
                .map(|predicate| index_of(predicates, predicate));
            for (node, _) in places.iter().filter(|(_, path)| place.covers(path)) {
                let layer = layers[node.id.part()][node.id.index()].get_or_insert_default();
                layer.lay(predicate, permission.rights);
            }
        }
    }
    let named = places.iter().filter_map(|(node, _)| {
        layers[node.id.part()][node.id.index()]
            .take()
            .map(|layer| (node.id, layer))
    });
    named.collect()
}

fn index_of(predicates: &mut Vec<Predicate>, predicate: Predicate) -> usize {
    let known = predicates.iter().position(|known| *known == predicate);
    known.unwrap_or_else(|| {
        predicates.push(predicate);
        predicates.len() - 1
    })
}

/// The rules of all nodes of one part. Roles mostly say the same of nearly all nodes, and a process may
/// hold the roles of very many Agents.
#[derive(Clone, Debug)]
enum Rules {
    /// One for each node.
    Each(Box<[NodeRule]>),
    /// One for all, and those that are others, in ascending order of their nodes.
    Same {
        nodes: usize,
        usual: NodeRule,
        others: Box<[(usize, NodeRule)]>,
    },
}

impl Rules {
    /// Where fewer than one in so many nodes has another rule than most, only those are held.
    const OTHERS_RARE: usize = 16;

    fn of(each: Vec<NodeRule>) -> Self {
        let mut frequent: BTreeMap<u16, usize> = BTreeMap::new();
        for rule in each.iter().filter(|rule| rule.layers.is_empty()) {
            *frequent.entry(rule.rights.0).or_default() += 1;
        }
        let most = frequent.into_iter().max_by_key(|(_, count)| *count);
        let Some((usual, count)) = most else {
            return Self::Each(each.into());
        };
        if (each.len() - count) * Self::OTHERS_RARE > each.len() {
            return Self::Each(each.into());
        }
        let usual = NodeRule {
            rights: Rights(usual),
            layers: Vec::new(),
        };
        let nodes = each.len();
        let others = each.into_iter().enumerate();
        let others =
            others.filter(|(_, rule)| rule.rights != usual.rights || !rule.layers.is_empty());
        Self::Same {
            nodes,
            others: others.collect(),
            usual,
        }
    }

    fn of_node(&self, index: usize) -> Option<&NodeRule> {
        match self {
            Self::Each(each) => each.get(index),
            Self::Same {
                nodes,
                usual,
                others,
            } => match others.binary_search_by_key(&index, |(node, _)| *node) {
                Ok(at) => Some(&others[at].1),
                Err(_) => (index < *nodes).then_some(usual),
            },
        }
    }
}

#[derive(Clone, Debug, Default)]
struct NodeRule {
    /// What the roles without conditions here grant.
    rights: Rights,
    /// One per role whose rights here depend on the instance.
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, Default)]
struct Layer {
    base: Rights,
    /// In ascending order: the last that matches wins.
    overlays: Vec<(usize, Rights)>,
}

impl Layer {
    fn lay(&mut self, predicate: Option<usize>, rights: Rights) {
        match predicate {
            Some(predicate) => self.overlays.push((predicate, rights)),
            None => {
                self.base = rights;
                self.overlays.clear();
            }
        }
    }
}

/// Instances that a target selects: every step has to hold for an instance or one of those above it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Predicate {
    pub(crate) steps: Vec<(Vec<NodeId>, Selector)>,
}

/// Which rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selector {
    Row(u32),
    Search(Expression),
}

/// Where a target lies in the supported model.
struct Place {
    path: String,
    whole: bool,
    predicate: Option<Predicate>,
}

impl Place {
    /// `None` when the target makes no sense: it follows references, or goes through a table without
    /// saying which rows.
    fn of(places: &[(&Node, Cow<'_, str>)], target: &Path) -> Option<Self> {
        let mut path = String::new();
        let mut steps = Vec::new();
        for segment in &target.segments {
            let selector = match segment {
                Segment::Name(name) => {
                    path.push_str(name);
                    path.push('.');
                    continue;
                }
                Segment::Instance(number) => Some(Selector::Row(*number)),
                Segment::Search(expression) => Some(Selector::Search(expression.clone())),
                Segment::Placeholder | Segment::Wildcard => None,
                Segment::Follow { .. } => return None,
            };
            path.push_str("{i}.");
            if let Some(selector) = selector {
                let tables = places.iter().filter(|(_, place)| **place == *path);
                let tables: Vec<NodeId> = tables.map(|(node, _)| node.id).collect();
                steps.push((tables, selector));
            }
        }
        let whole = match &target.end {
            End::Object => true,
            End::Command(name) | End::Event(name) | End::Parameter(name) => {
                path.push_str(name);
                false
            }
        };
        let predicate = (!steps.is_empty()).then_some(Predicate { steps });
        Some(Self {
            path,
            whole,
            predicate,
        })
    }

    fn covers(&self, path: &str) -> bool {
        if self.whole {
            path.starts_with(&self.path)
        } else {
            path == self.path
        }
    }
}

/// The path of the supported model that `path` is an instance of, as far as it is one.
fn supported(path: &Path) -> String {
    let mut supported = String::new();
    for segment in &path.segments {
        match segment {
            Segment::Name(name) => supported.push_str(name),
            _ => supported.push_str("{i}"),
        }
        supported.push('.');
    }
    supported
}

/// Whether the object at `node` is named by `path`, which names a table without `{i}`.
fn is_row_or_table(node: &str, path: &str) -> bool {
    node == path || node.strip_suffix("{i}.") == Some(path)
}

fn nibble(text: &str) -> Option<u16> {
    let bytes: [u8; 4] = text.as_bytes().try_into().ok()?;
    let mut bits = 0;
    for (place, (given, letter)) in bytes.iter().zip(b"rwxn").enumerate() {
        match given {
            b'-' => {}
            given if given == letter => bits |= 1 << place,
            _ => return None,
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each right is the letter at its place in its string. (TR-181, ControllerTrust.Role.{i}.Permission.{i}.)
    #[test]
    fn rights_are_what_their_letters_say() {
        let none = "----";
        for (letters, expected) in [
            (["r---", none, none, none], Rights::PARAMETER_READ),
            (["-w--", none, none, none], Rights::PARAMETER_WRITE),
            (["---n", none, none, none], Rights::PARAMETER_NOTIFY),
            ([none, "r---", none, none], Rights::OBJECT_READ),
            ([none, "-w--", none, none], Rights::OBJECT_WRITE),
            ([none, "---n", none, none], Rights::OBJECT_NOTIFY),
            ([none, none, "r---", none], Rights::INSTANCE_READ),
            ([none, none, "-w--", none], Rights::INSTANCE_WRITE),
            ([none, none, "---n", none], Rights::INSTANCE_NOTIFY),
            ([none, none, none, "r---"], Rights::COMMAND_READ),
            ([none, none, none, "--x-"], Rights::COMMAND_EXECUTE),
            ([none, none, none, "---n"], Rights::COMMAND_NOTIFY),
        ] {
            let [parameter, object, instance, command] = letters;
            let parsed = Rights::parse(parameter, object, instance, command);
            assert_eq!(parsed, Some(expected), "{letters:?}");
            assert_ne!(expected, Rights::NONE);
        }
        let (read, write) = (Rights::PARAMETER_READ, Rights::PARAMETER_WRITE);
        let both = read.or(write);
        assert_eq!(Rights::parse("rw--", none, none, none), Some(both));
        assert_eq!((both.or(write), both.and(write)), (both, write));
        assert_eq!(read.and(write), Rights::NONE);
    }

    #[test]
    fn a_rule_that_one_in_sixteen_has_is_rare() {
        for (nodes, are_rare) in [(16, true), (15, false)] {
            let mut each = vec![NodeRule::default(); nodes];
            each[3].rights = Rights::OBJECT_READ;
            assert_eq!(matches!(Rules::of(each), Rules::Same { .. }), are_rare);
        }
    }

    /// However the rules are held, each node has its own.
    #[test]
    fn rules_are_the_same_however_they_are_held() {
        for others in [0, 1, 6, 60] {
            let conditional = NodeRule {
                rights: Rights::ALL,
                layers: vec![Layer::default()],
            };
            let mut each = vec![NodeRule::default(); 100];
            for place in 0..others {
                each[place * 97 % 100] = conditional.clone();
            }
            each[50].rights = Rights::OBJECT_READ;
            let rules = Rules::of(each.clone());
            assert_eq!(matches!(rules, Rules::Same { .. }), others < 6);
            for (place, rule) in each.iter().enumerate() {
                let held = rules.of_node(place).unwrap();
                assert_eq!(
                    (held.rights, held.layers.len()),
                    (rule.rights, rule.layers.len())
                );
            }
            assert!(rules.of_node(100).is_none());
        }
    }
}
