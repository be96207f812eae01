//! Any bytes as what happens to the Agent's file.
//!
//! libFuzzer would end at every panic. The store catches those of its database, which is what is
//! tried here; a panic that it does not catch ends the run as ever.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        let _ = std::panic::take_hook();
    },
    |data: &[u8]| {
        usphere_fuzz::store(data);
    }
);
