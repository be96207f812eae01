//! The `/// Proves: …` lines in the sources, each with the test it stands on.
//!
//! A test is named as the test runner names it: from the path of its file and the modules around it.

use std::fmt;
use std::fs;
use std::path::{Component, Path};

use crate::project::{Package, Project, rust_files};
use crate::results::{Results, Test};
use crate::source::{Source, item_end};

const MARK: &str = "/// Proves: ";

/// What a test claims to prove.
#[derive(Debug, PartialEq)]
pub(crate) struct Proof {
    pub(crate) package: String,
    /// The target that holds the test, in nextest's form.
    pub(crate) binary: String,
    /// The test's path within its target.
    pub(crate) name: String,
    pub(crate) ids: Vec<String>,
    /// File and line, for people.
    pub(crate) place: String,
}

/// Which tests count.
pub(crate) enum Tests {
    All,
    These(Results),
}

impl Tests {
    /// True when the test of a proof ran and passed.
    ///
    /// A module may be reached by another path than its file's: a test whose function's name passed once
    /// and only once in the target is taken for it.
    pub(crate) fn passed(&self, proof: &Proof) -> bool {
        let Self::These(results) = self else {
            return true;
        };
        let function = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
        let ours = function(&proof.name);
        let is_namesake =
            |test: &&Test| test.binary == proof.binary && function(&test.name) == ours;
        let failed = results.failed.iter().filter(is_namesake);
        let passed: Vec<&Test> = results.passed.iter().filter(is_namesake).collect();
        passed.iter().any(|test| test.name == proof.name)
            || (passed.len() == 1 && failed.count() == 0)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.name)
    }
}

/// All proofs of the workspace, and the lines that are no proof though they say so.
pub(crate) fn scan(project: &Project) -> Result<(Vec<Proof>, Vec<String>), String> {
    let (mut proofs, mut errors) = (Vec::new(), Vec::new());
    for package in &project.packages {
        for path in rust_files(package.folder()) {
            let raw = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let inner = path.strip_prefix(package.folder()).unwrap_or(&path);
            let (binary, modules) = position(package, inner);
            let place = project.relative(&path).display().to_string();
            for found in proofs_in(&Source::scan(raw)) {
                let place = format!("{place}:{}", found.line + 1);
                let Some(function) = found.function else {
                    errors.push(format!(
                        "{place}: `Proves:` does not stand on a test function"
                    ));
                    continue;
                };
                let name = modules
                    .iter()
                    .chain(&function)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("::");
                let (package, binary) = (package.name.clone(), binary.clone());
                proofs.push(Proof {
                    package,
                    binary,
                    name,
                    ids: found.ids,
                    place,
                });
            }
        }
    }
    Ok((proofs, errors))
}

/// The target a file belongs to and the modules its path stands for.
fn position(package: &Package, path: &Path) -> (String, Vec<String>) {
    let parts: Vec<String> = path
        .with_extension("")
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let (kind, rest) = parts
        .split_first()
        .map_or(("", &[][..]), |(kind, rest)| (kind.as_str(), rest));
    match (kind, rest) {
        ("tests", [target, modules @ ..]) => {
            (format!("{}::{target}", package.name), without_mod(modules))
        }
        ("src", [bin, target, modules @ ..]) if bin == "bin" => (
            format!("{}::bin/{target}", package.name),
            without_mod(modules),
        ),
        (_, [root]) if root == "main" => (main_target(package), Vec::new()),
        (_, [root]) if root == "lib" => (package.name.clone(), Vec::new()),
        (_, modules) if has_library(package) => (package.name.clone(), without_mod(modules)),
        (_, modules) => (main_target(package), without_mod(modules)),
    }
}

fn without_mod(modules: &[String]) -> Vec<String> {
    modules
        .iter()
        .filter(|name| !["mod", "main"].contains(&name.as_str()))
        .cloned()
        .collect()
}

fn has_library(package: &Package) -> bool {
    package
        .targets
        .iter()
        .any(|target| target.kind.iter().any(|kind| kind.ends_with("lib")))
}

