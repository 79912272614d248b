//! What a patient is found by, taken from the record.

use lifeboat_clinical::record::{Died as PersonDied, Person};
use lifeboat_format::{Died, DirectoryRow, RecordKey};

/// The directory row of a person.
pub(crate) fn row(key: RecordKey, person: &Person) -> DirectoryRow {
    let mut row = DirectoryRow::new(key);
    row.family = person.family.clone();
    row.given = person.given.clone();
    row.title = person.title.clone();
    row.preferred = person.preferred.clone();
    row.born = person.born.as_ref().map(ToString::to_string);
    row.died = person.died.as_ref().map(|died| match died {
        PersonDied::On(date) => Died::On(date.to_string()),
        PersonDied::DateUnknown => Died::DateUnknown,
    });
    row.gender = person.gender.clone();
    row.nhs = person.nhs_number.clone();
    row.nhs_status = person.nhs_status.clone();
    row.phones = person.phones.clone();
    row.address = person.address.clone();
    row.postcode = person.postcode.clone();
    row.gp = person.usual_gp.clone();
    row.flags = person.flags.clone();
    row.other = person.other_identifiers.clone();
    row.clip();
    row
}
