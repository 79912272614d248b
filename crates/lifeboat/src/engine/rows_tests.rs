//! The engine over batches of a small feed of tables: what applies, what is refused, and what is made again.

use super::rows::{Commit, Inbox, Order, RowStore, Scope};
use super::tests::{Site, mentions, sequence};
use super::{
    Acceptance, CommandSettings, Engine, EngineError, HostKey, NoProgress, SnapshotReport, Source, TableFeeds,
};
use jiff::civil::Date;
use lifeboat_feeds::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use lifeboat_feeds::{
    ColumnSpec, Format, Mapped, Mapping, Place, Problem, Reason, RowChange, RowKeys, RowSink, TableFeed,
    TableSpec, Unit, UnitRows, Values,
};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// Patients, their items, and the codes of items. A patient's or an item's row with `x` in `Gone` removes it.
struct Small;

static SMALL: Small = Small;

const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "Patient",
        columns: &[
            ColumnSpec::required("Id"),
            ColumnSpec::required("Name"),
            ColumnSpec::optional("Gone"),
            ColumnSpec::optional("Stamp"),
        ],
        key: &["Id"],
        place: Place::Patient("Id"),
        sections: &[],
    },
    TableSpec {
        name: "Item",
        columns: &[
            ColumnSpec::required("Id"),
            ColumnSpec::required("Patient"),
            ColumnSpec::required("Code").in_table("Code"),
            ColumnSpec::optional("Gone"),
        ],
        key: &["Id"],
        place: Place::Patient("Patient"),
        sections: &[],
    },
    TableSpec {
        name: "Code",
        columns: &[
            ColumnSpec::required("Id"),
            ColumnSpec::required("Term"),
            ColumnSpec::optional("Chapter").in_table("Chapter"),
        ],
        key: &["Id"],
        place: Place::Shared,
        sections: &[],
    },
    TableSpec {
        name: "Chapter",
        columns: &[
            ColumnSpec::required("Book"),
            ColumnSpec::required("Number"),
            ColumnSpec::required("Title"),
        ],
        key: &["Book", "Number"],
        place: Place::Shared,
        sections: &[],
    },
];

impl Small {
    /// Says which batch a file is of: `<practice>-<number>-<kind>-<table>.csv`.
    fn parts(name: &str) -> Option<(String, &'static TableSpec)> {
        let (batch, table) = name.strip_suffix(".csv")?.rsplit_once('-')?;
        Some((batch.to_owned(), TABLES.iter().find(|spec| spec.name == table)?))
    }
}

impl TableFeed for Small {
    fn format(&self) -> Format {
        Format::EmisWeb
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        TABLES
    }

