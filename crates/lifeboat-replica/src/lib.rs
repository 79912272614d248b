//! One replica of a Lifeboat site over an object store.

mod crash;
pub mod durable;
pub use crash::crash_step;
