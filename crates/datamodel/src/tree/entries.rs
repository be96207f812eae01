//! How the Tree is kept: which keys an object, a value and a counter have in the store.
//!
//! | key | value | what it keeps |
//! |---|---|---|
//! | `Device.A.1.` | empty | that the row exists |
//! | `Device.A.1.P` | text | the parameter's value; absent while it is the default |
//! | `Device.A.#` | number | the instance number that the next row gets |
//! | `Device.A.#key` | number | the instance number of the owner's row `key` |

use super::{Content, ObjectId, Tree};
use crate::entry::{Entry, LoadProblem};
use crate::schema::{NodeId, SchemaView};

impl Tree {
    /// Fills a new tree from what was kept. What the model has no place for is reported, and the
    /// rest is loaded all the same.
    pub fn load(&mut self, view: &SchemaView, mut entries: Vec<Entry>) -> Vec<LoadProblem> {
        // A path sorts before all that it is a prefix of, so rows exist before their values.
        entries.sort();
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
        self.object(row).path.to_string()
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

    /// All keys that `row` and everything below it can have in the store.
    pub(crate) fn keys_below(&self, view: &SchemaView, row: ObjectId, keys: &mut Vec<String>) {
        let object = self.object(row);
        if object.instance != 0 {
            keys.push(self.row_key(row));
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
        let number: u32 = number.parse().map_err(|_| "not an instance number")?;
        let (parent, table) = self
            .find_table(view, table_path)
            .ok_or("there is no such table")?;
        let known = self
            .table(view, parent, table)
            .and_then(|rows| rows.row(number));
        if number == 0 {
            return Err("an instance number is never 0");
        }
        if known.is_none() {
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
            .map(|id| view.node(id));
        let parameter = node
            .and_then(|node| node.parameter())
            .ok_or("there is no such parameter")?;
        if parameter.counts.is_some() {
            return Err("the Tree counts this itself");
        }
        if parameter.value_type.canonical(&value).is_err() {
            return Err("the value is not of the parameter's type");
        }
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
        let number: u32 = value.parse().map_err(|_| "not an instance number")?;
        let (parent, table) = self
            .find_table(view, table)
            .ok_or("there is no such table")?;
        if key.is_empty() {
            self.set_next(view, parent, table, number);
        } else {
            self.keep_number(view, parent, table, key, number);
            let next = self
                .table(view, parent, table)
                .map_or(1, |rows| rows.next());
            self.set_next(view, parent, table, next.max(number.saturating_add(1)));
        }
        Ok(())
    }

    /// The table whose path without the last dot is `path`.
    fn find_table(&self, view: &SchemaView, path: &str) -> Option<(ObjectId, NodeId)> {
        let dot = path.rfind('.')?;
        let parent = self.find(view, &path[..=dot])?;
        let object = self.object(parent);
        let node = view.member(object.node, &path[dot + 1..], Some(&object.path))?;
        view.node(node)
            .object()
            .is_some_and(|object| object.table)
            .then_some((parent, node))
    }
}
