//! The registry against the catalogue.

use std::collections::BTreeSet;

use super::*;
use crate::catalogue::{CATALOGUE, Level};

#[test]
fn every_registered_test_is_one_of_the_plan_and_registered_once() {
    let mut seen = BTreeSet::new();
    for test in all() {
        let entry = test
            .id
            .entry()
            .unwrap_or_else(|| panic!("{} is not in the plan", test.id));
        let live = matches!(entry.level, Level::Conditional | Level::Mandatory);
        assert!(live, "{} is {:?}", test.id, entry.level);
        assert!(seen.insert(test.id), "{} is registered twice", test.id);
    }
}

#[test]
fn every_live_test_of_the_plan_is_registered() {
    for entry in CATALOGUE.iter() {
        let live = matches!(entry.level, Level::Conditional | Level::Mandatory);
        assert_eq!(procedure(entry.id).is_some(), live, "{}", entry.id);
    }
}
