//! One replica of a Lifeboat site over an object store: reading it, writing it durably, verifying it, copying it.
//!
//! [`Reader`] reads and cannot write; [`Writer`] creates, replaces `HEAD` alone, and deletes nothing. [`Spool`] is the
//! local replica into which snapshots are published; [`replicate`](fn@replicate) brings any other replica up to it,
//! [`verify`](fn@verify) proves every byte of one without a decryption key, and [`SiteReader`] opens one for whoever
//! holds an identity. Objects are written in one order (keys, packs, indexes, manifest, log, checkpoint, `HEAD`) and
//! read in the other, so a crash at any point leaves a replica that is whole, at worst with objects that nothing
//! refers to yet.

mod crash;
mod digest;
pub mod durable;
mod error;
mod layout_event;
mod location;
mod log_source;
mod newest;
mod reader;
mod repair;
mod replicate;
mod site_reader;
mod spool;
mod store;
mod verify;
mod writer;

pub use crash::crash_step;
pub use error::{Cause, ErrorClass, Fork, ReadError, WriteError};
pub use layout_event::{LAYOUT_EVENT, layout_event};
pub use location::{LocationError, ReplicaLocation, ReplicaName, ReplicaOptions, ReplicaUrl, Secret};
pub use log_source::SignedCheckpoint;
pub use newest::{HeadState, Newest, head_only, newest, newest_thorough};
pub use reader::{Listing, OBJECTS_LISTED_MAX, Reader, Traffic};
pub use repair::{RepairReport, repair};
pub use replicate::{
    ReplicaCursor, ReplicateFailure, ReplicateProgress, ReplicateReport, ReplicateSettings, Replication,
    replicate,
};
pub use site_reader::{
    Access, Choice, Directory, OpenFailure, OpenReport, OpenSample, OpenedRecord, RecordStream, SiteReader,
};
pub use spool::{Adopted, EpochFiles, PublishSet, Published, Spool};
pub use verify::{
    Finding, Note, Problem, SnapshotSeen, VerifyLevel, VerifyOptions, VerifyProgress, VerifyReport, verify,
};
pub use writer::{Writer, Written};
