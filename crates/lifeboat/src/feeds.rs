//! The feeds that this program reads from rows.

use lifeboat_feeds::TableFeed;

/// Returns the feeds that arrive as batches of tables, one of each format.
pub fn table_feeds() -> Vec<&'static dyn TableFeed> {
    Vec::new()
}

/// Returns the feed of rows that are pulled from a FHIR server.
pub fn pulled_feed() -> Option<&'static dyn TableFeed> {
    None
}
