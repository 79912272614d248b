//! Parses the text of an epoch secret; what parses must print back to itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::epoch_secret(data));
