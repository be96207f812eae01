//! How the Tree is kept: which keys an object, a value and a counter have in the store.
//!
//! | key | value | what it keeps |
//! |---|---|---|
//! | `Device.A.1.` | empty | that the row exists |
//! | `Device.A.1.P` | text | the parameter's value; absent while it is the default |
//! | `Device.A.#` | number | the instance number that the next row gets |
//! | `Device.A.#key` | number | the instance number of the owner's row `key` |

use super::{Content, ObjectId, Tree, instance_number};
use crate::declare::Numbering;
use crate::entry::{Entry, LoadProblem};
use crate::schema::{Node, NodeId, SchemaView};

impl Tree {
    /// Fills a new tree from what was kept. What the model has no place for is reported, and the
    /// rest is loaded all the same.
    pub fn load(&mut self, view: &SchemaView, mut entries: Vec<Entry>) -> Vec<LoadProblem> {
        // A path sorts before all that it is a prefix of, so rows exist before their values.
        entries.sort_unstable();
        let mut problems = Vec::new();
        for entry in entries {
            let Some(value) = entry.value else { continue };
            if let Err(reason) = self.load_one(view, &entry.key, value) {
                problems.push(LoadProblem {
                    key: entry.key,
                    reason: reason.to_owned(),
                });
            }
        }
        problems
    }

    /// The key that keeps the row `row`.
    pub(crate) fn row_key(&self, row: ObjectId) -> String {
        self.object(row).path.clone().into_string()
    }

    /// The key that keeps the value of a parameter.
    pub(crate) fn value_key(
        &self,
        view: &SchemaView,
        object: ObjectId,
        parameter: NodeId,
    ) -> String {
        format!("{}{}", self.object(object).path, view.node(parameter).name)
    }

    /// The key that keeps the next instance number of a table.
    pub(crate) fn next_key(&self, view: &SchemaView, parent: ObjectId, table: NodeId) -> String {
        format!("{}{}.#", self.object(parent).path, view.node(table).name)
    }

    /// The path of a table, with a dot at its end.
    pub(crate) fn table_path(&self, view: &SchemaView, parent: ObjectId, table: NodeId) -> String {
        format!("{}{}.", self.object(parent).path, view.node(table).name)
    }

    /// All keys that `row` and everything below it can have in the store.
    pub(crate) fn keys_below(&self, view: &SchemaView, row: ObjectId, keys: &mut Vec<String>) {
        let object = self.object(row);
        if object.instance != 0 {
            keys.push(self.row_key(row));
            keys.extend(self.numbers.entries_below(&object.path));
        }
        let parameters = view
            .node(object.node)
            .object()
            .map_or(&[][..], |node| &node.parameters);
        let set = parameters
            .iter()
            .enumerate()
            .filter(|(slot, _)| object.value(*slot).is_some());
        keys.extend(set.map(|(_, parameter)| self.value_key(view, row, *parameter)));
        for child in object.children() {
            match &child.content {
                Content::Single(id) => self.keys_below(view, *id, keys),
                Content::Table(table) => {
                    keys.push(self.next_key(view, row, child.node));
                    table
                        .rows()
                        .iter()
                        .for_each(|(_, id)| self.keys_below(view, *id, keys));
                }
            }
        }
    }

    /// What is to be kept now under the key of `entry`, which is that of a value or of an owner's row; none where the
    /// Tree has no place for it any more.
    pub(crate) fn kept_now(&self, view: &SchemaView, entry: &Entry) -> Option<Entry> {
        if let Some((table, _)) = entry.key.split_once(".#") {
            return self.find_table(view, table).map(|_| entry.clone());
        }
        let dot = entry.key.rfind('.')?;
        let object = self.find(view, &entry.key[..=dot])?;
        let member = view.member(self.object(object).node, &entry.key[dot + 1..], None)?;
        let value = self
            .object(object)
            .value(view.node(member).parameter()?.slot);
        Some(Entry {
            key: entry.key.clone(),
            value: value.map(str::to_owned),
        })
    }

