//! Recognises a source of one file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lifeboat_feeds::fuzz::recognised(&[], data);
});
