//! The `lifeboat` program as a library: the service and IT's command line.
//!
//! [`cli`] reads the command line and runs one command. [`config`] and [`keys`] say what a site is, [`engine`] takes
//! snapshots into the spool, [`service`] does so on a schedule and feeds the replicas, [`restore`] writes records out
//! again, and [`demo`] shows all of it on a synthetic practice. Only [`clock`] reads the clock.

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engine;
pub mod error;
pub mod events;
pub mod feeds;
pub mod keys;
pub mod output;
pub mod pull;
pub mod replicas;
pub mod restore;
#[cfg(test)]
mod scratch;
pub mod service;
pub mod setup;
