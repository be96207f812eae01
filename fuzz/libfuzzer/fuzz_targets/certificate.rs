//! Any bytes as a certificate, a PEM text or a revocation list.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    usphere_fuzz::certificate(data);
});
