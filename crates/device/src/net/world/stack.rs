//! Which interface stands on which.

use super::super::row::{Row, Table};
use super::Builder;

impl Builder<'_> {
    /// One row for each pair of interfaces of which one is directly above the other.
    pub(super) fn stack(&mut self) {
        let mut pairs = Vec::new();
        for (row, entry) in &self.world.rows {
            if row.table.is_interface() {
                let lower = entry.text("LowerLayers").split(',');
                let lower = lower.filter_map(Row::parse);
                pairs.extend(lower.map(|lower| (*row, lower)));
            }
        }
        for (higher, lower) in pairs {
            let alias = |row: Row| {
                let entry = self.world.rows.get(&row);
                entry.map_or_else(String::new, |entry| entry.text("Alias").to_owned())
            };
            let (higher_alias, lower_alias) = (alias(higher), alias(lower));
            let key = format!("{higher} {lower}");
            let row = Row::new(Table::Stack, self.state.number(Table::Stack, 0, &key));
            let values = vec![
                ("HigherLayer", higher.to_string()),
                ("LowerLayer", lower.to_string()),
                ("HigherAlias", higher_alias),
                ("LowerAlias", lower_alias),
            ];
            self.enter(row, None, values);
        }
    }
}
