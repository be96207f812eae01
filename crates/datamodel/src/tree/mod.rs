//! The instantiated data model: which objects there are, and their values.
//!
//! The Tree is plain data with plain changes; it checks nothing and undoes nothing. Checks are the
//! [`Transaction`](crate::Transaction)'s, and so is the journal by which a change is taken back.
//! Values are canonical TR-106 texts. An object is reached by place, never by parsing a path twice.

mod entries;
mod numbers;

pub(crate) use entries::is_numbering_kept;
pub(crate) use numbers::Numbers;

use crate::schema::{NodeId, SchemaView};

/// Names an object of a [`Tree`] while it exists.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectId(u32);

impl ObjectId {
    /// The place in memory, which another object may have later.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// All objects of one data model.
#[derive(Debug)]
pub struct Tree {
    objects: Vec<Option<Object>>,
    free: Vec<u32>,
    /// Instance numbers of owners' rows, also of those that are not there now.
    pub(crate) numbers: Numbers,
}

/// One object: a single one, or a row of a table.
#[derive(Debug)]
pub struct Object {
    /// What it is an instance of.
    pub node: NodeId,
    /// The object it belongs to.
    pub parent: Option<ObjectId>,
    /// Its instance number; 0 for an object that is not a row.
    pub instance: u32,
    /// Its path with instance numbers, ending in a dot.
    pub path: Box<str>,
    /// The owner's name for the row, where an owner gave it.
    pub key: Option<Box<str>>,
    /// The last commit that changed it.
    pub changed: u64,
    /// By slot, up to the last that has no default.
    values: Vec<Option<Box<str>>>,
    children: Vec<Child>,
}

/// What an object has below it.
#[derive(Debug)]
pub struct Child {
    /// The child's node.
    pub node: NodeId,
    /// The object or the rows.
    pub content: Content,
}

/// One child object, or a table.
#[derive(Debug)]
pub enum Content {
    /// There is exactly one.
    Single(ObjectId),
    /// There is one per instance number.
    Table(Table),
}

/// The rows of one table of one object.
#[derive(Debug, Default)]
pub struct Table {
    /// In ascending order of instance number.
    rows: Vec<(u32, ObjectId)>,
    /// The next instance number; numbers are not used again.
    next: u32,
    /// The last commit that added or deleted a row.
    pub changed: u64,
}

impl Table {
    /// The rows in ascending order of instance number.
    pub fn rows(&self) -> &[(u32, ObjectId)] {
        &self.rows
    }

    /// The row with this instance number.
    pub fn row(&self, instance: u32) -> Option<ObjectId> {
        let at = self
            .rows
            .binary_search_by_key(&instance, |(number, _)| *number)
            .ok()?;
        Some(self.rows[at].1)
    }

    /// The number that the next row gets.
    pub fn next(&self) -> u32 {
        self.next.max(1)
    }
}

impl Object {
    /// The child at or with `node`.
    pub fn child(&self, node: NodeId, position: usize) -> Option<&Child> {
        match self.children.get(position) {
            Some(child) if child.node == node => Some(child),
            _ => self.children.iter().find(|child| child.node == node),
        }
    }

    /// Everything below it, in the order of the schema.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// The value in `slot`; `None` where it is the default.
    pub fn value(&self, slot: usize) -> Option<&str> {
        self.values.get(slot)?.as_deref()
    }
}

impl Tree {
    /// The tree of `view` with every single object and no rows.
    pub fn new(view: &SchemaView) -> Self {
        let mut tree = Self {
            objects: Vec::new(),
            free: Vec::new(),
            numbers: Numbers::default(),
        };
        tree.create(view, view.root().id, None, 0, view.root().path.clone());
        tree
    }

    /// `Device.`
    pub fn root(&self) -> ObjectId {
        ObjectId(0)
    }

    /// The object called `id`. An ID that outlived its object gives the root.
    pub fn object(&self, id: ObjectId) -> &Object {
        let object = self.objects.get(id.0 as usize).and_then(Option::as_ref);
        debug_assert!(object.is_some(), "an object ID outlived its object");
        match object.or_else(|| self.objects[0].as_ref()) {
            Some(object) => object,
            None => unreachable!("the root is never removed"),
        }
    }

    /// Whether `id` names an object still.
    pub fn exists(&self, id: ObjectId) -> bool {
        self.objects.get(id.0 as usize).is_some_and(Option::is_some)
    }

    /// The table `node` of `parent`.
    pub fn table(&self, view: &SchemaView, parent: ObjectId, node: NodeId) -> Option<&Table> {
        let position = view.node(node).object()?.position;
        match &self.object(parent).child(node, position)?.content {
            Content::Single(_) => None,
            Content::Table(table) => Some(table),
        }
    }

    /// The single child object `node` of `parent`.
    pub fn single(&self, view: &SchemaView, parent: ObjectId, node: NodeId) -> Option<ObjectId> {
        let position = view.node(node).object()?.position;
        match self.object(parent).child(node, position)?.content {
            Content::Single(id) => Some(id),
            Content::Table(_) => None,
        }
    }

