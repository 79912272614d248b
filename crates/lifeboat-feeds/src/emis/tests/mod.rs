//! Tests of the EMIS Web feed: the made-up practice there and back, and what hostile and old extracts hold.

mod allergies;
mod batches;
mod harness;
mod hostile;
mod round_trip;
mod versions;
