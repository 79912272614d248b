use std::io;

use super::*;
use crate::batch::Batch;
use crate::feed::{Mapped, Mapping};
use crate::problem::Reason;
use crate::rows::{RowChange, UnitRows, Values};
use crate::spec::{ColumnSpec, Place, TableSpec};
use crate::table::{Dialect, Header};

/// A feed with tables and nothing else.
struct Known(Format, &'static [TableSpec], Dialect);

impl TableFeed for Known {
    fn format(&self) -> Format {
        self.0
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        self.1
    }

    fn dialect(&self, _: &TableSpec) -> Dialect {
        self.2
    }

    fn batches(&self, _: &[FileFacts], _: &dyn ReadHead) -> Vec<Batch> {
        vec![]
    }

    fn change(&self, _: &'static TableSpec, _: Values) -> Result<RowChange, (Option<&'static str>, Reason)> {
        Ok(RowChange::Ignore)
    }

    fn patient(&self, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }

    fn day(&self, _: jiff::civil::Date, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }
}

const fn table(name: &'static str, columns: &'static [ColumnSpec]) -> TableSpec {
    TableSpec { name, columns, key: &[], place: Place::Shared, sections: &[] }
}

const HEADERLESS: Dialect = Dialect { header: Header::Absent, ..Dialect::CSV };

const EMIS: Known = Known(
    Format::EmisWeb,
    &[
        table(
            "Admin_Patient",
            &[
                ColumnSpec::required("PatientGuid"),
                ColumnSpec::optional("Surname"),
                ColumnSpec::optional("ExternalUsualGP").or(&["ExternalUsusalGP"]),
            ],
        ),
        table("Both", &[ColumnSpec::required("Id"), ColumnSpec::optional("Term")]),
    ],
    Dialect::CSV,
);

const TPP: Known = Known(
    Format::SystmOne,
    &[
        table("SRPatient", &[ColumnSpec::required("RowIdentifier"), ColumnSpec::optional("Surname")]),
        table("SRBoth", &[ColumnSpec::required("Id"), ColumnSpec::optional("Term")]),
    ],
    Dialect::CSV,
);

const VISION: Known = Known(
    Format::Vision,
    &[table(
        "journal",
        &[ColumnSpec::required("PID"), ColumnSpec::required("CODE"), ColumnSpec::required("SUBSET")],
    )],
    HEADERLESS,
);

struct Files(Vec<Vec<u8>>);

impl ReadHead for Files {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        let content = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(content[..content.len().min(bytes_max)].to_vec())
    }
}

fn recognise_all(files: &[(&str, &[u8])]) -> Recognition {
    let facts: Vec<FileFacts> = files
        .iter()
        .map(|(path, content)| FileFacts { path: (*path).into(), bytes: content.len() as u64 })
        .collect();
    let heads = Files(files.iter().map(|(_, content)| content.to_vec()).collect());
    recognise(&[&EMIS, &TPP, &VISION], &facts, &heads)
}

fn check(files: &[(&str, &[u8])], format: Result<Format, NotRecognised>, evidence: &[&str]) {
    let found = recognise_all(files);
    let shown: Vec<String> = found.evidence.iter().map(ToString::to_string).collect();
    assert_eq!(
        (found.format, shown.iter().map(String::as_str).collect::<Vec<_>>()),
        (format, evidence.to_vec())
    );
}

