//! The pages: pure functions from what was read to HTML.
//!
//! Nothing here knows of sockets, keys, clocks or stores. Every text reaches the page through `maud`'s
//! escaping; nothing that comes from a record is ever markup, an attribute name, a class or an address.
//! Every page carries the strip ([`strip`]) and a constant title, because titles reach the history,
//! the task bar and screen recorders.

pub mod acknowledge;
pub mod banner;
pub mod copy;
pub mod day;
pub mod held;
pub mod layout;
pub mod message;
pub mod patient;
pub mod search;
pub mod section;
pub mod strip;
pub mod unlock;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
