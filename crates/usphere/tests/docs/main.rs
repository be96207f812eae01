//! `docs/cli.md` tells the truth: its tables, JSON shapes and help texts are made here and compared.
//!
//! `UPDATE_DOCS=1 cargo test -p usphere --test docs` writes what has changed.

mod defaults;
mod shapes;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use usphere::Exit;

/// Every command whose help is printed, by its words.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["server"],
    &["agent"],
    &["devices"],
    &["devices", "list"],
    &["devices", "show"],
    &["devices", "alias"],
    &["devices", "approve"],
    &["devices", "tag"],
    &["devices", "untag"],
    &["devices", "remove"],
    &["get"],
    &["set"],
    &["add"],
    &["delete"],
    &["operate"],
    &["operations"],
    &["operations", "list"],
    &["operations", "show"],
    &["operations", "cancel"],
    &["watch"],
    &["instances"],
    &["schema"],
    &["protocol"],
    &["doctor"],
    &["log"],
    &["subscriptions"],
    &["subscriptions", "list"],
    &["subscriptions", "add"],
    &["subscriptions", "remove"],
    &["tokens"],
    &["tokens", "list"],
    &["tokens", "create"],
    &["tokens", "revoke"],
    &["audit"],
    &["decode"],
    &["certs"],
    &["certs", "ca"],
    &["certs", "issue"],
    &["certs", "show"],
    &["backup"],
    &["restore"],
    &["migrate"],
    &["service"],
    &["sim"],
    &["sim", "usp"],
    &["conformance"],
    &["conformance", "list"],
    &["conformance", "run"],
];

#[test]
fn the_table_of_defaults_is_true() {
    check("defaults", &defaults::table());
}

#[test]
fn the_table_of_exit_codes_is_true() {
    let mut table = String::from("| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(table, "| {} | {} |", exit.code(), exit.meaning());
    }
    check("exit codes", &table);
}

#[test]
fn the_json_shapes_are_true() {
    check("json shapes", &shapes::all());
}

#[test]
fn the_help_texts_are_true() {
    let mut text = String::new();
    for &path in COMMANDS {
        let help = usphere::help(path).expect("the command is there");
        let name = ["usphere"].iter().chain(path).copied().collect::<Vec<_>>();
        let _ = writeln!(
            text,
            "### {}\n\n```text\n{}\n```\n",
            name.join(" "),
            help.trim_end()
        );
    }
    check("help", text.trim_end_matches('\n'));
}

/// Compares what stands between the markers of `section` with what should.
fn check(section: &str, expected: &str) {
    let path = page();
    let text = fs::read_to_string(&path).expect("docs/cli.md is there");
    let (begin, end) = (
        format!("<!-- begin {section} -->\n"),
        format!("<!-- end {section} -->"),
    );
    let (before, rest) = text.split_once(&begin).expect("the section begins");
    let (found, after) = rest.split_once(&end).expect("the section ends");
    let expected = format!("\n{}\n\n", expected.trim_end());
    if found == expected {
        return;
    }
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}"))
            .expect("it can be written");
        return;
    }
    let difference = found
        .lines()
        .zip(expected.lines())
        .find(|(found, expected)| found != expected);
    panic!(
        "docs/cli.md, {section}: not up to date; run with UPDATE_DOCS=1, without other tests beside it. First difference: {difference:#?}"
    );
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md")
}
