//! `docs/configuration.md` tells the truth: its table and its example are made from the list of keys, and compared.
//!
//! `UPDATE_DOCS=1 cargo test -p usphere-server --test configuration` writes what has changed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use usphere_server::{Change, Config, keys};

#[test]
fn the_table_of_keys_is_true() {
    let mut table = String::from(
        "| key | value | default | takes effect | what it does |\n|---|---|---|---|---|\n",
    );
    for key in keys() {
        let default = key
            .default
            .map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
        let change = match key.change {
            Change::Reload => "reload",
            Change::Restart => "restart",
        };
        let _ = writeln!(
            table,
            "| `{}` | {} | {default} | {change} | {} |",
            key.name, key.kind, key.meaning
        );
    }
    check("keys", &table);
}

#[test]
fn the_example_names_every_key_and_is_taken() {
    let mut example = String::new();
    let mut table = None;
    for key in keys().filter(|key| !key.name.contains('.')) {
        let _ = writeln!(example, "{} = {}", key.name, key.example);
    }
    for key in keys() {
        let Some((of, name)) = key.name.split_once('.') else {
            continue;
        };
        if table != Some(of) {
            let _ = writeln!(example, "\n[{of}]");
            table = Some(of);
        }
        let _ = writeln!(example, "{name} = {}", key.example);
    }
    let config = Config::from_toml(&example, "unused").unwrap();
    assert_eq!(config.given.len(), keys().count());
    check("example", &format!("```toml\n{example}```"));
}

/// Compares what stands between the markers of `section` with what should.
fn check(section: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        format!("<!-- begin {section} -->\n"),
        format!("<!-- end {section} -->"),
    );
    let (before, rest) = text.split_once(&begin).unwrap();
    let (found, after) = rest.split_once(&end).unwrap();
    let expected = format!("\n{}\n\n", expected.trim_end());
    if found != expected && env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "{section}: run with UPDATE_DOCS=1, without other tests beside it"
    );
}
