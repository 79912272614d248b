//! Tests: what is written reads as the practice's own FHIR R4 does, but for what the format forces.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::rc::Rc;

use jiff::civil::{Date, date};
use lifeboat_clinical::view::{AllergyHeader, PatientView, TableView, patient_view};
use lifeboat_clinical::{DayWindow, FeedProfile, Owner, Piece, SharedResources, build_patient_record};

use super::{FORCED, write};
use crate::rules::Rules;
use crate::synth::fhir::{self, FhirLayout};
use crate::synth::{Order, Sink};

const PATIENTS: usize = 80;

fn order() -> Order {
    Order::full(PATIENTS, 7, date(2026, 11, 21))
}

/// Keeps files in memory.
#[derive(Default)]
struct Memory(BTreeMap<String, Rc<RefCell<Vec<u8>>>>);

struct File(Rc<RefCell<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        let bytes: Rc<RefCell<Vec<u8>>> = Rc::default();
        assert!(self.0.insert(path.to_owned(), Rc::clone(&bytes)).is_none(), "{path} is written twice");
        Ok(Box::new(File(bytes)))
    }
}

impl Memory {
    fn files(self) -> BTreeMap<String, Vec<u8>> {
        self.0.into_iter().map(|(path, bytes)| (path, bytes.borrow().clone())).collect()
    }
}

fn gp_connect(order: &Order) -> BTreeMap<String, Vec<u8>> {
    let mut memory = Memory::default();
    write(order, &mut memory).expect("memory takes everything");
    let files = memory.files();
    files
        .into_iter()
        .map(|(path, bytes)| {
            let translated =
                crate::gpconnect::translate(&bytes, &Rules::default()).expect("our own document");
            assert!(translated.problems.is_empty(), "{path}: {:?}", translated.problems);
            (path, translated.document)
        })
        .collect()
}

fn fhir_r4(order: &Order, layout: FhirLayout) -> BTreeMap<String, Vec<u8>> {
    let mut memory = Memory::default();
    fhir::write(order, &mut memory, layout).expect("memory takes everything");
    memory.files()
}

type Row = BTreeMap<String, String>;
type Page = BTreeMap<String, Vec<Row>>;

/// Builds every patient's page from documents, as the engine would from a folder of them.
fn pages(documents: &BTreeMap<String, Vec<u8>>, today: Date) -> BTreeMap<String, Page> {
    let window = DayWindow { first: today, last: today };
    let mut feed = FeedProfile::default();
    let mut shared = SharedResources::default();
    let mut own: BTreeMap<Owner, Vec<Piece>> = BTreeMap::new();
    let mut claims = BTreeMap::new();
    for document in documents.values() {
        let outline = lifeboat_clinical::outline(document).expect("FHIR R4");
        assert!(outline.skipped.is_empty(), "{:?}", outline.skipped);
        feed.supplied.extend(&outline.types);
        claims.extend(outline.claims.into_iter().map(|claim| (claim.reference, claim.name)));
    }
    for document in documents.values() {
        for mut piece in lifeboat_clinical::split(document, &window).expect("FHIR R4") {
            if let Owner::Reference(reference) = &piece.owner {
                piece.owner =
                    claims.get(reference).map_or(Owner::Shared, |name| Owner::Patient(name.clone()));
            }
            match piece.owner {
                Owner::Patient(_) => own.entry(piece.owner.clone()).or_default().push(piece),
                Owner::Shared => {
                    shared.insert(piece);
                }
                _ => {}
            }
        }
    }
    own.into_values()
        .map(|pieces| {
            let record = build_patient_record(pieces, &shared, &feed, today);
            let view = patient_view(&record.bytes, today).expect("a record can be shown");
            (format!("{} {} {}", view.banner.nhs, view.banner.name, view.banner.born), page(&view))
        })
        .collect()
}

fn row(cells: &[(&str, &str)]) -> Row {
    let said = cells.iter().filter(|(_, text)| !text.is_empty());
    said.map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect()
}

fn page(view: &PatientView) -> Page {
    let mut page = Page::new();
    let banner = &view.banner;
    let flags: Vec<&str> = banner.flags.iter().map(|flag| flag.words()).collect();
    page.insert(
        "banner".to_owned(),
        vec![row(&[
            ("name", &banner.name),
            ("preferred", banner.preferred.as_deref().unwrap_or_default()),
            ("born", &banner.born),
            ("gender", &banner.gender),
            ("nhs", &banner.nhs),
            ("nhs note", banner.nhs_note.as_deref().unwrap_or_default()),
            ("died", banner.died.as_deref().unwrap_or_default()),
            ("address", &banner.address.join(", ")),
            ("phones", &banner.phones.join(", ")),
            ("usual gp", banner.usual_gp.as_deref().unwrap_or_default()),
            ("flags", &flags.join(", ")),
        ])],
    );
    page.insert("person".to_owned(), view.person.iter().flat_map(rows).collect());
    let mut header = vec![row(&[("words", view.allergies.words())])];
    if let AllergyHeader::Known(lines) = &view.allergies {
        header.extend(lines.iter().map(|line| {
            row(&[
                ("substance", &line.substance),
                ("coded", if line.coded { "coded" } else { "free text" }),
                ("reactions", &line.reactions.join("; ")),
                ("criticality", line.criticality.as_deref().unwrap_or_default()),
                ("status", &line.status),
            ])
        }));
    }
    page.insert("allergy header".to_owned(), header);
    for section in &view.sections {
        page.insert(format!("{} state", section.id), vec![row(&[("state", section.state.code())])]);
        page.insert(section.id.to_string(), section.tables.iter().flat_map(rows).collect());
    }
    page
}

