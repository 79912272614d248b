//! The made-up practice as a SystmOne extract: a folder of quoted Windows-1252 tables with a manifest.

mod chart;
mod clinical;
mod forced;
mod lists;
mod people;
mod rows;

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Span;
use lifeboat_clinical::synth::Practice;

use super::{Order, RowSet, Sink};
use crate::feed::TableFeed;
use crate::spec::{Place, TableSpec};
use crate::systmone;

pub use forced::FORCED;
#[cfg(test)]
pub(crate) use lists::number_of;

/// Writes the extract into a folder named by the time that it reaches to.
///
/// # Errors
/// A file cannot be written.
pub fn write(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let day = order.today.saturating_add(Span::new().days(i64::from(order.delta)));
    let stamp = |day: jiff::civil::Date| day.strftime("%Y%m%d_0100").to_string();
    let (from, until) = (day.saturating_sub(Span::new().days(1)), stamp(day));
    let mut files = Files { folder: until.clone(), sink, open: BTreeMap::new() };
    for table in written_tables() {
        files.open(table)?;
    }
    let practice = order.practice();
    let mut lists = lists::Lists::default();
    for index in 0..practice.patients() {
        if !order.holds(&practice, index) {
            continue;
        }
        let rows = patient_rows(order, &practice, index, order.delta, &mut lists);
        let before = match order.delta.checked_sub(1) {
            Some(before) => patient_rows(order, &practice, index, before, &mut lists::Lists::default()),
            None => RowSet::default(),
        };
        for (table, _, fields) in rows.changed_since(&before) {
            files.row(table, fields)?;
        }
        for (table, _, fields) in rows.gone_since(&before) {
            let fields = removed(table, fields);
            files.row(table, &fields)?;
        }
    }
    if order.delta == 0 {
        for day in practice.days() {
            for appointment in practice.appointments_on(day) {
                let fields = chart::appointment(&appointment, &mut lists);
                files.row("SRAppointment", &fields)?;
            }
        }
        lists.organisation(lists::PRACTICE.1);
    }
    for (table, _, fields) in lists.rows.iter() {
        files.row(table, fields)?;
    }
    let (from, names) = (if order.delta == 0 { String::new() } else { stamp(from) }, files.names());
    drop(files);
    manifest(order, sink, &until, &from, &names)
}

/// Returns all rows of a patient as of an extract.
fn patient_rows(
    order: &Order,
    practice: &Practice,
    index: usize,
    delta: u32,
    lists: &mut lists::Lists,
) -> RowSet {
    let of = |delta, lists: &mut lists::Lists| chart::rows(&order.chart(practice, index, delta), lists);
    let mut rows = of(delta, lists);
    if let Some(wanted) = order.rows_per_patient {
        // As many as the full extract needed, so that history stays as it is.
        let full =
            if delta == 0 { rows.iter().count() } else { of(0, &mut lists::Lists::default()).iter().count() };
        chart::add_history(&mut rows, &practice.expected(index).id, wanted.saturating_sub(full), order.today);
    }
    rows
}

/// The tables that a made-up extract holds.
fn written_tables() -> impl Iterator<Item = &'static TableSpec> {
    systmone::FEED.tables().iter().filter(|table| table.columns.len() > 1)
}

fn spec(name: &str) -> Option<&'static TableSpec> {
    crate::feed::table(&systmone::FEED, name)
}

/// A row of `cells`, in the order of the table's columns.
fn fields(table: &str, cells: &[(&str, String)]) -> Vec<String> {
    let Some(spec) = spec(table) else { return Vec::new() };
    let mut fields = vec![String::new(); spec.columns.len()];
    for (column, value) in cells {
        match spec.column(column) {
            Some(at) => fields[at].clone_from(value),
            None => debug_assert!(false, "the table {table} has no column {column}"),
        }
    }
    if let Some(at) = spec.column("RemovedData") {
        fields[at] = "0".to_owned();
    }
    fields
}

/// The row that removes another: its number and the mark, and nothing else.
fn removed(table: &str, fields: &[String]) -> Vec<String> {
    let Some(spec) = spec(table) else { return fields.to_vec() };
    let kept = |column: &str, value: &String| match column {
        "RowIdentifier" => value.clone(),
        "RemovedData" => "1".to_owned(),
        _ => String::new(),
    };
    spec.columns.iter().zip(fields).map(|(column, value)| kept(column.name, value)).collect()
}

struct Files<'s> {
    folder: String,
    sink: &'s mut dyn Sink,
    open: BTreeMap<&'static str, Box<dyn Write>>,
}

impl Files<'_> {
    fn open(&mut self, table: &'static TableSpec) -> io::Result<()> {
        let mut file = self.sink.file(&format!("{}/{}.csv", self.folder, table.name))?;
        file.write_all(&row(table.columns.iter().map(|column| column.name)))?;
        self.open.insert(table.name, file);
        Ok(())
    }

    fn row(&mut self, table: &str, fields: &[String]) -> io::Result<()> {
        match self.open.get_mut(table) {
            Some(file) => file.write_all(&row(fields.iter().map(String::as_str))),
            None => Ok(()),
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.open.keys().copied().collect()
    }
}

/// A row with every field quoted, in Windows-1252; what that cannot write becomes a question mark.
fn row<'a>(fields: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, field) in fields.into_iter().enumerate() {
        bytes.extend_from_slice(if at > 0 { b",\"" } else { b"\"" });
        for character in field.chars() {
            if character == '"' {
                bytes.push(b'"');
            }
            bytes.push(windows_1252(character));
        }
        bytes.push(b'"');
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The characters of 0x80 to 0x9F; the undefined ones are NUL here.
const UPPER: &str = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ";

fn windows_1252(character: char) -> u8 {
    match u32::from(character) {
        0 => b'?',
        code @ (0x01..=0x7f | 0xa0..=0xff) => code as u8,
        _ => UPPER.chars().position(|upper| upper == character).map_or(b'?', |at| 0x80 + at as u8),
    }
}

/// Says whether the extract's encoding has a character.
#[cfg(test)]
pub(crate) fn can_write(character: char) -> bool {
    character == '?' || windows_1252(character) != b'?'
}

fn manifest(order: &Order, sink: &mut dyn Sink, until: &str, from: &str, names: &[&str]) -> io::Result<()> {
    let mut file = sink.file(&format!("{until}/SRManifest.csv"))?;
    file.write_all(&row(["FileName", "IsDelta", "IsReference", "DateExtractFrom", "DateExtractTo"]))?;
    let is_delta = if order.delta == 0 { "N" } else { "Y" };
    for name in names {
        let is_shared = spec(name).is_some_and(|table| table.place == Place::Shared);
        file.write_all(&row([*name, is_delta, if is_shared { "Y" } else { "N" }, from, until]))?;
    }
    Ok(())
}
