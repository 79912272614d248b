//! Parses a manifest; what parses must read back from its own bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::manifest(data));
