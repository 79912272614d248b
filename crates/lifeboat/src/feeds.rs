//! The feeds that this program reads from rows.

use lifeboat_feeds::{TableFeed, emis, fhir_rows, systmone, vision};

/// Returns the feeds that arrive as batches of tables, one of each format.
pub fn table_feeds() -> Vec<&'static dyn TableFeed> {
    vec![&emis::FEED, &systmone::FEED, &vision::FEED]
}

/// Returns the feed of rows that are pulled from a FHIR server.
pub fn pulled_feed() -> &'static dyn TableFeed {
    &fhir_rows::FEED
}
