//! Any bytes as a Message that came.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    usphere_fuzz::message(data);
});
