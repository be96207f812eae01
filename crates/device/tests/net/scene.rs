//! The owner and a model that is fed by it, over one namespace.

use core::time::Duration;
use std::collections::BTreeMap;

use usphere_datamodel::declare::object;
use usphere_datamodel::model::{Gather, Setting, Sight};
use usphere_datamodel::{
    Access, Fault, Model, ModelInput, ModelOutput, Moment, Schema, SchemaView, Transaction,
};
use usphere_device::HostPaths;
use usphere_device::net::{Net, NetConfig, objects};
use usphere_runtime::Owner;

use crate::namespace::Namespace;

/// What a plan of the tests answers.
pub(crate) type Answer = Result<Vec<String>, Fault>;

/// One Agent's view of a namespace.
pub(crate) struct Scene {
    pub(crate) net: Net,
    model: Model<Answer>,
    now: Moment,
    pub(crate) troubles: Vec<String>,
}

impl Scene {
    /// Read and written.
    pub(crate) fn new(namespace: &Namespace) -> Self {
        Self::configured(NetConfig {
            write: true,
            namespace: Some(namespace.path()),
            ..NetConfig::default()
        })
    }

    pub(crate) fn configured(config: NetConfig) -> Self {
        let root = object("Device.");
        let root: &'static _ = Box::leak(Box::new(root));
        let mut all = vec![root];
        all.extend(objects());
        let view = SchemaView::new(Schema::build(&all).unwrap());
        let (model, problems) = Model::new(view, Vec::new());
        assert_eq!(problems, []);
        Self {
            net: Net::new(config, &HostPaths::default()),
            model,
            now: Moment::ORIGIN,
            troubles: Vec::new(),
        }
    }

