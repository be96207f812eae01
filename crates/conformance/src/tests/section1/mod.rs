//! Section 1: Messages and path names.

mod add;
mod delete;
mod get;
mod instances;
mod notify;
mod onboard;
mod operate;
mod schema;
mod set;

use super::{Test, test};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[
    add::TESTS,
    set::TESTS,
    delete::TESTS,
    get::TESTS,
    notify::TESTS,
    onboard::TESTS,
    operate::TESTS,
    instances::TESTS,
    schema::TESTS,
];
