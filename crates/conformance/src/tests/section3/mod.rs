//! Section 3: Records.

mod context;
mod outside;
mod retry;
mod secure;

use super::{Test, test};

pub(super) use secure::{secured_answer, unanswered};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[outside::TESTS, secure::TESTS, retry::TESTS, context::TESTS];
