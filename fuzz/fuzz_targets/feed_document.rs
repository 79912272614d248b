//! Translates a document of each format; what comes out is JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lifeboat_feeds::fuzz::translated(data);
});
