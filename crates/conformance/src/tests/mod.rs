//! The tests themselves, and how one is written.
//!
//! Each test of the plan is one function, `fn(&mut Bench) -> Done`, in the file of its section and Message. It is
//! registered by a line of the `TESTS` of that file; title, level and condition come from the catalogue
//! (`docs/tp469.tsv`). A test
//!
//! - begins with what it needs of the Agent: [`Bench::needs`] and its relatives end it as *not applicable*;
//! - says each step in a few words of our own ([`Bench::step`]), never in those of the plan;
//! - asks by typed requests ([`Bench::add`], [`Bench::get`], …), whose [`Answer`](crate::bench::Answer) is told to
//!   be a response or an Error, which also checks that the error code is an appropriate one;
//! - looks at what came by the helpers of [`crate::bench`] (`only`, `equal`, `created`, `found`, …), which say
//!   what was expected and what came: no `if` without a reason in words;
//! - sets up by [`Bench::added`] and [`Bench::changed`], which undo themselves when the test ends, and
//!   registers whatever else is to be undone with [`Bench::undo`] *before* it does it;
//! - waits by [`Bench::pass`], [`Bench::await_notify`] and [`Bench::expect_silence`], never by sleeping, so that
//!   it takes no time in virtual time;
//! - ends with [`Stop::NotRunnable`](crate::Stop) where the bench lacks what it takes, such as a real WebSocket;
//! - relies on no other test, and on no order.
//!
//! What the plan lets a tester choose (a parameter, a command, a table) comes from the
//! [`Profile`](crate::Profile). What holds for all that an Agent says is checked of every Message by itself
//! (`universal`). Every live test is written; one that
//! nothing here can carry yet says so when it is run.

mod common;
mod section1;
mod section10;
mod section11;
mod section2;
mod section3;
mod section4;
mod section6;
mod section7;
mod section8;
mod section9;

use crate::bench::Bench;
use crate::catalogue::TestId;
use crate::stop::Done;

/// What a test does.
pub type Procedure = fn(&mut Bench) -> Done;

/// A test that can be run.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// What the plan calls it.
    pub id: TestId,
    /// What it does.
    pub run: Procedure,
}

/// How the test is run; nothing where the plan asks it of nobody any more, or not yet.
pub fn procedure(id: TestId) -> Option<Procedure> {
    let registered = all().find(|test| test.id == id);
    registered.map(|test| test.run)
}

/// Every test that can be run.
pub fn all() -> impl Iterator<Item = &'static Test> {
    let sections = [
        section1::TESTS,
        section2::TESTS,
        section3::TESTS,
        section4::TESTS,
        section6::TESTS,
        section7::TESTS,
        section8::TESTS,
        section9::TESTS,
        section10::TESTS,
        section11::TESTS,
    ];
    let files = sections.into_iter().flatten().copied();
    files.flatten()
}

const fn test(section: u16, number: u16, run: Procedure) -> Test {
    Test {
        id: TestId::new(section, number),
        run,
    }
}

#[cfg(test)]
mod registry;