fn rows(table: &TableView) -> impl Iterator<Item = Row> + '_ {
    table.rows.iter().map(|read| {
        let cells = table.columns.iter().zip(&read.cells).filter(|(_, cell)| !cell.text.is_empty());
        let mut row: Row = cells.map(|(column, cell)| ((*column).to_owned(), cell.text.clone())).collect();
        if !table.caption.is_empty() {
            row.insert("table".to_owned(), table.caption.clone());
        }
        row
    })
}

type Differences = BTreeMap<(String, String), (usize, String)>;

/// Compares all pages, part by part and column by column, rows in any order.
fn differences(expected: &BTreeMap<String, Page>, found: &BTreeMap<String, Page>) -> Differences {
    let mut differences = Differences::new();
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for ((name, expected), found) in expected.iter().zip(found.values()) {
        for part in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let none = Vec::new();
            let (expected, found) = (expected.get(part).unwrap_or(&none), found.get(part).unwrap_or(&none));
            let columns: BTreeSet<&String> = expected.iter().chain(found).flat_map(BTreeMap::keys).collect();
            for column in columns {
                let cells = |rows: &[Row]| {
                    let cells = rows.iter().map(|row| row.get(column).cloned().unwrap_or_default());
                    let mut cells: Vec<String> = cells.collect();
                    cells.sort();
                    cells
                };
                let (expected, found) = (cells(expected), cells(found));
                if expected != found {
                    let only = |these: &[String], those: &[String]| {
                        let only: Vec<String> =
                            these.iter().filter(|cell| !those.contains(cell)).take(2).cloned().collect();
                        format!("{only:?} of {}", these.len())
                    };
                    let mut what = String::new();
                    let _ = write!(
                        what,
                        "{name}: expected {}, found {}",
                        only(&expected, &found),
                        only(&found, &expected)
                    );
                    let known = differences.entry((part.clone(), column.clone())).or_insert((0, what));
                    known.0 += 1;
                }
            }
        }
    }
    differences
}

#[test]
fn gp_connect_documents_read_as_fhir_does_but_for_what_the_format_forces() {
    let order = order();
    let expected = pages(&fhir_r4(&order, FhirLayout::Bundles), order.today);
    let found = pages(&gp_connect(&order), order.today);
    assert_eq!(expected.len(), PATIENTS);
    let differences = differences(&expected, &found);
    let is_forced = |part: &str, column: &str| {
        FORCED.iter().any(|forced| forced.section == part && (forced.field == "*" || forced.field == column))
    };
    let unforced: Vec<String> = differences
        .iter()
        .filter(|((part, column), _)| !is_forced(part, column))
        .map(|((part, column), (count, what))| format!("{part} / {column}: {count} pages, {what}"))
        .collect();
    assert!(unforced.is_empty(), "{}", unforced.join("\n"));
    for forced in FORCED.iter().filter(|forced| forced.section != "appointments") {
        let is_real = differences
            .keys()
            .any(|(part, column)| part == forced.section && (forced.field == "*" || forced.field == column));
        assert!(is_real, "{} / {}: {}, but there is no difference", forced.section, forced.field, forced.why);
    }
}

#[test]
fn what_has_no_area_is_among_the_uncategorised_data() {
    let order = order();
    let expected = pages(&fhir_r4(&order, FhirLayout::Bundles), order.today);
    let found = pages(&gp_connect(&order), order.today);
    let entries = |page: &Page, parts: &[&str]| -> Vec<(String, String)> {
        let rows = parts.iter().flat_map(|part| page.get(*part).into_iter().flatten());
        rows.filter_map(|row| Some((row.get("Date")?.clone(), row.get("Entry")?.clone()))).collect()
    };
    let mut checked = 0;
    for (expected, found) in expected.values().zip(found.values()) {
        let found = entries(found, &["other-items", "alerts"]);
        for entry in entries(expected, &["procedures", "alerts"]) {
            assert!(found.contains(&entry), "{entry:?} is not in {found:?}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn bulk_data_reads_as_bundles_do() {
    let order = order();
    let bundles = pages(&fhir_r4(&order, FhirLayout::Bundles), order.today);
    let mut lines = BTreeMap::new();
    let files = fhir_r4(&order, FhirLayout::Bulk);
    assert!(files.contains_key("manifest.json") && files.contains_key("Patient.000.ndjson"));
    for (path, bytes) in files.into_iter().filter(|(path, _)| path.ends_with(".ndjson")) {
        for (number, line) in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            lines.insert(format!("{path} {number}"), line.to_vec());
        }
    }
    assert_eq!(differences(&bundles, &pages(&lines, order.today)), Differences::new());
}

#[test]
fn later_extracts_hold_whole_documents_of_changed_patients_alone() {
    let order = Order { share: 0.2, ..order() }.later(2);
    let practice = order.practice();
    let changed = (0..PATIENTS).filter(|index| order.holds(&practice, *index)).count();
    assert!(changed > 3 && changed < PATIENTS / 2, "{changed}");
    for files in [gp_connect(&order), fhir_r4(&order, FhirLayout::Bundles)] {
        assert_eq!(files.len(), changed);
        assert!(files.keys().all(|path| path.starts_with("patient-")));
    }
    let whole = fhir_r4(&order, FhirLayout::Bulk);
    let patients = String::from_utf8_lossy(&whole["Patient.000.ndjson"]).lines().count();
    assert_eq!(patients, PATIENTS);
}

#[test]
fn the_same_order_gives_the_same_bytes() {
    let write_once = || {
        let mut memory = Memory::default();
        write(&Order { patients: 5, ..order() }, &mut memory).expect("memory takes everything");
        memory.files()
    };
    assert_eq!(write_once(), write_once());
}
