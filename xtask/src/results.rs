//! Which tests ran and how they ended, read from what nextest or `cargo test` leaves behind.
//!
//! Counts come from the test runner only; nothing is counted that did not run. A test that cannot be carried out here
//! prints a line that begins with [`LEFT_OUT`]: it has passed, and proves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::xml::Element;

/// Name of the file in the target folder that `trace` reads.
pub(crate) const FILE: &str = "tests-ran.json";

/// How a line begins by which a test says what it leaves out, and why.
const LEFT_OUT: &str = "left out: ";

/// All tests of one run.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Results {
    pub(crate) passed: Vec<Test>,
    pub(crate) failed: Vec<Test>,
    /// What could not be carried out here, or not as a whole.
    #[serde(default)]
    pub(crate) left_out: Vec<Test>,
}

/// One test: its crate, the target that holds it in nextest's form (`crate`, `crate::file`,
/// `crate::bin/name`), and its path within.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Test {
    pub(crate) package: String,
    pub(crate) binary: String,
    pub(crate) name: String,
}

impl Results {
    /// Reads nextest's JUnit report.
    pub(crate) fn from_junit(text: &str) -> Result<Self, String> {
        let root = Element::parse(text, &[])?;
        let mut results = Self::default();
        for suite in root.all("testsuite") {
            for case in suite.all("testcase") {
                let binary = case
                    .get("classname")
                    .or(suite.get("name"))
                    .unwrap_or_default();
                let test = Test::new(binary, case.get("name").unwrap_or_default());
                if case.child("failure").is_some() || case.child("error").is_some() {
                    results.failed.push(test);
                } else if says_left_out(case) {
                    results.left_out.push(test);
                } else if case.child("skipped").is_none() {
                    results.passed.push(test);
                }
            }
        }
        Ok(results)
    }

