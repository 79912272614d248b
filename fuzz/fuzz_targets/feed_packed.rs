//! Unpacks a file within its limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lifeboat_feeds::fuzz::packed(data);
});
