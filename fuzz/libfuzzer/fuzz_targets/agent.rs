//! Any bytes as what Controllers, owners and the store do to an Agent.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    usphere_fuzz::agent(data);
});