    /// Writes the file that `trace` reads.
    pub(crate) fn write(&self, target: &Path) -> Result<(), String> {
        let path = target.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(&path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The results of the last run; `None` when there was none.
    pub(crate) fn read(target: &Path) -> Result<Option<Self>, String> {
        let path = target.join(FILE);
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(None);
        };
        let results = serde_json::from_str(&text);
        results
            .map(Some)
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Test {
    fn new(binary: &str, name: &str) -> Self {
        let package = binary.split("::").next().unwrap_or_default();
        Self {
            package: package.to_owned(),
            binary: binary.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Whether the test of a report says that it leaves something out.
fn says_left_out(case: &Element) -> bool {
    let outputs = ["system-out", "system-err"].map(|name| case.child(name));
    let mut lines = outputs
        .iter()
        .flatten()
        .flat_map(|output| output.text.lines());
    lines.any(|line| line.starts_with(LEFT_OUT))
}

/// Reads what `cargo test -- --show-output` prints, line by line.
///
/// Cargo names the executable before its tests; which target that is, the caller knows from the build.
pub(crate) struct CargoTest {
    binaries: BTreeMap<String, String>,
    current: Option<String>,
    /// The test whose output is being shown.
    shown: Option<Test>,
    pub(crate) results: Results,
}

impl CargoTest {
    /// `binaries` maps the file name of each test executable to its target in nextest's form.
    pub(crate) fn new(binaries: BTreeMap<String, String>) -> Self {
        Self {
            binaries,
            current: None,
            shown: None,
            results: Results::default(),
        }
    }

    /// Takes one line of output.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(executable) = running(line) {
            self.current = self.binaries.get(executable).cloned();
            self.shown = None;
        }
        if let (Some(binary), Some(name)) = (&self.current, output_of(line)) {
            self.shown = Some(Test::new(binary, name));
        }
        if line.starts_with(LEFT_OUT)
            && let Some(place) = self
                .results
                .passed
                .iter()
                .position(|test| self.shown.as_ref() == Some(test))
        {
            let test = self.results.passed.remove(place);
            self.results.left_out.push(test);
        }
        let (Some(binary), Some((name, verdict))) = (&self.current, verdict(line)) else {
            return;
        };
        match verdict {
            "ok" => self.results.passed.push(Test::new(binary, name)),
            "FAILED" => self.results.failed.push(Test::new(binary, name)),
            _ => {}
        }
    }
}

/// Passed and failed of a line `test result: …`.
pub(crate) fn totals(line: &str) -> Option<(usize, usize)> {
    let counts = line.strip_prefix("test result: ")?;
    let count = |word: &str| {
        let before = counts.split(word).next()?.trim_end();
        before.rsplit([' ', ';']).next()?.parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

/// The executable's file name in `Running unittests src/lib.rs (target/debug/deps/name-hash)`.
fn running(line: &str) -> Option<&str> {
    let path = line
        .trim_start()
        .strip_prefix("Running ")?
        .strip_suffix(')')?
        .rsplit_once('(')?
        .1;
    path.rsplit('/').next()
}

/// The test in `---- name stdout ----`.
fn output_of(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// Name and verdict in `test name … ok`.
fn verdict(line: &str) -> Option<(&str, &str)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let name = name.split(" - ").next().unwrap_or(name);
    Some((name, verdict.split(',').next().unwrap_or(verdict).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_junit_report_tells_passed_from_failed() {
        let text = r#"<?xml version="1.0"?><testsuites name="nextest-run" tests="3">
            <testsuite name="usphere-proto::wire" tests="3">
              <testcase name="a::b" classname="usphere-proto::wire"><system-out>x &amp; y</system-out></testcase>
              <testcase name="a::c" classname="usphere-proto::wire"><failure type="test failure"/></testcase>
              <testcase name="a::d" classname="usphere-proto::wire"><skipped/></testcase>
              <testcase name="a::e" classname="usphere-proto::wire"><system-out>ok</system-out>
                <system-err>first
left out: PEER names no program &amp; so on
</system-err></testcase>
            </testsuite></testsuites>"#;
        let results = Results::from_junit(text).unwrap();
        assert_eq!(results.passed, [Test::new("usphere-proto::wire", "a::b")]);
        assert_eq!(results.failed, [Test::new("usphere-proto::wire", "a::c")]);
        assert_eq!(results.left_out, [Test::new("usphere-proto::wire", "a::e")]);
        assert_eq!(results.passed[0].package, "usphere-proto");
    }

    #[test]
    fn the_output_of_cargo_test_tells_the_same() {
        let binaries = [
            ("wire-0a1b", "usphere-proto::wire"),
            ("usphere_proto-2c", "usphere-proto"),
        ];
        let binaries = binaries.map(|(file, binary)| (file.to_owned(), binary.to_owned()));
        let mut output = CargoTest::new(binaries.into());
        for line in [
            "test stray ... ok",
            "     Running unittests src/lib.rs (target/debug/deps/usphere_proto-2c)",
            "test a::b ... ok",
            "test a::p - should panic ... ok",
            "test a::i ... ignored, run with cargo",
            "test a::l ... ok",
            "---- a::b stdout ----",
            "what is left out: nothing",
            "---- a::l stdout ----",
            "left out: PEER names no program",
            "     Running tests/wire.rs (/elsewhere/deps/wire-0a1b)",
            "test c ... FAILED",
        ] {
            output.line(line);
        }
        let passed = ["a::b", "a::p"].map(|name| Test::new("usphere-proto", name));
        assert_eq!(output.results.passed, passed);
        let left_out = [Test::new("usphere-proto", "a::l")];
        assert_eq!(output.results.left_out, left_out);
        assert_eq!(
            output.results.failed,
            [Test::new("usphere-proto::wire", "c")]
        );
    }

    #[test]
    fn totals_are_read_from_the_runner() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(totals(line), Some((12, 3)));
        assert_eq!(totals("test a ... ok"), None);
    }

    #[test]
    fn results_survive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Results::read(folder.path()), Ok(None));
        let results = Results {
            passed: vec![Test::new("a::b", "c")],
            failed: Vec::new(),
            left_out: vec![Test::new("a::b", "d")],
        };
        results.write(folder.path()).unwrap();
        assert_eq!(Results::read(folder.path()), Ok(Some(results)));
    }
}
