//! Reads a date and a time in every form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lifeboat_feeds::fuzz::date(data);
});
