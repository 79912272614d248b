//! Parses the content of each kind of index part.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::index_part(data));