/// Checks one file by its content alone.
fn check_one(content: impl AsRef<[u8]>, format: Result<Format, NotRecognised>, what: &str) {
    let found = recognise_all(&[("a.txt", content.as_ref())]);
    assert_eq!(found.format, format, "{what}");
    let expected = format!("1 file: {what} (a.txt)");
    assert_eq!(found.evidence.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

const NONE: Result<Format, NotRecognised> = Err(NotRecognised::None);

const EMIS_FILE: &str = "b/291_Admin_Patient_20150211164536_45E7CD20-EE37-41AB-90D6-DC9D4B03D102.csv";

#[test]
fn the_names_of_the_great_extracts_decide() {
    let encrypted = format!("{EMIS_FILE}.gpg");
    let name = &EMIS_FILE[2..];
    check(
        &[(EMIS_FILE, b"nothing"), ("b/.DS_Store", b"\0"), ("readme.txt", b"hello")],
        Ok(Format::EmisWeb),
        &[
            &format!("1 file: named as the EMIS Web extract names its tables ({name})"),
            "1 file: is text, and no table that is known (readme.txt)",
        ],
    );
    let found = recognise_all(&[(&encrypted, b"\x85\x01\x0c")]);
    assert_eq!((found.format, found.encrypted), (Ok(Format::EmisWeb), 1));
    assert!(found.evidence[0].what.ends_with("decrypt it first, for instance with gpg --decrypt"));
    check(
        &[("x/20240101_0100/SRManifest.csv", b"a"), ("x/20240101_0100/SRCode.csv", b"b")],
        Ok(Format::SystmOne),
        &["2 files: tables of a SystmOne extract, beside its SRManifest.csv (SRManifest.csv, SRCode.csv)"],
    );
    check(
        &[
            ("x/SRManifest.csv", b"a"),
            ("x/SRExtract.zip/SRCode.csv", b"b"),
            ("SRExtract.ZIP/SRCode.csv", b"c"),
        ],
        Ok(Format::SystmOne),
        &[
            "2 files: tables of a SystmOne extract, beside its SRManifest.csv (SRManifest.csv, SRCode.csv)",
            "1 file: is text, and no table that is known (SRCode.csv)",
        ],
    );
    check(
        &[("z.zip/FULL_F86007_patient_data_extract-2018-08-17-000500.csv", b"1")],
        Ok(Format::Vision),
        &[
            "1 file: named as the Vision extract names its tables (FULL_F86007_patient_data_extract-2018-08-17-000500.csv)",
        ],
    );
    for name in
        ["291_Admin_Patient_2015_45E7CD20.csv", "FULL_patient_data_extract-1.csv", "SRCode.csv", "1_a.csv"]
    {
        assert_eq!(recognise_all(&[(name, b"x")]).format, NONE, "{name}");
    }
}

#[test]
fn json_is_recognised_by_its_own_words() {
    let r4 = |text: &str, what: &str| check_one(text, Ok(Format::FhirR4), what);
    let stu3 = |text: &str, what: &str| check_one(text, Ok(Format::GpConnect), what);
    r4(
        "{\"resourceType\":\"Bundle\",\"type\":\"document\"}",
        "a FHIR Bundle, with no sign of a version other than R4",
    );
    r4(" [{\"resourceType\":\"Patient\"}]", "a FHIR resource, with no sign of a version other than R4");
    r4(
        "{\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Condition\",\"clinicalStatus\":{\"coding\":[]}}",
        "lines of FHIR resources (NDJSON) of FHIR R4 (a clinical status as a concept)",
    );
    r4("{\"transactionTime\":\"t\",\"output\":[]}", "the manifest of a FHIR Bulk Data export");
    stu3(
        "{\"entry\":[{\"resource\":{\"resourceType\":\"Patient\"}}],\"meta\":{\"profile\":[\"https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-StructuredRecord-Bundle-1\"]},\"resourceType\":\"Bundle\"}",
        "a FHIR Bundle of FHIR STU3 (the profile of GP Connect's structured record)",
    );
    stu3(
        "{\"resourceType\":\"AllergyIntolerance\",\"clinicalStatus\":\"active\"}",
        "a FHIR resource of FHIR STU3 (a clinical status as a code)",
    );
    check_one(
        "{\"resourceType\":\"Bundle\",\"a\":{\"clinicalStatus\":{}},\"b\":{\"taken\":\"y\"}}",
        Err(NotRecognised::Tie(vec![Format::FhirR4, Format::GpConnect])),
        "a FHIR Bundle with signs of STU3 (whether a medicine is taken) and of R4 (a clinical status as a concept)",
    );
    check_one("{\"type\":\"document\"}", NONE, "is JSON and, as far as its beginning tells, not FHIR");
    check_one("[[[[\"resourceType\"", NONE, "is JSON and, as far as its beginning tells, not FHIR");
    check_one(
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"meta\":{\"profile\":[\"http://fhir.nhs.net/StructureDefinition/gpconnect-carerecord-composition-1\"]}}}]}",
        NONE,
        "is GP Connect Access Record: HTML (FHIR DSTU2), which is not read",
    );
    // What a text says is no key.
    r4(
        "{\"resourceType\":\"Patient\",\"text\":\"\\\"taken\\\": \\\"y\\\"\",\"note\":[\"taken\"]}",
        "a FHIR resource, with no sign of a version other than R4",
    );
}

#[test]
fn xml_is_recognised_by_its_root_and_templates() {
    let cases: [(&str, Result<Format, NotRecognised>, &str); 9] = [
        (
            "<?xml version=\"1.0\"?><!-- c --><ClinicalDocument xmlns=\"urn:hl7-org:v3\"><templateId root=\"2.16.840.1.113883.10.20.22.1.2\"/>",
            Ok(Format::CCda),
            "a clinical document (CDA) with templates of C-CDA",
        ),
        (
            "<v:ClinicalDocument xmlns:v=\"urn:hl7-org:v3\"><v:realmCode code='US'/></v:ClinicalDocument>",
            Ok(Format::CCda),
            "a clinical document (CDA) of the realm that C-CDA is for",
        ),
        (
            "<ClinicalDocument/>",
            NONE,
            "is a clinical document (CDA) without templates of C-CDA, which is not read",
        ),
        (
            "<s:Envelope xmlns:s=\"x\"><s:Body><QUPC_IN210000UK04 xmlns=\"urn:hl7-org:v3\">",
            Ok(Format::GpSummary),
            "a GP summary of the Summary Care Record",
        ),
        ("<GPSummary>", Ok(Format::GpSummary), "a GP summary of the Summary Care Record"),
        ("<Bundle xmlns=\"http://hl7.org/fhir\">", NONE, "is FHIR as XML; it is read as JSON only"),
        ("<OpenHealthRecord>", NONE, "is an OpenHR record of EMIS, which is not read"),
        ("<!DOCTYPE html><html>", NONE, "is a web page, which no feed is read from"),
        ("<other a='<", NONE, "begins as XML does, and is none"),
    ];
    for (text, format, what) in cases {
        check_one(text, format, what);
    }
}

#[test]
fn tables_are_recognised_by_their_columns() {
    check_one(
        "\u{feff}surname,PATIENTGUID,ExternalUsusalGP,New\n",
        Ok(Format::EmisWeb),
        "3 of 4 columns are those of Admin_Patient (EMIS Web extract)",
    );
    check_one(
        "\"RowIdentifier\",\"Surname\"\r\n\"1\",\"x\"\r\n",
        Ok(Format::SystmOne),
        "2 of 2 columns are those of SRPatient (TPP SystmOne extract (SRExtract))",
    );
    check_one(
        "Surname,ExternalUsualGP\n",
        NONE,
        "is like the table Admin_Patient (EMIS Web extract), but lacks its column PatientGuid",
    );
    check_one(
        "1,XE0,A\n22,XE1,\n333,XE2,L",
        Ok(Format::Vision),
        "no header, and rows of 3 fields as in journal (Vision extract)",
    );
    check_one("1,XE0,A\n22,XE1,Q\n", NONE, "is text, and no table that is known");
    check_one("1,XE0,A\nx,XE1,A\n", NONE, "is text, and no table that is known");
    let packed = zstd::encode_all(&b"PatientGuid,Surname\n"[..], 1).expect("memory takes it");
    check_one(packed, Ok(Format::EmisWeb), "2 of 2 columns are those of Admin_Patient (EMIS Web extract)");
}

#[test]
fn what_fits_two_formats_or_is_mixed_is_not_recognised() {
    let both: &[u8] = b"Id,Term\n";
    let tie = Err(NotRecognised::Tie(vec![Format::EmisWeb, Format::SystmOne]));
    assert_eq!(recognise_all(&[("a.csv", both)]).format, tie);
    assert_eq!(recognise_all(&[("SRBoth.csv", both)]).format, Ok(Format::SystmOne), "its name says which");
    assert_eq!(recognise_all(&[("a.csv", both), (EMIS_FILE, b"x")]).format, Ok(Format::EmisWeb));
    let mixed = |formats: &[Format]| Err(NotRecognised::Mixed(formats.to_vec()));
    let json: &[u8] = b"{\"resourceType\":\"Patient\"}";
    assert_eq!(
        recognise_all(&[("a.json", json), (EMIS_FILE, b"x")]).format,
        mixed(&[Format::FhirR4, Format::EmisWeb])
    );
    assert_eq!(
        recognise_all(&[("a.json", json), ("b.csv", both)]).format,
        mixed(&[Format::FhirR4, Format::EmisWeb, Format::SystmOne])
    );
    let text = NotRecognised::Mixed(vec![Format::FhirR4, Format::EmisWeb]).to_string();
    assert!(text.contains("FHIR R4 and EMIS Web extract"), "{text}");
    check(&[], NONE, &[]);
    check(
        &[("a.csv", b""), ("b.zip", b"PK\x03\x04"), ("c.pdf", b"  "), ("d", b"ab\0")],
        NONE,
        &[
            "1 file: holds nothing but space",
            "1 file: is a zip archive that could not be looked into (b.zip)",
            "1 file: is empty (a.csv)",
            "1 file: is not text",
        ],
    );
}

#[test]
fn a_stray_document_of_another_format_does_not_stop_the_others() {
    let r4: &[u8] = br#"{"resourceType":"Bundle","type":"collection","meta":{"profile":["http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"]},"entry":[]}"#;
    let stu3: &[u8] = br#"{"resourceType":"Bundle","type":"collection","meta":{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-StructuredRecord-Bundle-1"]},"entry":[]}"#;
    for (of_r4, of_stu3, expected) in [
        (19, 1, Ok(Format::FhirR4)),
        (1, 19, Ok(Format::GpConnect)),
        (8, 2, Err(NotRecognised::Mixed(vec![Format::FhirR4, Format::GpConnect]))),
    ] {
        let names: Vec<String> = (0..of_r4 + of_stu3).map(|at| format!("{at}.json")).collect();
        let content = |at: usize| if at < of_r4 { r4 } else { stu3 };
        let files: Vec<(&str, &[u8])> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), content(at))).collect();
        assert_eq!(recognise_all(&files).format, expected, "{of_r4} and {of_stu3}");
    }
}

