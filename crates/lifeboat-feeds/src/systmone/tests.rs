//! Tests of the SystmOne feed.
