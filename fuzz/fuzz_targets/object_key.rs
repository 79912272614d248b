//! Parses an object key; what parses must print back to itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::object_key(data));
