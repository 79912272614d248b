//! What a clinician reads of a restored practice, as plain tables that can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::civil::Date;
use lifeboat_clinical::view::{AllergyHeader, Banner, PatientView, TableView, day_list_view, patient_view};
use lifeboat_tests::damage;
use serde_json::Value;

/// A row: what stands in each column.
pub(super) type Row = BTreeMap<String, String>;

/// Everything that is read about one patient or day: rows by the part of the page that they stand in.
pub(super) type Page = BTreeMap<String, Vec<Row>>;

/// Pages by who or what they are about.
pub(super) type Practice = BTreeMap<String, Page>;

/// Reads every record of a restored folder.
pub(super) fn read(folder: &Path, today: Date) -> Practice {
    let records: Vec<(String, Vec<u8>)> = damage::files_below(folder)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "json"))
        .map(|file| {
            (file.display().to_string(), fs::read(folder.join(&file)).expect("a restored record can be read"))
        })
        .collect();
    let mut practice = Practice::new();
    let mut names = BTreeMap::new();
    let mut days = Vec::new();
    for (file, bytes) in &records {
        let json: Value = serde_json::from_slice(bytes).expect("a record is JSON");
        if json["type"] == "collection" {
            days.push(bytes);
            continue;
        }
        let view = patient_view(bytes, today).expect("a record can be shown");
        let who = who(&view.banner);
        let key = Path::new(file).file_stem().expect("a file has a name").to_string_lossy().into_owned();
        names.insert(key.trim_start_matches("patient-").to_owned(), who.clone());
        let former = practice.insert(who, page(&view));
        assert!(former.is_none(), "two records of one patient");
    }
    for bytes in days {
        let (day, page) = day_page(bytes, &names);
        practice.insert(day, page);
    }
    practice
}

/// The NHS number, or name and birth date where there is none.
fn who(banner: &Banner) -> String {
    if banner.nhs == "Not known" { format!("{} {}", banner.name, banner.born) } else { banner.nhs.clone() }
}

fn row(cells: &[(&str, &str)]) -> Row {
    let said = cells.iter().filter(|(_, text)| !text.is_empty());
    said.map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect()
}

fn page(view: &PatientView) -> Page {
    let mut page = Page::new();
    let banner = &view.banner;
    let flags: Vec<&str> = banner.flags.iter().map(|flag| flag.words()).collect();
    let mut phones = banner.phones.clone();
    phones.sort();
    let rows = vec![row(&[
        ("name", &banner.name),
        ("preferred", banner.preferred.as_deref().unwrap_or_default()),
        ("born", &banner.born),
        ("age", banner.age.as_deref().unwrap_or_default()),
        ("gender", &banner.gender),
        ("nhs", &banner.nhs),
        ("nhs note", banner.nhs_note.as_deref().unwrap_or_default()),
        ("died", banner.died.as_deref().unwrap_or_default()),
        ("address", &banner.address.join(", ")),
        ("phones", &phones.join(", ")),
        ("usual gp", banner.usual_gp.as_deref().unwrap_or_default()),
        ("flags", &flags.join(", ")),
    ])];
    page.insert("banner".to_owned(), rows);
    page.insert("allergy header".to_owned(), allergy_header(&view.allergies));
    for section in &view.sections {
        let state = vec![row(&[("state", section.state.code())])];
        page.insert(format!("{} state", section.id), state);
        page.insert(section.id.to_string(), section.tables.iter().flat_map(table_rows).collect());
    }
    page
}

fn allergy_header(header: &AllergyHeader) -> Vec<Row> {
    let mut rows = vec![row(&[("words", header.words())])];
    if let AllergyHeader::Known(lines) = header {
        rows.extend(lines.iter().map(|line| {
            row(&[
                ("substance", &line.substance),
                ("coded", if line.coded { "coded" } else { "free text" }),
                ("reactions", &line.reactions.join("; ")),
                ("criticality", line.criticality.as_deref().unwrap_or_default()),
                ("status", &line.status),
            ])
        }));
    }
    rows
}

fn table_rows(table: &TableView) -> impl Iterator<Item = Row> + '_ {
    table.rows.iter().map(|read| {
        let cells = table.columns.iter().zip(&read.cells);
        let said = cells.filter(|(_, cell)| !cell.text.is_empty());
        let mut row: Row = said.map(|(column, cell)| ((*column).to_owned(), cell.text.clone())).collect();
        if !table.caption.is_empty() {
            row.insert("table".to_owned(), table.caption.clone());
        }
        row
    })
}

/// Reads a day list; appointments name their patients by record key, which differs from site to site.
fn day_page(bytes: &[u8], names: &BTreeMap<String, String>) -> (String, Page) {
    let view = day_list_view(bytes).expect("a day list can be shown");
    let mut rows = Vec::new();
    for session in &view.sessions {
        for slot in &session.slots {
            let patient = slot.patient_key.as_ref().and_then(|key| names.get(key));
            rows.push(row(&[
                ("time", &slot.time),
                ("until", slot.until.as_deref().unwrap_or_default()),
                ("patient", patient.map_or("nobody", String::as_str)),
                ("status", &slot.status),
                ("clinician", &slot.clinician),
                ("channel", slot.channel.as_deref().unwrap_or_default()),
                ("reason", slot.reason.as_deref().unwrap_or_default()),
                ("location", slot.location.as_deref().unwrap_or_default()),
                ("details", &slot.details.join("; ")),
            ]));
        }
    }
    (format!("day {}", view.title), Page::from([("appointments".to_owned(), rows)]))
}
