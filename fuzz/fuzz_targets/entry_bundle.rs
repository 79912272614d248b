//! Splits an entry bundle and parses its entries, and checks proofs made of the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::entry_bundle(data));
