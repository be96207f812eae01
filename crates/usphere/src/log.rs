//! The log: lines on stderr.

#[cfg(feature = "cli")]
mod scrub;

use std::io::{self, IsTerminal};

#[cfg(feature = "cli")]
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
#[cfg(feature = "cli")]
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
#[cfg(feature = "cli")]
use usphere_server::LogFormat;

#[cfg(feature = "cli")]
use self::scrub::Scrubbed;

use crate::defaults::LOG_VARIABLE;
use crate::failure::Failure;

/// Starts logging by the first filter that is given: flag, environment, configuration file, default.
pub(crate) fn start(
    flag: Option<&str>,
    file: Option<&str>,
    default: &'static str,
) -> Result<(), Failure> {
    let filter = chosen(flag, file, default)?;
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

/// The log of a server, whose filter can be changed.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct Changeable {
    filter: reload::Handle<Targets, Registry>,
    lines: Scrubbed,
    /// Whether flag or environment say what is logged, which no file changes.
    is_fixed: bool,
}

/// As [`start`], with lines of this format, and a filter that can be changed.
#[cfg(feature = "cli")]
pub(crate) fn start_changeable(
    flag: Option<&str>,
    file: Option<&str>,
    default: &'static str,
    format: LogFormat,
) -> Result<Changeable, Failure> {
    let (filter, handle) = reload::Layer::new(chosen(flag, file, default)?);
    let scrubbed = Scrubbed::default();
    let lines = tracing_subscriber::fmt::layer().with_writer(scrubbed.clone());
    let registry = tracing_subscriber::registry().with(filter);
    // They fail only where there is a log already; then that one is used.
    match format {
        LogFormat::Json => drop(registry.with(lines.json().flatten_event(true)).try_init()),
        LogFormat::Text => {
            let lines = lines.with_ansi(is_coloured(io::stderr().is_terminal()));
            drop(registry.with(lines).try_init());
        }
    }
    Ok(Changeable {
        filter: handle,
        lines: scrubbed,
        is_fixed: flag.is_some() || crate::data::variable(LOG_VARIABLE).is_some(),
    })
}

#[cfg(feature = "cli")]
impl Changeable {
    /// This text is not to be in any line from now on.
    pub(crate) fn hide(&self, secret: &str) {
        self.lines.hide(secret);
    }

    /// Logs by this filter from now on, unless flag or environment say what is logged. Whether it does.
    ///
    /// # Errors
    /// Why it is no filter.
    pub(crate) fn change(&self, text: &str) -> Result<bool, String> {
        let wanted = filter(text)?;
        if self.is_fixed {
            return Ok(false);
        }
        let changed = self.filter.reload(wanted);
        changed.map_err(|error| error.to_string())?;
        Ok(true)
    }
}

/// Whether a text is a log filter.
///
/// # Errors
/// Why it is none.
#[cfg(feature = "cli")]
pub(crate) fn check(text: &str) -> Result<(), String> {
    filter(text).map(drop)
}

fn chosen(
    flag: Option<&str>,
    file: Option<&str>,
    default: &'static str,
) -> Result<Targets, Failure> {
    let environment = crate::data::variable(LOG_VARIABLE);
    let (source, text) = [
        ("--log", flag),
        (LOG_VARIABLE, environment.as_deref()),
        ("log in the configuration file", file),
    ]
    .into_iter()
    .find_map(|(source, text)| Some((source, text?)))
    .unwrap_or(("the default", default));
    filter(text).map_err(|reason| {
        Failure::usage(format_args!("{source}: {text:?} is not a log filter: {reason}"))
            .advise("expected a level (error, warn, info, debug, trace, off) or `module=level,…`, such as `info,usphere_mtp=debug`")
    })
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
