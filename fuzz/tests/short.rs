//! The short form of every target: its corpus, and random inputs from a fixed seed.
//!
//! `USPHERE_FUZZ_SEED` and `USPHERE_FUZZ_ITERATIONS` choose others.

use usphere_fuzz::drive::{self, Extent};

const SEED: u64 = 0x0055_5350;

/// Runs a target; at least `percent` of what is fed must get past decoding, or it proves nothing.
fn short(name: &str, percent: u64) {
    let target = usphere_fuzz::target(name).unwrap();
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("USPHERE_FUZZ_SEED").unwrap_or(SEED);
    let inputs = number("USPHERE_FUZZ_ITERATIONS").unwrap_or(target.short);
    println!("USPHERE_FUZZ_SEED={seed} USPHERE_FUZZ_ITERATIONS={inputs}");
    match drive::run(target, seed, Extent::Inputs(inputs)) {
        Ok(report) => {
            println!("{name}: {report}");
            let enough = report.tally.decoded * 100 >= report.tally.fed * percent;
            assert!(
                enough || inputs < target.short,
                "too little gets past decoding: {report}"
            );
        }
        Err(finding) => panic!("{finding}"),
    }
}

#[test]
fn record() {
    short("record", 20);
}

#[test]
fn message() {
    short("message", 20);
}

#[test]
fn certificate() {
    short("certificate", 8);
}

#[test]
fn path() {
    short("path", 20);
}

#[test]
fn store() {
    short("store", 10);
}

#[test]
fn agent() {
    short("agent", 60);
}
