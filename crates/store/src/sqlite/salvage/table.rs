//! Copying what can be read of one table.
//!
//! A damaged page hides the rows in it, and everything that lies behind it in the order of reading. So a table is read
//! from both ends, and where both get stuck, the keys between are halved and read from both ends again, the largest part
//! first, until all that can be reached is there.

use std::collections::VecDeque;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::SalvagedTable;
use crate::limits::{SALVAGE_BARREN_MAX, SALVAGE_LOOKS_MAX};

/// Copies the rows of a table that both have.
pub(super) fn copy(
    old: &Connection,
    new: &Connection,
    name: String,
) -> rusqlite::Result<SalvagedTable> {
    let columns = columns(new, &name)?;
    let has_numbers = has_numbers(new, &name)?;
    let mut salvage = Salvage {
        old,
        new,
        columns,
        table: SalvagedTable {
            name,
            kept: 0,
            refused: 0,
            is_whole: true,
        },
        reads_again: false,
    };
    match has_numbers {
        true => salvage.by_number(),
        false => salvage.by_key(),
    }
    Ok(salvage.table)
}

struct Salvage<'a> {
    old: &'a Connection,
    new: &'a Connection,
    columns: Vec<Column>,
    table: SalvagedTable,
    /// Whether rows may come that were kept already.
    reads_again: bool,
}

struct Column {
    name: String,
    is_key: bool,
}

/// Rows after a number and before another.
#[derive(Clone, Copy)]
struct Range {
    after: i64,
    before: i64,
    /// How often it was halved since something was read of it.
    barren: u32,
}

/// The way in which rows are read.
#[derive(Clone, Copy)]
enum Order {
    Up,
    Down,
}

impl Salvage<'_> {
    fn by_number(&mut self) {
        let all = Range {
            after: -1,
            before: i64::MAX,
            barren: 0,
        };
        let mut ranges = VecDeque::from([all]);
        for _ in 0..SALVAGE_LOOKS_MAX {
            let Some(range) = ranges.pop_front() else {
                return;
            };
            let Err(after) = self.read_range(range, Order::Up) else {
                continue;
            };
            self.table.is_whole = false;
            let is_barren = after == range.after;
            let range = Range { after, ..range };
            let Err(before) = self.read_range(range, Order::Down) else {
                continue;
            };
            let barren = match is_barren && before == range.before {
                true => range.barren + 1,
                false => 0,
            };
            let width = before.saturating_sub(range.after);
            if width > 2 && barren <= SALVAGE_BARREN_MAX {
                let middle = range.after + width / 2;
                ranges.push_back(Range {
                    after: range.after,
                    before: middle + 1,
                    barren,
                });
                ranges.push_back(Range {
                    after: middle,
                    before,
                    barren,
                });
            }
        }
    }

    /// Where it gets stuck: the number of the last row that was read, or the end at which it began.
    fn read_range(&mut self, range: Range, order: Order) -> Result<(), i64> {
        let (mut at, order) = match order {
            Order::Up => (range.after, "ASC"),
            Order::Down => (range.before, "DESC"),
        };
        let columns = self.names().join(", ");
        let text = format!(
            "SELECT rowid, {columns} FROM {} NOT INDEXED
             WHERE rowid > ?1 AND rowid < ?2 ORDER BY rowid {order}",
            self.table.name
        );
        let mut statement = self.old.prepare_cached(&text).map_err(|_| at)?;
        let mut rows = statement
            .query([range.after, range.before])
            .map_err(|_| at)?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(()),
                Err(_) => return Err(at),
            };
            at = row.get(0).map_err(|_| at)?;
            let values = (1..=self.columns.len()).map(|column| row.get::<_, Value>(column));
            match values.collect::<Result<Vec<_>, _>>() {
                Ok(values) => self.keep(values),
                Err(_) => self.table.refused += 1,
            }
        }
    }

    /// Tables without numbers are small: they are read from both ends, and that is it.
    fn by_key(&mut self) {
        let columns = self.names().join(", ");
        let keys = self.columns.iter().filter(|column| column.is_key);
        let keys: Vec<_> = keys.map(|column| column.name.clone()).collect();
        for order in ["ASC", "DESC"] {
            let sorted: Vec<_> = keys.iter().map(|key| format!("{key} {order}")).collect();
            let text = format!(
                "SELECT {columns} FROM {} ORDER BY {}",
                self.table.name,
                sorted.join(", ")
            );
            if self.read_all(&text).is_ok() {
                return;
            }
            (self.table.is_whole, self.reads_again) = (false, true);
        }
    }

    fn read_all(&mut self, text: &str) -> rusqlite::Result<()> {
        let mut statement = self.old.prepare(text)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..self.columns.len()).map(|column| row.get::<_, Value>(column));
            match values.collect::<Result<Vec<_>, _>>() {
                Ok(values) => self.keep(values),
                Err(_) => self.table.refused += 1,
            }
        }
        Ok(())
    }

    /// A row that breaks the rules of its table is left where it is.
    fn keep(&mut self, values: Vec<Value>) {
        let columns = self.names().join(", ");
        let places = vec!["?"; values.len()].join(", ");
        let text = format!(
            "INSERT OR IGNORE INTO {} ({columns}) VALUES ({places})",
            self.table.name
        );
        let kept = self
            .new
            .prepare_cached(&text)
            .and_then(|mut statement| statement.execute(params_from_iter(values)));
        match kept {
            Ok(1) => self.table.kept += 1,
            // It was read from the other end already.
            Ok(_) if self.reads_again => {}
            Ok(_) | Err(_) => self.table.refused += 1,
        }
    }

    fn names(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|column| column.name.as_str())
            .collect()
    }
}

fn columns(new: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement = new.prepare("SELECT name, pk FROM pragma_table_info(?1)")?;
    let columns = statement.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            is_key: row.get::<_, i64>(1)? > 0,
        })
    })?;
    columns.collect()
}

/// Whether the rows of a table have numbers of their own.
fn has_numbers(new: &Connection, table: &str) -> rusqlite::Result<bool> {
    let without: i64 = new.query_row(
        "SELECT wr FROM pragma_table_list WHERE name = ?1",
        [table],
        |row| row.get(0),
    )?;
    Ok(without == 0)
}