#[test]
fn of_many_files_a_part_is_looked_into() {
    let names: Vec<String> = (0..1000).map(|at| format!("{at}.json")).collect();
    let json: &[u8] = b"{\"resourceType\":\"Patient\"}";
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), json)).collect();
    check(
        &files,
        Ok(Format::FhirR4),
        &[
            "400 files: a FHIR resource, with no sign of a version other than R4",
            "600 files: not looked into, since there are many",
        ],
    );
}

#[test]
fn the_corpus_is_recognised_folder_by_folder() {
    let Ok(corpus) = std::env::var("LIFEBOAT_CORPUS") else { return };
    let folders = [
        ("gpconnect-stu3", Format::GpConnect),
        ("gpconnect-stu3-records", Format::GpConnect),
        ("synthea-r4", Format::FhirR4),
        ("ips", Format::FhirR4),
        ("uk-ps", Format::FhirR4),
        ("bulk-r4", Format::FhirR4),
    ];
    for (folder, format) in folders {
        let entries = std::fs::read_dir(format!("{corpus}/{folder}")).expect("a folder of the corpus");
        let paths = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
        let files: Vec<(String, Vec<u8>)> =
            paths.map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file"))).collect();
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(path, it)| (path.as_str(), it.as_slice())).collect();
        let found = recognise_all(&files);
        let nested = files.is_empty() && found.format == NONE;
        assert!(found.format == Ok(format) || nested, "{folder}: {found:#?}");
    }
}
