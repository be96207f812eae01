//! What an Agent has stored, in memory and small.
//!
//! Agents of one fleet store nearly the same at their first start. That is held once, as the
//! [`Template`]; each journal holds only what is its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use usphere_datamodel::Entry;

/// What every Agent of a fleet stores at its first start.
pub(crate) type Template = BTreeMap<Box<str>, Box<str>>;

/// The entries of one Agent.
#[derive(Debug)]
pub(crate) struct Journal {
    template: Arc<Template>,
    /// What differs from the template, by key: another value, or none.
    own: BTreeMap<Box<str>, Option<Box<str>>>,
}

impl Journal {
    /// Nothing is stored.
    pub(crate) fn empty() -> Self {
        Self {
            template: Arc::default(),
            own: BTreeMap::new(),
        }
    }

    /// Does as a commit says.
    pub(crate) fn keep(&mut self, entries: Vec<Entry>) {
        for Entry { key, value } in entries {
            let usual = self.template.get(&*key);
            let value = value.map(String::into_boxed_str);
            if usual == value.as_ref() {
                self.own.remove(&*key);
            } else {
                self.own.insert(key.into(), value);
            }
        }
    }

    /// All that is stored.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let usual = self.template.iter();
        let usual = usual.filter(|(key, _)| !self.own.contains_key(*key));
        let usual = usual.map(|(key, value)| Entry::put(&**key, &**value));
        let own = self.own.iter();
        let own = own.filter_map(|(key, value)| Some(Entry::put(&**key, &**value.as_ref()?)));
        usual.chain(own).collect()
    }

    /// From now on holds only what differs from `template`.
    pub(crate) fn fold(&mut self, template: &Arc<Template>) {
        let entries = self.entries();
        self.template = Arc::clone(template);
        self.own = template.keys().map(|key| (key.clone(), None)).collect();
        self.keep(entries);
    }

    /// How many entries are not as in the template.
    #[cfg(test)]
    pub(crate) fn own_len(&self) -> usize {
        self.own.len()
    }

    /// All that is stored, as a template for others.
    pub(crate) fn into_template(self) -> Template {
        let entries = self.entries().into_iter();
        let entries = entries.filter_map(|entry| Some((entry.key.into(), entry.value?.into())));
        entries.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_changes_nothing_that_is_stored() {
        let mut first = Journal::empty();
        first.keep(vec![
            Entry::put("a", "1"),
            Entry::put("b", "2"),
            Entry::put("c", "3"),
        ]);
        let template = Arc::new(first.into_template());
        let mut journal = Journal::empty();
        journal.keep(vec![Entry::put("a", "1"), Entry::put("b", "9")]);
        let before = journal.entries();
        journal.fold(&template);
        let sorted = |mut entries: Vec<Entry>| {
            entries.sort();
            entries
        };
        assert_eq!(sorted(journal.entries()), sorted(before));
        assert_eq!(journal.own.len(), 2, "b differs and c is not there");
        journal.keep(vec![
            Entry::remove("a"),
            Entry::put("b", "2"),
            Entry::put("c", "3"),
        ]);
        assert_eq!(
            sorted(journal.entries()),
            [Entry::put("b", "2"), Entry::put("c", "3")]
        );
        assert_eq!(journal.own.len(), 1);
    }
}