    /// The value of `parameter` of `object`, or its default.
    pub fn value<'a>(
        &'a self,
        view: &'a SchemaView,
        object: ObjectId,
        parameter: NodeId,
    ) -> &'a str {
        let Some(parameter) = view.node(parameter).parameter() else {
            return "";
        };
        self.object(object)
            .value(parameter.slot)
            .unwrap_or(&parameter.default)
    }

    /// The object whose path is `path`, with instance numbers and a dot at the end.
    pub fn find(&self, view: &SchemaView, path: &str) -> Option<ObjectId> {
        let mut at = self.root();
        let mut steps = path
            .strip_prefix(&*self.object(at).path)?
            .strip_suffix('.')
            .unwrap_or("")
            .split('.');
        if path == &*self.object(at).path {
            return Some(at);
        }
        while let Some(name) = steps.next() {
            let object = self.object(at);
            let node = view.member(object.node, name, Some(&object.path))?;
            let position = view.node(node).object()?.position;
            at = match &object.child(node, position)?.content {
                Content::Single(id) => *id,
                Content::Table(table) => table.row(instance_number(steps.next()?)?)?,
            };
        }
        Some(at)
    }

    /// Every instance of the object or table `node`.
    pub fn instances(&self, view: &SchemaView, node: NodeId) -> Vec<ObjectId> {
        let Some(parent) = view.node(node).parent else {
            return vec![self.root()];
        };
        let mut found = Vec::new();
        for parent in self.instances(view, parent) {
            let position = view.node(node).object().map_or(0, |object| object.position);
            match self
                .object(parent)
                .child(node, position)
                .map(|child| &child.content)
            {
                Some(Content::Single(id)) => found.push(*id),
                Some(Content::Table(table)) => found.extend(table.rows.iter().map(|(_, id)| *id)),
                None => {}
            }
        }
        found
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len() - self.free.len()
    }

    /// Never: there is always the root.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// Changes. None is checked, journaled or kept by itself.