    fn load_one(
        &mut self,
        view: &SchemaView,
        key: &str,
        value: String,
    ) -> Result<(), &'static str> {
        if let Some((table_path, owner_key)) = key.split_once(".#") {
            return self.load_number(view, table_path, owner_key, &value);
        }
        match key.strip_suffix('.') {
            Some(row) => self.load_row(view, row),
            None => self.load_value(view, key, value),
        }
    }

    fn load_row(&mut self, view: &SchemaView, row: &str) -> Result<(), &'static str> {
        let (table_path, number) = row.rsplit_once('.').ok_or("not the path of a row")?;
        let number = instance_number(number).ok_or("not an instance number")?;
        let (parent, table) = self
            .find_table(view, table_path)
            .ok_or("there is no such table")?;
        if !is_own_table(view, table) || !self.is_own(view, parent) {
            return Err("an owner gives these rows");
        }
        let rows = self.table(view, parent, table);
        if rows.is_none_or(|rows| rows.row(number).is_none()) {
            self.add_row(view, parent, table, number);
        }
        Ok(())
    }

    fn load_value(
        &mut self,
        view: &SchemaView,
        key: &str,
        value: String,
    ) -> Result<(), &'static str> {
        let dot = key.rfind('.').ok_or("not the path of a parameter")?;
        let object = self
            .find(view, &key[..=dot])
            .ok_or("there is no such object")?;
        let node = view
            .member(self.object(object).node, &key[dot + 1..], None)
            .map(|id| view.node(id))
            .ok_or("there is no such parameter")?;
        let parameter = node.parameter().ok_or("this is not a parameter")?;
        if parameter.counts.is_some() {
            return Err("the Tree counts this itself");
        }
        if node.unit.is_some() || parameter.volatile || !self.is_own(view, object) {
            return Err("this value is not kept");
        }
        let value = parameter
            .value_type
            .canonical(&value)
            .map_err(|_| "the value is not of the parameter's type")?;
        self.put(object, parameter.slot, Some(value.into()));
        Ok(())
    }

    fn load_number(
        &mut self,
        view: &SchemaView,
        table: &str,
        key: &str,
        value: &str,
    ) -> Result<(), &'static str> {
        let number = instance_number(value).ok_or("not an instance number")?;
        let node = view
            .find(&format!("{table}."))
            .filter(|node| is_table(node));
        let node = node.ok_or("there is no such table")?;
        if node.unit.is_none() {
            let (parent, table) = self
                .find_table(view, table)
                .ok_or("there is no such table")?;
            if !key.is_empty() || !self.is_own(view, parent) {
                return Err("these rows have no keys to keep");
            }
            self.set_next(view, parent, table, number);
            return Ok(());
        }
        if !is_numbering_kept(view, node.id) {
            return Err("these rows are numbered anew");
        }
        let path = format!("{table}.");
        if key.is_empty() {
            self.numbers.raise(&path, number);
        } else if !self.numbers.keep(&path, key, number) {
            return Err("another row has this number");
        }
        // Where the object that the table belongs to is an owner's too, it comes later.
        if let Some((parent, table)) = self.find_table(view, table) {
            self.set_next(view, parent, table, self.numbers.next(&path));
        }
        Ok(())
    }

    /// Whether `object` and all above it are the Tree's own rows.
    pub(crate) fn is_own(&self, view: &SchemaView, object: ObjectId) -> bool {
        let mut at = Some(object);
        while let Some(id) = at {
            let object = self.object(id);
            if !is_own_table(view, object.node) {
                return false;
            }
            at = object.parent;
        }
        true
    }

    /// The table whose path without the last dot is `path`.
    fn find_table(&self, view: &SchemaView, path: &str) -> Option<(ObjectId, NodeId)> {
        let dot = path.rfind('.')?;
        let parent = self.find(view, &path[..=dot])?;
        let object = self.object(parent);
        let node = view.member(object.node, &path[dot + 1..], Some(&object.path))?;
        is_table(view.node(node)).then_some((parent, node))
    }
}

/// Whether the instance numbers of the owner's table `table` mean the same after a restart: those of
/// every table that it is in have to, too.
pub(crate) fn is_numbering_kept(view: &SchemaView, table: NodeId) -> bool {
    let mut at = Some(table);
    while let Some(id) = at {
        let node = view.node(id);
        let unit = node.unit.filter(|_| is_table(node));
        let fresh = unit
            .and_then(|unit| view.unit(unit))
            .is_some_and(|unit| unit.numbering == Numbering::Fresh);
        if fresh {
            return false;
        }
        at = node.parent;
    }
    true
}

fn is_own_table(view: &SchemaView, node: NodeId) -> bool {
    let node = view.node(node);
    node.unit.is_none() || !is_table(node)
}

fn is_table(node: &Node) -> bool {
    node.object().is_some_and(|object| object.table)
}
