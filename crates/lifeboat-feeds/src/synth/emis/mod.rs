//! The made-up practice as an EMIS Web extract: twenty CSV files and the two tab-separated ones beside them.
//!
//! Names of rows are those of the FHIR resources where these are GUIDs, and made of them otherwise, so that they
//! stay the same from one extract to the next. Process ids and times grow with each extract.

mod book;
mod clinical;
mod codes;
mod forced;
mod history;
mod lines;
mod people;
mod prescribing;

use std::io;

use jiff::Span;
use jiff::civil::Date;
use lifeboat_clinical::synth::Practice;
use serde_json::Value;

use codes::Shared;
pub use forced::FORCED;
use lines::{Files, Row};

use super::{Order, RowSet, Sink};

/// What every extract's process ids begin after.
const PROCESSES_BEFORE: u32 = 1000;
/// How many minutes lie between two extracts.
const MINUTES_BETWEEN: i64 = 15;

/// Writes the practice as an extract.
///
/// # Errors
/// A file cannot be written.
pub fn write(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let practice = order.practice();
    let mut shared = Shared::of(&practice);
    let mut files = Files::open(sink, &FileNames::of(order), order.delta)?;
    for index in 0..order.patients {
        if !order.holds(&practice, index) {
            continue;
        }
        let rows = patient_rows(order, &practice, index, order.delta, &mut shared);
        if order.delta == 0 {
            files.write_all(&rows)?;
        } else {
            let before = patient_rows(order, &practice, index, order.delta - 1, &mut shared);
            files.write_changes(&rows, &before)?;
        }
    }
    if order.delta == 0 {
        book::write(&practice, &mut files)?;
        files.write_all(&shared.staff_rows())?;
    }
    files.write_all(&shared.rows())?;
    files.finish()
}

/// Returns all rows of a patient as of an extract.
fn patient_rows(order: &Order, practice: &Practice, index: usize, delta: u32, shared: &mut Shared) -> RowSet {
    let chart = order.chart(practice, index, delta);
    let mut rows = rows_of(&chart, order.today, shared);
    if let Some(wanted) = order.rows_per_patient {
        // As many as the full extract needed, so that history stays as it is.
        let full = match delta {
            0 => rows.iter().count(),
            _ => rows_of(&order.chart(practice, index, 0), order.today, shared).iter().count(),
        };
        history::add(&mut rows, &chart[0], wanted.saturating_sub(full), order, shared);
    }
    rows
}

fn rows_of(chart: &[Value], today: Date, shared: &mut Shared) -> RowSet {
    let mut rows = RowSet::default();
    let patient = people::add(&mut rows, &chart[0], today);
    clinical::add(&mut rows, &patient, chart, shared);
    rows
}

/// What the names of an extract's files have in common.
struct FileNames {
    process: u32,
    time: String,
}

impl FileNames {
    fn of(order: &Order) -> Self {
        let minutes = Span::new().minutes(MINUTES_BETWEEN * i64::from(order.delta));
        let time = order.today.at(0, 0, 0, 0).saturating_add(minutes);
        Self { process: PROCESSES_BEFORE + 1 + order.delta, time: time.strftime("%Y%m%d%H%M%S").to_string() }
    }

    /// Returns the path of a table's file.
    fn path(&self, table: &str) -> String {
        let (schema, ending) = if table.contains('_') { ("", "csv") } else { ("Custom_", "txt") };
        let agreement = lines::guid("agreement");
        format!("{}_{schema}{table}_{}_{agreement}.{ending}", self.process, self.time)
    }
}
