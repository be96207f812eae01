//! Inputs that broke a promise once. Each stands beside a test of the crate that was mended.

use usphere_fuzz::target;

/// Target and input.
const FOUND: [(&str, &[u8]); 1] = [
    // A list of one empty item was spelled as an empty list.
    ("path", b"\x03k%20\n"),
];

#[test]
fn what_was_found_stays_mended() {
    for (name, input) in FOUND {
        let target = target(name).unwrap();
        (target.run)(input);
    }
}