    fn batches(&self, files: &[FileFacts], _: &dyn ReadHead) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        for (file, facts) in files.iter().enumerate() {
            let Some((name, table)) = Small::parts(facts.name()) else { continue };
            let table = BatchTable { file, table: table.name };
            if let Some(batch) = batches.iter_mut().find(|batch| batch.name == name) {
                batch.tables.push(table);
                continue;
            }
            let mut parts = name.split('-');
            let practice = parts.next().map(str::to_owned);
            let number: u32 = parts.next().and_then(|text| text.parse().ok()).expect("a number");
            let kind = match parts.next() {
                Some("full") => BatchKind::Full,
                Some("delta") => BatchKind::Delta,
                _ => BatchKind::Unsaid,
            };
            batches.push(Batch {
                order: format!("{number:03}"),
                kind,
                from: Some(format!("{:03}", number - 1)),
                until: Some(format!("{number:03}")),
                practice,
                exported: Some(jiff::civil::date(2026, 11, 20).at(1, 2, 3, 0)),
                tables: vec![table],
                problems: Vec::new(),
                refused: None,
                name,
            });
        }
        batches
    }

    fn change(
        &self,
        table: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let at = |column: &str| table.column(column).and_then(|at| values[at].as_deref()).map(str::to_owned);
        let key = at("Id").or_else(|| Some(format!("{}|{}", at("Book")?, at("Number")?)));
        let key = key.ok_or((Some("Id"), Reason::EmptyValue))?;
        let gone = at("Gone").is_some();
        Ok(match table.name {
            "Patient" if gone => RowChange::RemovePatient { patient: key },
            "Item" if gone => {
                RowChange::Remove { unit: at("Patient").map(Unit::Patient), table: table.name, key }
            }
            "Patient" => RowChange::Put { unit: Unit::Patient(key.clone()), table: table.name, key, values },
            "Item" => {
                let owner = at("Patient").ok_or((Some("Patient"), Reason::EmptyValue))?;
                RowChange::Put { unit: Unit::Patient(owner), table: table.name, key, values }
            }
            _ => RowChange::Put { unit: Unit::Shared, table: table.name, key, values },
        })
    }

    fn precedence(&self, table: &'static TableSpec, values: &Values) -> u64 {
        let stamp = table.column("Stamp").and_then(|at| values[at].as_deref());
        stamp.and_then(|stamp| stamp.parse().ok()).unwrap_or(0)
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        let Some(patient) = rows.rows("Patient").next() else {
            return Mapped { document: None, problems: vec![Problem::at("Patient", Reason::EmptyValue)] };
        };
        let id = patient.key();
        let mut problems = Vec::new();
        let mut entries =
            vec![json!({"resource": {"resourceType": "Patient", "id": id, "birthDate": "1980-08-14",
            "name": [{"family": patient.text("Name")}]}})];
        for item in rows.rows("Item") {
            let code = item.text("Code").and_then(|code| mapping.shared.row("Code", code));
            if code.is_none() {
                problems.push(Problem::at("Item.Code", Reason::Unresolved));
            }
            let term = code.and_then(|code| code.text("Term")).unwrap_or("unknown");
            let chapters = code.and_then(|code| code.text("Chapter"));
            let chapters = chapters.map(|book| mapping.shared.rows_beginning("Chapter", &format!("{book}|")));
            let titles: Vec<_> = chapters.into_iter().flatten().filter_map(|row| row.text("Title")).collect();
            entries.push(json!({"resource": {"resourceType": "Condition", "id": item.key(),
                "subject": {"reference": format!("Patient/{id}")},
                "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
                "code": {"text": format!("{term} {}", titles.join(" "))}}}));
        }
        let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
        Mapped { document: Some(bundle.to_string().into_bytes()), problems }
    }

    fn day(&self, _: Date, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }
}

fn site() -> Site {
    with_small(Site::new())
}

fn with_small(mut site: Site) -> Site {
    site.source = Source::Folder { path: site.folder.path().join("source"), format: Some(Format::EmisWeb) };
    site.table_feeds = TableFeeds::new(vec![&SMALL]);
    site
}

/// A full batch of three patients with an item each and two codes.
fn put_full(site: &Site) {
    site.put("A-1-full-Patient.csv", b"Id,Name,Gone,Stamp\na,Ash,,\nb,Birch,,\nc,Cedar,,\n");
    site.put("A-1-full-Item.csv", b"Id,Patient,Code,Gone\n1,a,k1,\n2,b,k2,\n3,c,k1,\n");
    site.put("A-1-full-Code.csv", b"Id,Term,Chapter\nk1,Gout,B\nk2,Asthma,\n");
    site.put("A-1-full-Chapter.csv", b"Book,Number,Title\nB,1,First\n");
}

/// Every record's text, by family name.
fn texts(site: &Site, engine: &Engine) -> Vec<(String, String)> {
    let names = ["Ash", "Birch", "Cedar", "Dogwood"];
    let records = site.records(engine);
    let mut texts: Vec<(String, String)> = records
        .values()
        .map(|record| {
            let name = names.iter().find(|name| mentions(record, name)).expect("a name");
            let conditions = record["entry"].as_array().into_iter().flatten();
            let texts = conditions.filter_map(|entry| entry["resource"]["code"]["text"].as_str());
            ((*name).to_owned(), texts.map(str::trim).collect::<Vec<_>>().join(","))
        })
        .collect();
    texts.sort();
    texts
}

