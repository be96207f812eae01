//! What roles permit, worked out from their table and nothing else.
//!
//! It is written against TR-181's words for `Permission.{i}.` and knows nothing of how the Agent
//! compiles them: of the permissions that cover a path, the one with the largest Order counts.

/// One Permission row.
pub(crate) struct Grant {
    pub(crate) order: u32,
    /// An object with everything below it, or one parameter, command or event.
    pub(crate) target: &'static str,
    /// `Param Obj InstantiatedObj CommandEvent`, four characters each.
    pub(crate) rights: &'static str,
}

/// A Controller and its one Role.
pub(crate) struct Guest {
    pub(crate) controller: &'static str,
    pub(crate) role: &'static str,
    pub(crate) grants: &'static [Grant],
}

/// Which of the four strings of a Permission.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Parameter = 0,
    Object = 1,
    Instance = 2,
    CommandOrEvent = 3,
}

impl Guest {
    /// Whether the Role has `letter` (of `rwxn`) for what is at `path`, with or without instance numbers.
    pub(crate) fn may(&self, letter: char, kind: Kind, path: &str) -> bool {
        let covering = self.grants.iter().filter(|grant| grant.covers(path));
        let counts = covering.max_by_key(|grant| grant.order);
        counts.is_some_and(|grant| {
            let strings: Vec<&str> = grant.rights.split(' ').collect();
            strings[kind as usize].contains(letter)
        })
    }
}

impl Grant {
    fn covers(&self, path: &str) -> bool {
        match self.target.ends_with('.') {
            true => path.starts_with(self.target),
            false => path == self.target,
        }
    }
}
