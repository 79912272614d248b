//! The read-only viewer of Lifeboat: opens a site's freshest verified copy and shows it in a browser.
//!
//! It depends on the reader of a replica alone: no type that writes can be named here. Secrets and records
//! live in memory, one patient at a time, and go when the session does.

pub mod age;
pub mod assets;
pub mod cli;
pub mod clock;
pub mod harden;
pub mod pages;
pub mod serve;
pub mod server;
pub mod site;
pub mod token;

pub use serve::{HostStyle, Options, Running, ServeError, serve};
pub use site::{OpenError, Source};
