//! Small extracts for tests, written by hand.

use crate::emis::FEED;
use crate::feed::{TableFeed, table};
use crate::harness::Store;

/// Returns a store whose only patient is `p1`, with the rows given as `(table, CSV)`; the first line names columns.
pub(super) fn store_of(tables: &[(&str, &str)]) -> Store {
    let mut store = Store::new(&FEED);
    let patient = "PatientGuid,Sex,DateOfBirth,DateOfDeath,GivenName,Surname,NhsNumber,PatientTypeDescription,DummyType,\
                   DateOfDeactivation,Deleted,SpineSensitive,IsConfidential\r\n\
                   P1,F,1970-02-03,,Ann,Other,9990000018,Regular,false,,false,false,false\r\n";
    if !tables.iter().any(|(name, _)| *name == "Admin_Patient") {
        store.apply_table("Admin_Patient", patient.as_bytes());
    }
    for (name, csv) in tables {
        store.apply_table(name, whole(name, csv).as_bytes());
    }
    store
}

/// Adds the columns that a table needs and a test leaves out, all empty.
fn whole(name: &str, csv: &str) -> String {
    let spec = table(&FEED, name).expect("a table of the feed");
    let (header, rows) = csv.split_once('\n').expect("a header and rows");
    let delimiter = char::from(FEED.dialect(spec).delimiter);
    let named: Vec<&str> = header.trim().split(delimiter).collect();
    let is_named = |name: &str, aliases: &[&str]| {
        named.contains(&name) || aliases.iter().any(|alias| named.contains(alias))
    };
    let left_out: Vec<&str> = spec
        .columns
        .iter()
        .filter(|column| column.required && !is_named(column.name, column.aliases))
        .map(|column| column.name)
        .collect();
    let more = |value: &str| delimiter.to_string() + value;
    let mut csv =
        header.trim().to_owned() + &left_out.iter().map(|name| more(name)).collect::<String>() + "\r\n";
    for row in rows.lines().filter(|row| !row.trim().is_empty()) {
        csv += row.trim_end_matches('\r');
        csv += &left_out.iter().map(|_| more("")).collect::<String>();
        csv += "\r\n";
    }
    csv
}
