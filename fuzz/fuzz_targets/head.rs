//! Parses a `HEAD` and checks it against a key.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::head(data));
