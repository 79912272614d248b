//! Reads a table in every dialect; every row is whole or an error with its number.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lifeboat_feeds::fuzz::table(data);
});