fn pairs(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

fn counts(report: &SnapshotReport) -> (u64, u64, u64) {
    (report.added, report.changed, report.removed)
}

#[test]
fn batches_apply_one_after_the_other_and_only_what_changed_is_sealed_again() {
    let mut site = site();
    put_full(&site);
    let mut engine = site.engine();
    site.put("notes.csv", b"Id\n1\n");
    let first = site.snapshot(&mut engine);
    assert_eq!(first.notes.len(), 1, "{:?}", first.notes);
    assert_eq!(counts(&first), (3, 0, 0), "{first:?}");
    assert_eq!(first.source_time, Some("2026-11-20T01:02:03Z".parse().expect("a time")));
    assert_eq!(
        pairs(&texts(&site, &engine)),
        [("Ash", "Gout First"), ("Birch", "Asthma"), ("Cedar", "Gout First")]
    );
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));

    // An item is added, one moves from one patient to another, and nobody else is touched.
    site.put("A-2-delta-Item.csv", b"Id,Patient,Code,Gone\n4,b,k1,\n3,b,k1,\n");
    let second = site.snapshot(&mut engine);
    assert_eq!(counts(&second), (0, 2, 0), "{second:?}");
    assert_eq!(
        pairs(&texts(&site, &engine)),
        [("Ash", "Gout First"), ("Birch", "Asthma,Gout First,Gout First"), ("Cedar", "")]
    );

    // A removal that does not say whose row it is finds it; a removed patient goes with all rows.
    site.put("A-3-delta-Item.csv", b"Id,Patient,Code,Gone\n2,,k2,x\n");
    site.put("A-3-delta-Patient.csv", b"Id,Name,Gone,Stamp\nc,,x,\nd,Dogwood,,\n");
    drop(engine);
    let mut engine = site.engine();
    let third = site.snapshot(&mut engine);
    assert_eq!(counts(&third), (1, 1, 1), "{third:?}");
    assert_eq!(
        pairs(&texts(&site, &engine)),
        [("Ash", "Gout First"), ("Birch", "Gout First,Gout First"), ("Dogwood", "")]
    );
    assert_eq!(sequence(&site.snapshot(&mut engine)), (3, "heartbeat"));
}

#[test]
fn a_shared_row_that_changes_makes_again_just_the_documents_that_look_it_up() {
    let mut site = site();
    put_full(&site);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.put("A-2-delta-Code.csv", b"Id,Term,Chapter\nk2,Wheeze,\nk9,Nobody's,\n");
    assert_eq!(counts(&site.snapshot(&mut engine)), (0, 1, 0));
    // Rows are also found by the first column of their key, and through other rows.
    site.put("A-3-delta-Chapter.csv", b"Book,Number,Title\nB,2,Second\n");
    assert_eq!(counts(&site.snapshot(&mut engine)), (0, 2, 0));
    assert_eq!(
        pairs(&texts(&site, &engine)),
        [("Ash", "Gout First Second"), ("Birch", "Wheeze"), ("Cedar", "Gout First Second")]
    );
    // A row that nobody could find before is noticed when it comes, and the note about it goes.
    site.put("A-4-delta-Item.csv", b"Id,Patient,Code,Gone\n5,a,k7,\n");
    let noted = site.snapshot(&mut engine);
    assert_eq!((noted.notes.len(), noted.unreadable.len()), (1, 0), "{:?}", noted.notes);
    assert!(noted.notes[0].reason.contains("Item.Code"), "{:?}", noted.notes);
    site.put("A-5-delta-Code.csv", b"Id,Term,Chapter\nk7,Found,\n");
    let found = site.snapshot(&mut engine);
    assert_eq!((counts(&found), found.notes.len()), ((0, 1, 0), 0));
}

#[test]
fn a_full_batch_replaces_everything_and_what_is_the_same_is_not_sealed_again() {
    let mut site = site();
    put_full(&site);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.put("A-2-full-Patient.csv", b"Id,Name,Gone,Stamp\na,Ash,,\nb,Birch,,\nd,Dogwood,,\n");
    site.put("A-2-full-Item.csv", b"Id,Patient,Code,Gone\n1,a,k1,\n2,b,k2,\n");
    site.put("A-2-full-Code.csv", b"Id,Term,Chapter\nk1,Gout,B\nk2,Wheeze,\n");
    site.put("A-2-full-Chapter.csv", b"Book,Number,Title\nB,1,First\n");
    let report = site.snapshot_as(&mut engine, &Acceptance::ByPerson { reason: "a test".into() });
    assert_eq!(counts(&report), (1, 1, 1), "{report:?}");
    assert!(report.refused_batches.is_empty(), "{:?}", report.refused_batches);
    assert_eq!(pairs(&texts(&site, &engine)), [("Ash", "Gout First"), ("Birch", "Wheeze"), ("Dogwood", "")]);
}

#[test]
fn a_batch_that_does_not_follow_is_refused_and_the_records_stay() {
    for (name, why) in [("A-4-delta", "missing"), ("B-2-delta", "extract of B"), ("A-0-delta", "")] {
        let mut site = site();
        put_full(&site);
        let mut engine = site.engine();
        site.snapshot(&mut engine);
        let before = texts(&site, &engine);
        site.put(&format!("{}-Patient.csv", name.replace("-0-", "-1-")), b"Id,Name,Gone,Stamp\na,,x,\n");
        let report = site.snapshot(&mut engine);
        assert_eq!(sequence(&report), (1, "heartbeat"), "{name}");
        assert_eq!(texts(&site, &engine), before, "{name}");
        assert_eq!(report.refused_batches.len(), 1, "{name}: {report:?}");
        assert!(report.refused_batches[0].reason.contains(why), "{:?}", report.refused_batches);
    }
}