impl Tree {
    pub(crate) fn object_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.objects.get_mut(id.0 as usize)?.as_mut()
    }

    /// Puts `value` into a slot and returns what was there.
    pub(crate) fn put(
        &mut self,
        object: ObjectId,
        slot: usize,
        value: Option<Box<str>>,
    ) -> Option<Box<str>> {
        let values = &mut self.object_mut(object)?.values;
        if let Some(place) = values.get_mut(slot) {
            return core::mem::replace(place, value);
        }
        if value.is_some() {
            values.reserve_exact(slot + 1 - values.len());
            values.resize_with(slot, || None);
            values.push(value);
        }
        None
    }

    pub(crate) fn table_mut(
        &mut self,
        view: &SchemaView,
        parent: ObjectId,
        node: NodeId,
    ) -> Option<&mut Table> {
        let position = view.node(node).object()?.position;
        let object = self.object_mut(parent)?;
        let child = match object.children.get(position) {
            Some(child) if child.node == node => object.children.get_mut(position),
            _ => object.children.iter_mut().find(|child| child.node == node),
        }?;
        match &mut child.content {
            Content::Single(_) => None,
            Content::Table(table) => Some(table),
        }
    }

    /// Makes a row with its single objects and links it.
    pub(crate) fn add_row(
        &mut self,
        view: &SchemaView,
        parent: ObjectId,
        node: NodeId,
        instance: u32,
    ) -> ObjectId {
        let path = format!(
            "{}{}.{instance}.",
            self.object(parent).path,
            view.node(node).name
        );
        let id = self.create(view, node, Some(parent), instance, path.into());
        self.link(view, id);
        id
    }

    /// Links a row that was made or unlinked before into its table, and says whether it is there:
    /// another row may have its number by now, or its table may be gone.
    pub(crate) fn link(&mut self, view: &SchemaView, row: ObjectId) -> bool {
        let (Some(parent), node, instance) = self.place(row) else {
            return false;
        };
        let Some(table) = self.table_mut(view, parent, node) else {
            return false;
        };
        let place = table
            .rows
            .binary_search_by_key(&instance, |(number, _)| *number);
        match place {
            Ok(at) if table.rows[at].1 != row => return false,
            Ok(_) => {}
            Err(at) => table.rows.insert(at, (instance, row)),
        }
        table.next = table.next.max(instance.saturating_add(1));
        self.count(view, parent, node);
        true
    }

    /// Whether `row` is in its table.
    pub(crate) fn is_linked(&self, view: &SchemaView, row: ObjectId) -> bool {
        let (Some(parent), node, instance) = self.place(row) else {
            return false;
        };
        let table = self.table(view, parent, node);
        table.and_then(|table| table.row(instance)) == Some(row)
    }

    /// Takes a row out of its table. It stays in memory until [`Self::discard`].
    pub(crate) fn unlink(&mut self, view: &SchemaView, row: ObjectId) {
        let (Some(parent), node, instance) = self.place(row) else {
            return;
        };
        if let Some(table) = self.table_mut(view, parent, node)
            && let Ok(at) = table
                .rows
                .binary_search_by_key(&instance, |(number, _)| *number)
            && table.rows[at].1 == row
        {
            table.rows.remove(at);
        }
        self.count(view, parent, node);
    }

    /// Frees an unlinked row and all below it.
    pub(crate) fn discard(&mut self, row: ObjectId) {
        let Some(object) = self.objects.get_mut(row.0 as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(row.0);
        for child in object.children {
            match child.content {
                Content::Single(id) => self.discard(id),
                Content::Table(table) => {
                    table.rows.into_iter().for_each(|(_, id)| self.discard(id))
                }
            }
        }
    }

    pub(crate) fn set_next(
        &mut self,
        view: &SchemaView,
        parent: ObjectId,
        node: NodeId,
        next: u32,
    ) {
        if let Some(table) = self.table_mut(view, parent, node) {
            table.next = next;
        }
    }

    /// Makes room for what `view` mounts below existing objects.
    pub(crate) fn attach(
        &mut self,
        view: &SchemaView,
        parent: NodeId,
        mounted: NodeId,
        instance: Option<&str>,
    ) {
        let parents: Vec<ObjectId> = match instance {
            Some(path) => self.find(view, path).into_iter().collect(),
            None => self.instances(view, parent),
        };
        for id in parents {
            let child = self.child_of(view, id, mounted);
            if let Some(object) = self.object_mut(id) {
                object.children.push(child);
            }
        }
    }

    /// Takes away what was mounted. The objects stay in memory until [`Self::discard`].
    pub(crate) fn detach(&mut self, mounted: NodeId) -> Vec<ObjectId> {
        let mut gone = Vec::new();
        for object in self.objects.iter_mut().flatten() {
            let found = object
                .children
                .iter()
                .position(|child| child.node == mounted);
            match found.map(|at| object.children.remove(at).content) {
                Some(Content::Single(id)) => gone.push(id),
                Some(Content::Table(table)) => gone.extend(table.rows.iter().map(|(_, id)| *id)),
                None => {}
            }
        }
        gone
    }

    fn place(&self, row: ObjectId) -> (Option<ObjectId>, NodeId, u32) {
        let object = self.object(row);
        (object.parent, object.node, object.instance)
    }

    fn count(&mut self, view: &SchemaView, parent: ObjectId, node: NodeId) {
        let Some(counter) = view.node(node).object().and_then(|object| object.counter) else {
            return;
        };
        let Some(slot) = view
            .node(counter)
            .parameter()
            .map(|parameter| parameter.slot)
        else {
            return;
        };
        let rows = self
            .table(view, parent, node)
            .map_or(0, |table| table.rows.len());
        self.put(parent, slot, Some(rows.to_string().into()));
    }

    fn create(
        &mut self,
        view: &SchemaView,
        node: NodeId,
        parent: Option<ObjectId>,
        instance: u32,
        path: Box<str>,
    ) -> ObjectId {
        let object = Object {
            node,
            parent,
            instance,
            path: path.clone(),
            key: None,
            changed: 0,
            values: Vec::new(),
            children: Vec::new(),
        };
        let id = self.place_in_arena(object);
        let below: Vec<NodeId> = view.objects(node, Some(&path)).collect();
        let children: Vec<Child> = below
            .into_iter()
            .map(|child| self.child_of(view, id, child))
            .collect();
        if let Some(object) = self.object_mut(id) {
            object.children = children;
        }
        id
    }

    fn child_of(&mut self, view: &SchemaView, parent: ObjectId, node: NodeId) -> Child {
        let content = if view.node(node).object().is_some_and(|object| object.table) {
            let path = format!("{}{}.", self.object(parent).path, view.node(node).name);
            Content::Table(Table {
                next: self.numbers.next(&path),
                ..Table::default()
            })
        } else {
            let path = format!("{}{}.", self.object(parent).path, view.node(node).name);
            Content::Single(self.create(view, node, Some(parent), 0, path.into()))
        };
        Child { node, content }
    }

    fn place_in_arena(&mut self, object: Object) -> ObjectId {
        match self.free.pop() {
            Some(index) => {
                self.objects[index as usize] = Some(object);
                ObjectId(index)
            }
            None => {
                if self.objects.len() == self.objects.capacity() {
                    // Less than a vector would take by itself: there may be very many trees.
                    self.objects.reserve_exact(self.objects.len() / 4 + 4);
                }
                self.objects.push(Some(object));
                ObjectId((self.objects.len() - 1) as u32)
            }
        }
    }
}

/// An instance number as the grammar writes it: no sign, no leading zero, at least 1.
pub(crate) fn instance_number(text: &str) -> Option<u32> {
    match text.as_bytes() {
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => text.parse().ok(),
        _ => None,
    }
}
