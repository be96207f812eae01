//! `docs/configuration.md` tells the truth: its table and its example are made from the list of keys, and compared.
//!
//! `UPDATE_DOCS=1 cargo test -p usphere-server --test configuration` writes what has changed.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{env, fs};

use usphere_server::{Change, Config, Server, Surroundings, keys};

use crate::support::{Played, get, polite, until};

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

/// A configuration file that a test writes.
struct File {
    data: PathBuf,
    text: Mutex<String>,
}

impl File {
    fn config(&self) -> Config {
        let text = self.text.lock().unwrap().clone();
        let given = Config::from_toml(&text, &self.data).unwrap();
        Config {
            given: given.given,
            links: given.links,
            onboarding: given.onboarding,
            rate: given.rate,
            retention: given.retention,
            ..support::config(&self.data)
        }
    }
}

impl Surroundings for File {
    fn configuration(&self) -> Result<Config, String> {
        Ok(self.config())
    }

    fn log(&self, _: Option<&str>) -> Result<bool, String> {
        Ok(false)
    }
}

async fn with_file(data: &Path, text: &str) -> (Server, Arc<File>) {
    let file = Arc::new(File {
        data: data.to_owned(),
        text: Mutex::new(text.to_owned()),
    });
    let around: Arc<dyn Surroundings> = Arc::clone(&file) as Arc<dyn Surroundings>;
    let server = Server::start_in(file.config(), Some(around)).await.unwrap();
    (server, file)
}

/// Policy, rates and retention hold from the reload on, and nobody is let go.
#[tokio::test]
async fn a_reload_changes_who_is_let_in_and_how_much_is_taken() {
    let data = tempfile::tempdir().unwrap();
    let (server, file) = with_file(data.path(), "[onboarding]\nfirst_contact = \"approval\"").await;
    let state = async |name: &str| {
        let path = format!("/api/v1/devices/{name}");
        let device = until(&server, &path, |device| !device["serial_number"].is_null()).await;
        device["state"].clone()
    };
    let _one = Played::connect(&server, "self::one", polite).await;
    assert_eq!(state("self::one").await, "pending");
    *file.text.lock().unwrap() = "onboarding.first_contact = \"open\"
        onboarding.check_minutes = 5
        links.accepts_per_second = 5
        links.ping_seconds = 7
        rate.token_per_second = 1
        rate.token_burst = 30
        retention.contacts_days = 1"
        .to_owned();
    let reloaded = server.reload().unwrap();
    let applied = [
        "links.accepts_per_second",
        "onboarding.first_contact",
        "onboarding.check_minutes",
        "rate.token_per_second",
        "rate.token_burst",
        "retention.contacts_days",
    ];
    assert_eq!(reloaded.applied, applied);
    assert_eq!(reloaded.restart, ["links.ping_seconds"]);
    let _two = Played::connect(&server, "self::two", polite).await;
    assert_eq!(state("self::two").await, "approved");
    assert_eq!(state("self::one").await, "pending", "until it comes again");
    let mut refused = 0;
    for _ in 0..40 {
        refused += usize::from(get(&server, "/api/v1/devices").await.status == 429);
    }
    assert!((5..40).contains(&refused), "{refused} of 40 were refused");
    let again = server.reload().unwrap();
    assert!(again.applied.is_empty(), "{again:?}");
    server.shutdown().await;
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
