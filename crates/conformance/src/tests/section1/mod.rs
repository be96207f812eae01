//! Section 1: Messages and path names.

mod add;

use super::{Test, test};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[add::TESTS];
