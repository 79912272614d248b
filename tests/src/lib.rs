//! What the tests of Lifeboat as a whole are written with.
//!
//! Everything goes through the built programs, as an operator or a clinician would: a [`site::Site`] is made by
//! `lifeboat init`, read by [`http::Browser`], harmed by [`damage`] and started and killed by [`program::Program`].
//! Nothing here looks inside a crate, uses the network beyond loopback, or writes outside a temporary folder.

pub mod damage;
pub mod fhir;
pub mod http;
pub mod practice;
pub mod program;
pub mod s3;
pub mod site;
pub mod viewer;
