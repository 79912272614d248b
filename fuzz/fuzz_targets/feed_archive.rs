//! Lists a zip archive and reads its entries; what is read is as long as it says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = lifeboat_feeds::fuzz::archive(data);
});