    /// Every value below `path` by its own path, as fresh as it can be.
    pub(crate) fn tree(&mut self, path: &'static str) -> Tree {
        let lines = self.run(move |transaction| {
            let mut found = Lines::default();
            for target in transaction.resolve_text(path, Sight::Everything)?.targets {
                transaction.visit(target.object, 0, &Access::unrestricted(), &mut found)?;
            }
            Ok(found.lines)
        });
        assert_eq!(self.troubles, [""; 0]);
        let lines = lines.unwrap();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        Tree {
            values: pairs
                .map(|(path, value)| (path.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// Adds one row with these values, as one request does; gives its path.
    pub(crate) fn add(&mut self, table: &str, values: &[(&str, &str)]) -> Result<String, Fault> {
        let table = table.to_owned();
        let values: Vec<(String, String)> = owned(values);
        let added = self.run(move |transaction| {
            let start = transaction.savepoint();
            let added = add(transaction, &table, &values);
            if added.is_err() {
                transaction.rollback(start);
            }
            added
        });
        added.map(|mut paths| paths.remove(0))
    }

    /// Sets parameters of one object, all or none.
    pub(crate) fn set(&mut self, object: &str, values: &[(&str, &str)]) -> Result<(), Fault> {
        let object = object.to_owned();
        let values: Vec<(String, String)> = owned(values);
        let set = self.run(move |transaction| {
            let start = transaction.savepoint();
            let set = set(transaction, &object, &values);
            if set.is_err() {
                transaction.rollback(start);
            }
            set
        });
        set.map(|_| ())
    }

    /// Sets parameters of two objects, all or none.
    pub(crate) fn set_both(
        &mut self,
        one: (&str, &[(&str, &str)]),
        two: (&str, &[(&str, &str)]),
    ) -> Result<(), Fault> {
        let both = [
            (one.0.to_owned(), owned(one.1)),
            (two.0.to_owned(), owned(two.1)),
        ];
        let done = self.run(move |transaction| {
            let start = transaction.savepoint();
            for (object, values) in &both {
                if let Err(fault) = set(transaction, object, values) {
                    transaction.rollback(start);
                    return Err(fault);
                }
            }
            Ok(Vec::new())
        });
        done.map(|_| ())
    }

    pub(crate) fn delete(&mut self, path: &str) -> Result<(), Fault> {
        let path = path.to_owned();
        let deleted = self.run(move |transaction| {
            let start = transaction.savepoint();
            for target in transaction.resolve_text(&path, Sight::Everything)?.targets {
                if let Err(fault) = transaction.delete(target.object) {
                    transaction.rollback(start);
                    return Err(fault);
                }
            }
            Ok(Vec::new())
        });
        deleted.map(|_| ())
    }

    fn run(&mut self, work: impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static) -> Answer {
        self.now = self.now + Duration::from_secs(3600);
        self.model.submit(Box::new(work), self.now);
        let mut answered = None;
        while let Some(output) = self.model.poll() {
            let input = match output {
                ModelOutput::Apply {
                    ticket,
                    phase,
                    changes,
                    ..
                } => {
                    let results = self.net.apply(phase, &changes);
                    ModelInput::Applied { ticket, results }
                }
                ModelOutput::Commit { sequence, .. } => ModelInput::Committed { sequence },
                ModelOutput::Done { answer, .. } => {
                    answered = Some(answer);
                    continue;
                }
                ModelOutput::Fetch { ticket, unit, .. } => ModelInput::Fetched {
                    ticket,
                    result: self.net.fetch(&unit),
                },
                ModelOutput::Changed { .. } | ModelOutput::Unfetched { .. } => continue,
                ModelOutput::Trouble { owner, text } => {
                    self.troubles.push(format!("{owner}: {text}"));
                    continue;
                }
                other => panic!("{other:?}"),
            };
            self.model.handle(input, self.now);
        }
        answered.expect("the plan is answered")
    }
}

/// Values by path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) values: BTreeMap<String, String>,
}

impl Tree {
    /// The value at `path`; it has to be there.
    pub(crate) fn value(&self, path: &str) -> &str {
        match self.values.get(path) {
            Some(value) => value,
            None => panic!("there is no {path} in {:#?}", self.values),
        }
    }

    /// The values of the object at `object`, a path without a dot at its end.
    pub(crate) fn of(&self, object: &str) -> impl Fn(&str) -> String + use<> {
        let start = format!("{object}.");
        let values: BTreeMap<String, String> = self
            .values
            .iter()
            .filter_map(|(path, value)| {
                Some((path.strip_prefix(&start)?.to_owned(), value.clone()))
            })
            .collect();
        move |name| values.get(name).cloned().unwrap_or_default()
    }

    /// The rows of the table at `table`, paths without a dot at their end.
    pub(crate) fn rows(&self, table: &str) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        for path in self.values.keys() {
            let number = path.strip_prefix(table).and_then(|rest| {
                let (number, _) = rest.split_once('.')?;
                number.parse::<u32>().ok()
            });
            let row = number.map(|number| format!("{table}{number}"));
            if let Some(row) = row.filter(|row| !rows.contains(row)) {
                rows.push(row);
            }
        }
        rows
    }

    /// The row of `table` whose parameter `name` is `value`.
    pub(crate) fn find(&self, table: &str, name: &str, value: &str) -> Option<String> {
        let mut rows = self.rows(table).into_iter();
        rows.find(|row| self.of(row)(name) == value)
    }
}

fn add(transaction: &mut Transaction<'_>, table: &str, values: &[(String, String)]) -> Answer {
    let resolved = transaction.resolve_text(table, Sight::Everything)?;
    let target = resolved.targets[0];
    let row = transaction.add(target.object, target.node)?;
    for (name, value) in values {
        let parameter = transaction.parameter(row, name).expect(name);
        transaction.set(row, parameter, value, Setting::Initial)?;
    }
    transaction.finish_row(row)?;
    let path = transaction.path(row);
    Ok(vec![path.trim_end_matches('.').to_owned()])
}

fn set(transaction: &mut Transaction<'_>, object: &str, values: &[(String, String)]) -> Answer {
    for (name, value) in values {
        let path = format!("{object}.{name}");
        for target in transaction.resolve_text(&path, Sight::Everything)?.targets {
            transaction.set(target.object, target.node, value, Setting::Update)?;
        }
    }
    Ok(Vec::new())
}

fn owned(values: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = values.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[derive(Default)]
struct Lines {
    object: String,
    lines: Vec<String>,
}

impl Gather for Lines {
    fn object(&mut self, path: &str) {
        path.clone_into(&mut self.object);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.lines.push(format!("{}{name}={value}", self.object));
    }
}
