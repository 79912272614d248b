//! Tests of one replica: what is relied on from stores, publishing, copying, verifying, opening.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
#[cfg(feature = "crash-steps")]
mod crash;
mod faults;
mod newest;
mod replicate;
mod site;
mod site_reader;
mod spool;
mod verify;
