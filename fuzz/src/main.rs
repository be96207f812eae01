//! `usphere-fuzz TARGET --seconds N`: the long form on the stable toolchain. `cargo xtask fuzz --stable`
//! starts it. A finding is printed with its seed and ends it with exit code 1.
//! `usphere-fuzz TARGET --seeds FOLDER` writes the corpus there instead, for libFuzzer to start from.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use usphere_fuzz::drive::{self, Extent};
use usphere_fuzz::random::Random;
use usphere_fuzz::{TARGETS, Target, target};

const USAGE: &str = "usage: usphere-fuzz TARGET [--seconds N] [--seed N] | --seeds FOLDER";

/// Random inputs that are written beside the corpus.
const RANDOM_SEEDS: u64 = 200;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let name = arguments.next().ok_or(USAGE)?;
    let names = TARGETS.each_ref().map(|target| target.name).join(", ");
    let target = target(&name).ok_or_else(|| format!("no target `{name}`; there are: {names}"))?;
    let mut seconds = 60;
    let mut seed = None;
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        let number = || value.parse().map_err(|_| USAGE);
        match option.as_str() {
            "--seconds" => seconds = number()?,
            "--seed" => seed = Some(number()?),
            "--seeds" => return write_seeds(target, Path::new(&value)),
            _ => return Err(USAGE.into()),
        }
    }
    let seed = seed.unwrap_or_else(new_seed);
    println!("{name}: {seconds} s, seed {seed}");
    match drive::run(target, seed, Extent::Time(Duration::from_secs(seconds))) {
        Ok(report) => {
            println!("{name}: {report}; no finding");
            Ok(ExitCode::SUCCESS)
        }
        Err(finding) => {
            println!("{name}: FINDING\n{finding}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn write_seeds(target: &Target, folder: &Path) -> Result<ExitCode, String> {
    let random = (0..RANDOM_SEEDS).map(|seed| (target.input)(&mut Random::new(seed)));
    for (index, input) in (target.corpus)().into_iter().chain(random).enumerate() {
        let path = folder.join(format!("seed-{index:04}"));
        fs::write(&path, input).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Another one at each start.
fn new_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
