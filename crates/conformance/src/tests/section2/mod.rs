//! Section 2: Authentication and access control.

mod guest;
mod identity;
mod permissions;
mod signatures;

use super::{Test, test};

/// The tests of this section.
pub(super) const TESTS: &[&[Test]] = &[identity::TESTS, permissions::TESTS, signatures::TESTS];
