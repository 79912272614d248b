//! The tests of Lifeboat as a whole: what it does from end to end, what it survives, and what its source must look like.

mod canary;
mod corpus;
mod crash;
mod demo;
mod end_to_end;
mod feeds;
mod fhir_server;
mod held;
mod keyless_verify;
mod recipients;
mod recover;
mod s3;
mod service;
mod tidy;
