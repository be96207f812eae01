//! Any bytes as a Record that came.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    usphere_fuzz::record(data);
});
