//! Tests of the EMIS Web feed: the made-up practice there and back, and what hostile and old extracts hold.

mod allergies;
mod batches;
mod hostile;
mod round_trip;
mod tables;
mod versions;
