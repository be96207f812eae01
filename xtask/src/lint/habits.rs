//! Habits of the code: file sizes, module docs, no shortcuts outside tests, lints in every crate.
//!
//! Looks at text with comments and literals blanked; it understands no types.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::lint::{Report, floors};
use crate::project::{Project, rust_files};
use crate::source::{Source, is_word};

/// A file longer than this is asked to be split, and longer than that must be.
const LINES_ASKED: usize = 600;
const LINES_MAX: usize = 700;

/// What may not stand outside tests, and what to do instead.
const SHORTCUTS: [(&str, &str); 4] = [
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or leave it out"),
    (
        ".unwrap()",
        "return the error, or say with expect() why it cannot be",
    ),
    ("dbg!", "remove it"),
];

/// The shortest message that can say why something is impossible.
const EXPECT_LENGTH_MIN: usize = 10;

/// Checks every crate of the workspace, this one too. The fuzz targets lie in the folder of `fuzz`.
pub(crate) fn check(project: &Project, report: &mut Report) -> Result<(), String> {
    for package in &project.packages {
        let manifest = fs::read_to_string(&package.manifest_path)
            .map_err(|error| format!("{}: {error}", package.manifest_path.display()))?;
        if !takes_workspace_lints(&manifest) {
            let place = project.relative(&package.manifest_path).display();
            report.error(place, "lacks `[lints] workspace = true`");
        }
        check_files(
            project,
            package.folder(),
            floors::is_pure(&package.name),
            report,
        )?;
    }
    Ok(())
}

fn check_files(
    project: &Project,
    folder: &Path,
    is_pure: bool,
    report: &mut Report,
) -> Result<(), String> {
    let mut files = Vec::new();
    for path in rust_files(folder) {
        let raw =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        files.push((path, Source::scan(raw)));
    }
    let test_modules = test_modules(&files);
    for (path, source) in &files {
        let is_test = is_test_file(path.strip_prefix(folder).unwrap_or(path))
            || test_modules
                .iter()
                .any(|module| path.starts_with(module) || path == &module.with_extension("rs"));
        let place = project.relative(path).display().to_string();
        File {
            place: &place,
            source,
            is_test,
        }
        .check(is_pure, report);
    }
    Ok(())
}

/// The paths, without extension, of modules that a file declares `#[cfg(test)]`.
fn test_modules(files: &[(PathBuf, Source)]) -> BTreeSet<PathBuf> {
    let mut modules = BTreeSet::new();
    for (path, source) in files {
        let stem = path.file_stem().unwrap_or_default();
        let folder = if ["mod", "lib", "main"].iter().any(|name| stem == *name) {
            path.with_file_name("")
        } else {
            path.with_extension("")
        };
        modules.extend(source.test_modules.iter().map(|name| folder.join(name)));
    }
    modules
}

/// True for a file of a folder that holds nothing but tests, seen from the crate's folder.
fn is_test_file(path: &Path) -> bool {
    let first = path
        .components()
        .next()
        .map(|component| component.as_os_str());
    first.is_some_and(|folder| {
        ["tests", "benches", "fuzz_targets"]
            .iter()
            .any(|name| folder == *name)
    })
}

fn takes_workspace_lints(manifest: &str) -> bool {
    let Ok(manifest) = toml::from_str::<toml::Table>(manifest) else {
        return false;
    };
    let workspace = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"));
    workspace.and_then(toml::Value::as_bool) == Some(true)
}

/// One file under judgement.
struct File<'a> {
    place: &'a str,
    source: &'a Source,
    is_test: bool,
}

