//! Any bytes as a path name, or as a type with values.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    usphere_fuzz::path(data);
});