#[test]
fn the_row_of_greater_precedence_holds_whatever_the_order_of_rows() {
    let mut site = site();
    put_full(&site);
    site.put("A-2-delta-Patient.csv", b"Id,Name,Gone,Stamp\na,Dogwood,,7\na,,x,6\nb,,x,9\nb,Birch,,8\n");
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    assert_eq!(pairs(&texts(&site, &engine)), [("Cedar", "Gout First"), ("Dogwood", "Gout First")]);
}

#[test]
fn rows_that_cannot_be_read_are_reported_as_long_as_their_batch_counts() {
    // So few that the gate does not mind.
    let mut site = site();
    put_full(&site);
    site.put("A-2-delta-Item.csv", b"Id,Patient,Code,Gone\n6,a,k1,\n7,a\n8,a\n");
    let mut engine = site.engine();
    let first = site.snapshot(&mut engine);
    assert_eq!(first.unreadable_count(), 2, "{:?}", first.unreadable);
    assert_eq!(first.unreadable.len(), 1, "{:?}", first.unreadable);
    assert_eq!((first.unreadable[0].line, first.unreadable[0].times), (Some(2), 2), "{:?}", first.unreadable);
    let second = site.snapshot(&mut engine);
    assert_eq!((sequence(&second), second.unreadable), ((1, "heartbeat"), first.unreadable));
}

#[test]
fn lost_rows_are_made_again_from_a_full_batch_and_missed_where_there_is_none() {
    let mut site = site();
    put_full(&site);
    site.put("A-2-delta-Item.csv", b"Id,Patient,Code,Gone\n4,b,k1,\n");
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let before = texts(&site, &engine);
    drop(engine);
    let rows = site.folder.path().join("state/rows.redb");
    let mut bytes = fs::read(&rows).expect("the rows");
    bytes.iter_mut().skip(4096).step_by(97).for_each(|byte| *byte ^= 0x5a);
    fs::write(&rows, &bytes).expect("damages the rows");
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));
    assert_eq!(texts(&site, &engine), before);

    drop(engine);
    fs::remove_file(&rows).expect("loses the rows");
    for table in ["Patient", "Item", "Code", "Chapter"] {
        site.take_away(&format!("A-1-full-{table}.csv"));
    }
    let mut engine = site.engine();
    let error = engine.take_snapshot(
        "2026-11-22T08:00:00Z".parse().expect("a time"),
        &Acceptance::ByGate,
        &NoProgress,
    );
    assert!(matches!(error, Err(EngineError::RowsLost { damaged: false })), "{error:?}");
    assert_eq!(texts(&site, &engine), before);
}

#[test]
fn a_batch_that_does_not_say_what_it_is_begins_once_and_never_again() {
    let mut site = site();
    site.put("A-1-any-Patient.csv", b"Id,Name,Gone,Stamp\na,Ash,,\nb,Birch,,\n");
    site.put("A-2-any-Patient.csv", b"Id,Name,Gone,Stamp\nc,Cedar,,\n");
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    assert_eq!(texts(&site, &engine).len(), 3);
    drop(engine);
    fs::remove_file(site.folder.path().join("state/rows.redb")).expect("loses the rows");
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));
    drop(engine);
    fs::remove_file(site.folder.path().join("state/rows.redb")).expect("loses the rows");
    site.take_away("A-1-any-Patient.csv");
    let mut engine = site.engine();
    let now = "2026-11-22T08:00:00Z".parse().expect("a time");
    let error = engine.take_snapshot(now, &Acceptance::ByGate, &NoProgress);
    assert!(matches!(error, Err(EngineError::RowsLost { .. })), "{error:?}");
}

#[test]
fn no_name_of_a_patient_or_row_stands_in_the_database_of_rows() {
    let mut site = site();
    site.put("A-1-full-Patient.csv", b"Id,Name,Gone,Stamp\nMARKER-ID,MARKER-NAME,,\nb,Birch,,\n");
    site.put("A-1-full-Item.csv", b"Id,Patient,Code,Gone\nMARKER-ITEM,MARKER-ID,MARKER-CODE,\n");
    site.put("A-1-full-Code.csv", b"Id,Term,Chapter\nMARKER-CODE,MARKER-TERM,\n");
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    drop(engine);
    let bytes = fs::read(site.folder.path().join("state/rows.redb")).expect("the rows");
    assert!(!bytes.windows(6).any(|window| window == b"MARKER"));
}