impl File<'_> {
    fn check(&self, is_pure: bool, report: &mut Report) {
        self.check_ignored_tests(report);
        self.each_word("unsafe", |offset| {
            report.error(self.at(offset), "unsafe code is forbidden")
        });
        if self.is_test {
            return;
        }
        self.check_size_and_doc(report);
        for (shortcut, remedy) in SHORTCUTS {
            for (offset, _) in self.outside_tests(shortcut) {
                report.error(
                    self.at(offset),
                    format_args!("{shortcut} outside tests; {remedy}"),
                );
            }
        }
        self.check_expectations(report);
        if is_pure {
            for (offset, what) in floors::impurities(&self.source.code) {
                if !self.source.is_test(offset) {
                    report.error(
                        self.at(offset),
                        format_args!("{what}: this crate knows no socket, thread, file or clock"),
                    );
                }
            }
        }
    }

    fn check_size_and_doc(&self, report: &mut Report) {
        let lines = self.source.lines();
        if lines > LINES_MAX {
            report.error(
                self.place,
                format_args!("{lines} lines, at most {LINES_MAX}; it is two rooms"),
            );
        } else if lines > LINES_ASKED {
            report.warn(
                self.place,
                format_args!("{lines} lines; beyond {LINES_ASKED} it is usually two rooms"),
            );
        }
        if !self.source.raw.starts_with("//!") {
            report.error(
                self.place,
                "begins without `//!`: say what it is for and what it must never do",
            );
        }
    }

    /// `expect()` says why its failure is impossible.
    fn check_expectations(&self, report: &mut Report) {
        for (offset, call) in self.outside_tests(".expect(") {
            let argument = self.source.raw[offset + call.len()..].trim_start();
            let Some(text) = argument
                .strip_prefix('"')
                .and_then(|text| text.split('"').next())
            else {
                continue;
            };
            if text.len() < EXPECT_LENGTH_MIN || !text.contains(' ') {
                report.error(
                    self.at(offset),
                    format_args!("expect(\"{text}\") does not say why it cannot fail"),
                );
            }
        }
    }

    /// A test that is left out says how to run it.
    fn check_ignored_tests(&self, report: &mut Report) {
        for (offset, _) in self.source.code.match_indices("#[ignore") {
            let end = self.source.code[offset..]
                .find(']')
                .map_or(self.source.raw.len(), |length| offset + length);
            if !self.source.raw[offset..end].contains("cargo ") {
                report.error(
                    self.at(offset),
                    "an ignored test names the command that runs it: #[ignore = \"cargo …\"]",
                );
            }
        }
    }

    fn outside_tests<'b>(&'b self, needle: &'b str) -> impl Iterator<Item = (usize, &'b str)> {
        let code = &self.source.code;
        let begins_word = move |offset: &usize| {
            !needle.starts_with(char::is_alphabetic)
                || *offset == 0
                || !is_word(code.as_bytes()[offset - 1])
        };
        code.match_indices(needle)
            .filter(move |(offset, _)| begins_word(offset) && !self.source.is_test(*offset))
    }

    fn each_word(&self, word: &str, mut found: impl FnMut(usize)) {
        let code = self.source.code.as_bytes();
        for (offset, _) in self.source.code.match_indices(word) {
            let before = offset.checked_sub(1).map(|at| code[at]);
            let after = code.get(offset + word.len()).copied();
            if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
                found(offset);
            }
        }
    }

    fn at(&self, offset: usize) -> String {
        format!("{}:{}", self.place, self.source.line(offset) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(raw: &str) -> Vec<String> {
        judge(raw, false, false).errors
    }

    fn judge(raw: &str, is_test: bool, is_pure: bool) -> Report {
        let source = Source::scan(raw.to_owned());
        let mut report = Report::default();
        File {
            place: "a.rs",
            source: &source,
            is_test,
        }
        .check(is_pure, &mut report);
        report
    }

    #[test]
    fn shortcuts_are_found_where_they_are_code_and_not_test() {
        let raw = "//! a\nfn a() { b().unwrap(); todo!(); }\n// c.unwrap()\nconst S: &str = \"dbg!\";\n#[cfg(test)]\nmod tests { fn d() { e().unwrap(); } }\n";
        let found = errors(raw);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.iter().all(|line| line.starts_with("a.rs:2: ")),
            "{found:?}"
        );
        assert!(judge(raw, true, false).errors.is_empty());
        assert!(errors("//! a\nmy_todo!();").is_empty());
    }

    #[test]
    fn an_expectation_says_why() {
        assert_eq!(errors("//! a\nfn a() { b().expect(\"works\"); }").len(), 1);
        assert!(
            errors(
                "//! a\nfn a() { b().expect(\"checked by the caller\"); c.expect(Token::End); }"
            )
            .is_empty()
        );
    }

    #[test]
    fn ignored_tests_name_their_command() {
        assert_eq!(errors("//! a\n#[ignore]\nfn a() {}").len(), 1);
        assert_eq!(errors("//! a\n#[ignore = \"slow\"]\nfn a() {}").len(), 1);
        assert!(errors("//! a\n#[ignore = \"cargo test -- --ignored a\"]\nfn a() {}").is_empty());
    }

    #[test]
    fn sizes_are_warned_about_and_then_refused() {
        let lines =
            |count: usize| judge(&format!("//! a\n{}", "x\n".repeat(count - 1)), false, false);
        assert!(lines(600).warnings.is_empty());
        assert_eq!((lines(601).warnings.len(), lines(601).errors.len()), (1, 0));
        assert_eq!(lines(701).errors.len(), 1);
    }

    #[test]
    fn modules_begin_with_what_they_are_for() {
        assert_eq!(errors("use a::b;").len(), 1);
        assert!(judge("use a::b;", true, false).errors.is_empty());
    }

    #[test]
    fn unsafe_is_refused_everywhere() {
        assert_eq!(
            judge("//! a\nfn a() { unsafe { b() } }", true, false)
                .errors
                .len(),
            1
        );
        assert!(errors("//! a\n#![forbid(unsafe_code)]\n").is_empty());
    }

    #[test]
    fn clocks_are_refused_in_pure_crates_only() {
        let raw = "//! a\nfn a() { Instant::now(); }";
        assert_eq!(judge(raw, false, true).errors.len(), 1);
        assert!(judge(raw, false, false).errors.is_empty());
    }

    #[test]
    fn manifests_take_the_workspace_lints() {
        assert!(takes_workspace_lints(
            "[package]\nname = \"a\"\n[lints]\nworkspace = true\n"
        ));
        assert!(!takes_workspace_lints("[package]\nname = \"a\"\n"));
    }

    #[test]
    fn test_modules_in_files_are_tests() {
        let file = |path: &str, raw: &str| (PathBuf::from(path), Source::scan(raw.to_owned()));
        let modules = test_modules(&[
            file("src/lib.rs", "#[cfg(test)]\nmod scene;"),
            file("src/get.rs", "#[cfg(test)]\nmod tests;"),
        ]);
        let expected = [PathBuf::from("src/get/tests"), PathBuf::from("src/scene")];
        assert!(modules.iter().eq(expected.iter()), "{modules:?}");
        assert!(is_test_file(Path::new("tests/wire.rs")));
        assert!(!is_test_file(Path::new("src/tests_of.rs")));
    }
}
