//! Opens what lies inside a blob after decryption: a frame and its padding.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lifeboat_format::fuzz::blob(data));