fn values(texts: &[&str]) -> Values {
    texts.iter().map(|text| (!text.is_empty()).then(|| Box::from(*text))).collect()
}

fn put(unit: Unit, table: &'static str, key: &str, texts: &[&str]) -> RowChange {
    RowChange::Put { unit, table, key: key.to_owned(), values: values(texts) }
}

#[test]
fn a_pullers_changes_last_with_its_cursor_and_its_keys_are_known() {
    let mut site = site();
    site.source = Source::Pulled(&SMALL);
    let mut engine = site.engine();
    let ash = || Unit::Patient("a".into());
    let mut sink = engine.row_sink(&SMALL).expect("a sink");
    assert_eq!(sink.cursor().expect("reads"), None);
    sink.change(put(ash(), "Patient", "a", &["a", "Ash", "", ""])).expect("takes");
    sink.change(put(ash(), "Item", "1", &["1", "a", "k1", ""])).expect("takes");
    sink.change(put(Unit::Shared, "Code", "k1", &["k1", "Gout", ""])).expect("takes");
    assert_eq!(sink.keys("Item", "").expect("keys"), ["1"]);
    sink.commit(b"one").expect("commits");
    sink.change(put(ash(), "Item", "2", &["2", "a", "k1", ""])).expect("takes");
    sink.change(RowChange::Remove { unit: None, table: "Item", key: "1".into() }).expect("takes");
    assert_eq!(sink.keys("Item", "").expect("keys"), ["2"]);
    drop(sink);
    let mut sink = engine.row_sink(&SMALL).expect("a sink");
    assert_eq!(
        (sink.cursor().expect("reads").as_deref(), sink.keys("Item", "1").expect("keys").len()),
        (Some(&b"one"[..]), 1)
    );
    engine.note_pulled("2026-11-20T12:00:00Z".parse().expect("a time"), Vec::new());
    let report = site.snapshot(&mut engine);
    assert_eq!(
        (report.patients, report.source_time.map(|time| time.to_string())),
        (1, Some("2026-11-20T12:00:00Z".into()))
    );
    assert_eq!(pairs(&texts(&site, &engine)), [("Ash", "Gout")]);
    let mut sink = engine.row_sink(&SMALL).expect("a sink");
    sink.change(RowChange::RemovePatient { patient: "a".into() }).expect("takes");
    sink.change(put(ash(), "Patient", "a", &["a", "Ash", "", ""])).expect("takes");
    sink.commit(b"two").expect("commits");
    assert_eq!(counts(&site.snapshot(&mut engine)), (0, 1, 0));
    assert_eq!(pairs(&texts(&site, &engine)), [("Ash", "")]);
}

#[test]
fn rows_that_outgrow_memory_come_to_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = HostKey::generate().expect("a key");
    let mut store = RowStore::open(&folder.path().join("rows.redb"), host, &SMALL, 2).expect("opens");
    let router = store.router(Scope::Full);
    let mut inbox = Inbox::new(Scope::Full).expect("an inbox");
    let long = "x".repeat(4_000);
    let mut routed = Vec::new();
    for row in 0..20_000_u64 {
        let (owner, key) = (format!("p{}", row % 40), format!("{row}"));
        let change = put(Unit::Patient(owner.clone()), "Item", &key, &[&key, &owner, &long, ""]);
        let order = Order { precedence: 0, file: 0, row };
        router.route(order, None, change, &mut routed).expect("routes");
        routed.drain(..).for_each(|one| inbox.take(one).expect("takes"));
    }
    assert_eq!(store.apply(inbox, Commit::default(), 2).expect("applies"), 40);
    let mut rows = 0;
    let view = store.view(&lifeboat_feeds::Rules::default(), 2).expect("a view");
    view.each_unit(|_, _| {
        rows += 1;
        true
    })
    .expect("visits");
    assert_eq!(rows, 40);
    let mut sink = super::StoreSink::new(&mut store, 2);
    assert_eq!(sink.keys("Item", "").expect("keys").len(), 20_000);
}