/// The binary whose root is `src/main.rs`.
fn main_target(package: &Package) -> String {
    let main = package
        .targets
        .iter()
        .find(|target| target.src_path.ends_with("src/main.rs"));
    format!(
        "{}::bin/{}",
        package.name,
        main.map_or(package.name.as_str(), |target| &target.name)
    )
}

/// One `Proves:` line: its number from 0, and the modules and name of the test below it.
struct Line {
    line: usize,
    ids: Vec<String>,
    function: Option<Vec<String>>,
}

fn proofs_in(source: &Source) -> Vec<Line> {
    let modules = inline_modules(&source.code);
    let marked = source
        .comments
        .iter()
        .filter_map(|comment| Some((comment.line, comment.text.strip_prefix(MARK)?)));
    let proof = |(line, ids): (usize, &str)| {
        let ids = ids
            .split(',')
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .collect();
        let function = test_below(source, line).map(|(name, line)| {
            let around = modules
                .iter()
                .filter(|module| (module.from..module.to).contains(&line_offset(source, line)));
            around
                .map(|module| module.name.clone())
                .chain([name])
                .collect()
        });
        Line {
            line,
            ids,
            function,
        }
    };
    marked.map(proof).collect()
}

/// The test function whose doc comment holds `line`: its name, and the line it stands in.
fn test_below(source: &Source, line: usize) -> Option<(String, usize)> {
    // Attributes may stand before the comment as well.
    let above = (0..line).rev().map(|line| source.code_line(line).trim());
    let is_head = |code: &&str| code.is_empty() || code.starts_with("#[");
    let mut is_test = above.take_while(is_head).any(is_test_attribute);
    let mut brackets = 0_isize;
    for below in line + 1..source.lines() {
        let code = source.code_line(below).trim();
        is_test |= is_test_attribute(code);
        if brackets == 0 && !code.is_empty() && !code.starts_with("#[") {
            let name = function_name(code)?;
            return is_test.then_some((name, below));
        }
        brackets +=
            code.matches(['[', '(']).count() as isize - code.matches([']', ')']).count() as isize;
    }
    None
}

