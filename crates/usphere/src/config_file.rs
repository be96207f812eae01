//! Configuration files in TOML. A key that is not known is an error: a misspelt one would otherwise be
//! silently without effect.

use std::path::Path;

use serde::de::DeserializeOwned;
use usphere_mtp::files;

use crate::failure::Failure;

/// Bytes of a configuration file.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// How alike two keys must be, from 0 to 1, for one to be suggested for the other.
const LIKENESS_MIN: f64 = 0.7;

/// Reads the file, whose struct denies unknown fields.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, known: &[&str]) -> Result<T, Failure> {
    let at = path.display();
    let text = files::read_text(path, CONFIG_BYTES_MAX).map_err(|error| {
        Failure::usage(format_args!("{at}: cannot be read: {error}"))
            .advise("--config names the configuration file")
    })?;
    parse(&text, known).map_err(|failure| Failure {
        message: format!("{at}: {}", failure.message),
        ..failure
    })
}

fn parse<T: DeserializeOwned>(text: &str, known: &[&str]) -> Result<T, Failure> {
    let table: toml::Table = toml::from_str(text).map_err(|error| Failure::usage(brief(&error)))?;
    if let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) {
        let failure = Failure::usage(format_args!("unknown key {unknown:?}"));
        return Err(match nearest(unknown, known) {
            Some(near) => failure.advise(format!("is {near:?} meant?")),
            None => failure.advise(format!("known are {}", known.join(", "))),
        });
    }
    toml::from_str(text).map_err(|error| Failure::usage(brief(&error)))
}

fn brief(error: &toml::de::Error) -> String {
    error.to_string().trim_end().to_owned()
}

/// The known word that is most like `word`, if one is like enough.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        data: Option<String>,
    }

    const KNOWN: [&str; 2] = ["data", "endpoint-id"];

    #[test]
    fn a_misspelt_key_is_an_error_with_a_suggestion() {
        let failure = parse::<Sample>("dta = \"/x\"\n", &KNOWN).unwrap_err();
        assert_eq!(failure.message, "unknown key \"dta\"");
        assert_eq!(failure.advice.as_deref(), Some("is \"data\" meant?"));
        let failure = parse::<Sample>("zzz = 1\n", &KNOWN).unwrap_err();
        assert_eq!(
            failure.advice.as_deref(),
            Some("known are data, endpoint-id")
        );
    }

    #[test]
    fn a_wrong_type_is_told_with_its_line() {
        let failure = parse::<Sample>("data = 7\n", &KNOWN).unwrap_err();
        assert!(failure.message.contains("line 1"), "{failure}");
        let sample: Sample = parse("data = \"/x\"\n", &KNOWN).unwrap();
        assert_eq!(sample.data.as_deref(), Some("/x"));
    }
}