#[test]
fn documents_in_archives_are_read_like_files() {
    let mut site = Site::new();
    site.source = Source::Folder { path: site.folder.path().join("source"), format: None };
    let file = fs::File::create(site.folder.path().join("source/export.zip")).expect("a file");
    let mut archive = zip::ZipWriter::new(file);
    for (name, family) in [("a", "Ash"), ("b", "Birch")] {
        archive
            .start_file(format!("{name}.json"), zip::write::SimpleFileOptions::default())
            .expect("an entry");
        let patient = json!({"resourceType": "Patient", "id": name, "birthDate": "1980-08-14",
            "meta": {"profile": ["http://hl7.org/fhir/uv/ips/StructureDefinition/Patient-uv-ips"]},
            "name": [{"family": family}]});
        std::io::Write::write_all(&mut archive, patient.to_string().as_bytes()).expect("writes");
    }
    archive.finish().expect("ends");
    let mut engine = site.engine();
    let report = site.snapshot(&mut engine);
    assert_eq!((report.patients, report.unreadable.len()), (2, 0), "{:?}", report.unreadable);
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));
}

#[test]
fn a_source_of_no_known_format_is_an_error_that_names_what_was_seen() {
    let mut site = Site::new();
    site.source = Source::Folder { path: site.folder.path().join("source"), format: None };
    site.put("letter.pdf", b"%PDF-1.7\n");
    let mut engine = site.engine();
    let now = "2026-11-22T08:00:00Z".parse().expect("a time");
    let error = engine.take_snapshot(now, &Acceptance::ByGate, &NoProgress).expect_err("refuses");
    assert!(matches!(error, EngineError::NotRecognised { .. }), "{error}");
    assert!(error.to_string().contains("1 ×") && !error.to_string().contains("letter"), "{error}");
}

#[test]
fn what_a_command_writes_is_the_source_and_its_failure_replaces_nothing() {
    let mut site = Site::new();
    let documents = site.folder.path().join("documents");
    fs::write(&documents, r#"{"resourceType":"Patient","id":"a","name":[{"family":"Ash"}]}"#)
        .expect("a file");
    site.source = Source::Command(CommandSettings {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), format!("cat '{}' || exit 7", documents.display())],
        withheld_variables: Vec::new(),
        timeout: Duration::from_secs(20),
        output_bytes_max: 1_000,
        format: Format::FhirR4,
    });
    let mut engine = site.engine();
    assert_eq!(site.snapshot(&mut engine).patients, 1);
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));
    fs::remove_file(&documents).expect("removes");
    let now = "2026-11-22T08:00:00Z".parse().expect("a time");
    let error = engine.take_snapshot(now, &Acceptance::ByGate, &NoProgress);
    assert!(matches!(error, Err(EngineError::Command(_))), "{error:?}");
    assert_eq!(site.records(&engine).len(), 1);
}

/// The process is killed at each step of applying a batch; the next run completes it.
#[cfg(feature = "crash-steps")]
mod crash {
    use super::{counts, pairs, put_full, site, texts};
    use std::process::Command;

    const CHILD: &str = "LIFEBOAT_TEST_ROWS";

    /// Takes the snapshot in which the process is killed, when the other test asks for it.
    #[test]
    fn in_a_process_of_its_own() {
        let Some(folder) = std::env::var_os(CHILD) else { return };
        let site = super::Site::in_folder(folder.as_ref());
        let mut site = super::with_small(site);
        let mut engine = site.engine();
        site.snapshot(&mut engine);
    }

    #[test]
    fn a_batch_is_applied_whole_or_not_at_all_whenever_the_process_is_killed() {
        for step in 1.. {
            let mut site = site();
            site.keep_keys();
            put_full(&site);
            let mut engine = site.engine();
            site.snapshot(&mut engine);
            drop(engine);
            site.put("A-2-delta-Item.csv", b"Id,Patient,Code,Gone\n4,b,k1,\n3,b,k1,\n");
            let status = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "engine::rows_tests::crash::in_a_process_of_its_own"])
                .env(CHILD, site.folder.path())
                .env("LIFEBOAT_CRASH_AT", step.to_string())
                .output()
                .expect("runs")
                .status;
            let mut engine = site.engine();
            site.snapshot(&mut engine);
            let expected = [("Ash", "Gout First"), ("Birch", "Asthma,Gout First,Gout First"), ("Cedar", "")];
            assert_eq!(pairs(&texts(&site, &engine)), expected, "step {step}");
            assert_eq!(counts(&site.snapshot(&mut engine)), (0, 0, 0), "step {step}");
            if status.success() {
                assert!(step > 5, "{step} steps");
                return;
            }
        }
    }
}
