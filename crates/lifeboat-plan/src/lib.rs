//! What should happen, decided by pure functions.
//!
//! Everything that chooses stands here: whether a snapshot is plausible ([`gate`]), when deltas are
//! folded into a new base ([`fold`]), how long to wait before trying a replica again ([`retry`]) and
//! how healthy a site is ([`health`]). Functions take facts and `now`, return plain values with the
//! reason for each choice, and touch no clock, file or network, so that every rule can be tested in
//! a table and read by an operator before it acts.

pub mod fold;
pub mod gate;
pub mod health;
pub mod retry;
