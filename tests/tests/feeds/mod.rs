//! Every feed from end to end: a made-up extract is recognised, snapshotted, and read as a clinician reads it.

mod agreement;
mod batches;
pub(crate) mod extract;
mod forced;
mod hostile;
mod lifecycle;
mod reading;