/// True for `#[test]`, `#[tokio::test]` and `#[tokio::test(…)]`.
fn is_test_attribute(code: &str) -> bool {
    let Some(attribute) = code.strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split(['(', ']']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

/// The name in `fn name(…`, whatever stands before.
fn function_name(code: &str) -> Option<String> {
    let (before, after) = code.split_once("fn ")?;
    let is_plain = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || word == "async");
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (is_plain && !name.is_empty()).then_some(name)
}

/// A module written out in the file.
struct Module {
    name: String,
    from: usize,
    to: usize,
}

/// All inline modules, outer before inner.
fn inline_modules(code: &str) -> Vec<Module> {
    let mut modules = Vec::new();
    for (at, word) in code.match_indices("mod ") {
        let is_word_start = at == 0 || code[..at].ends_with(|c: char| c.is_whitespace());
        let rest = &code[at + word.len()..];
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if is_word_start && rest[name.len()..].trim_start().starts_with('{') {
            modules.push(Module {
                name,
                from: at,
                to: item_end(code, at),
            });
        }
    }
    modules
}

fn line_offset(source: &Source, line: usize) -> usize {
    source
        .code
        .match_indices('\n')
        .nth(line.saturating_sub(1))
        .map_or(0, |(offset, _)| offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(raw: &str) -> Vec<(Vec<String>, Option<String>)> {
        let found = proofs_in(&Source::scan(raw.to_owned()));
        found
            .into_iter()
            .map(|line| (line.ids, line.function.map(|path| path.join("::"))))
            .collect()
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_proof_is_read_with_its_test_and_modules() {
        let raw = "mod tests {\n    mod add {\n        /// All or nothing.\n        ///\n        /// Proves: R-ADD.1, TP-469 1.3\n        #[test]\n        fn fails_whole() {}\n    }\n    /// Proves: R-GET.0\n    #[tokio::test(start_paused = true)]\n    async fn gets() {}\n}\n";
        assert_eq!(
            lines(raw),
            [
                (
                    ids(&["R-ADD.1", "TP-469 1.3"]),
                    Some("tests::add::fails_whole".to_owned())
                ),
                (ids(&["R-GET.0"]), Some("tests::gets".to_owned())),
            ]
        );
    }

    #[test]
    fn attributes_may_come_first_and_span_lines() {
        let raw =
            "#[test]\n/// Proves: R-GET.1\n#[cfg_attr(\n    windows,\n    ignore\n)]\nfn a() {}\n";
        assert_eq!(lines(raw), [(ids(&["R-GET.1"]), Some("a".to_owned()))]);
    }

    #[test]
    fn what_is_no_test_proves_nothing() {
        let found = lines(
            "/// Proves: R-GET.1\nfn helper() {}\n\n#[test]\nfn a() {}\n/// Proves: R-GET.2\nstruct B;\n",
        );
        assert!(
            found.iter().all(|(_, function)| function.is_none()),
            "{found:?}"
        );
        assert_eq!(found.len(), 2);
        assert!(lines("const A: &str = \"\n/// Proves: R-GET.1\n\";").is_empty());
    }

    #[test]
    fn files_stand_for_targets_and_modules() {
        let package = |kind: &str| -> Package {
            let text = format!(
                r#"{{"name":"a-b","id":"","manifest_path":"/a/Cargo.toml","dependencies":[],
                    "targets":[{{"name":"tool","kind":["{kind}"],"src_path":"/a/src/main.rs"}}]}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let at = |kind: &str, path: &str| {
            let (binary, modules) = position(&package(kind), Path::new(path));
            (binary, modules.join("::"))
        };
        let is = |binary: &str, modules: &str| (binary.to_owned(), modules.to_owned());
        assert_eq!(at("lib", "src/lib.rs"), is("a-b", ""));
        assert_eq!(at("lib", "src/get/tests.rs"), is("a-b", "get::tests"));
        assert_eq!(at("lib", "src/get/mod.rs"), is("a-b", "get"));
        assert_eq!(at("bin", "src/get.rs"), is("a-b::bin/tool", "get"));
        assert_eq!(at("bin", "src/main.rs"), is("a-b::bin/tool", ""));
        assert_eq!(at("lib", "tests/wire.rs"), is("a-b::wire", ""));
        assert_eq!(at("lib", "tests/wire/main.rs"), is("a-b::wire", ""));
        assert_eq!(at("lib", "tests/wire/peers.rs"), is("a-b::wire", "peers"));
        assert_eq!(at("lib", "src/bin/x.rs"), is("a-b::bin/x", ""));
    }

    #[test]
    fn a_namesake_elsewhere_proves_nothing() {
        let proof = |name: &str| Proof {
            package: "a".to_owned(),
            binary: "a".to_owned(),
            name: name.to_owned(),
            ids: Vec::new(),
            place: String::new(),
        };
        let test = |binary: &str, name: &str| Test {
            package: "a".to_owned(),
            binary: binary.to_owned(),
            name: name.to_owned(),
        };
        let ran = |passed: &[Test], failed: &[Test]| {
            Tests::These(Results {
                passed: passed.to_vec(),
                failed: failed.to_vec(),
                ..Results::default()
            })
        };
        assert!(ran(&[test("a", "m::t")], &[]).passed(&proof("m::t")));
        assert!(ran(&[test("a", "other::t")], &[]).passed(&proof("m::t")));
        assert!(!ran(&[test("a::wire", "m::t")], &[]).passed(&proof("m::t")));
        assert!(!ran(&[test("a", "x::t"), test("a", "y::t")], &[]).passed(&proof("m::t")));
        assert!(!ran(&[test("a", "x::t")], &[test("a", "m::t")]).passed(&proof("m::t")));
    }
}
