//! The log: lines on stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::defaults::LOG_VARIABLE;
use crate::failure::Failure;

/// Starts logging by the first filter that is given: flag, environment, configuration file, default.
pub(crate) fn start(
    flag: Option<&str>,
    file: Option<&str>,
    default: &'static str,
) -> Result<(), Failure> {
    let environment = crate::data::variable(LOG_VARIABLE);
    let (source, text) = [
        ("--log", flag),
        (LOG_VARIABLE, environment.as_deref()),
        ("log in the configuration file", file),
    ]
    .into_iter()
    .find_map(|(source, text)| Some((source, text?)))
    .unwrap_or(("the default", default));
    let filter = filter(text).map_err(|reason| {
        Failure::usage(format_args!("{source}: {text:?} is not a log filter: {reason}"))
            .advise("expected a level (error, warn, info, debug, trace, off) or `module=level,…`, such as `info,usphere_mtp=debug`")
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(is_coloured(io::stderr().is_terminal()));
    // It fails only where there is a log already; then that one is used.
    drop(
        tracing_subscriber::registry()
            .with(lines)
            .with(filter)
            .try_init(),
    );
    Ok(())
}

/// A word alone is a level; the library would take any other for a module that may say everything.
fn filter(text: &str) -> Result<Targets, String> {
    for word in text.split(',').filter(|word| !word.contains('=')) {
        word.parse::<LevelFilter>()
            .map_err(|_| format!("{word:?} is no level"))?;
    }
    text.parse().map_err(|error: ParseError| error.to_string())
}

/// Whether to colour what goes to a stream: on a terminal that can, unless NO_COLOR says otherwise.
pub(crate) fn is_coloured(is_terminal: bool) -> bool {
    is_terminal
        && crate::data::variable("NO_COLOR").is_none()
        && crate::data::variable("TERM").is_none_or(|term| term != "dumb")
}
