//! A patient's document: the person, then all that their rows say.

use lifeboat_clinical::section::SectionWarning;
use lifeboat_clinical::{SectionId, nhs_number};
use serde_json::{Value, json};

use super::draft::{Draft, When, fhir_id, flag, said, said_on};
use super::tables::{
    GP_PRACTICE_HISTORY, PATIENT, PATIENT_ADDRESS_HISTORY, PATIENT_CONTACT_DETAILS, PATIENT_REGISTRATION,
    PATIENT_RELATIONSHIP, RECORD_STATUS, TABLES,
};
use super::{allergies, codes, entries, events, immunisations, medicines, plans};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{Document, NHS_NUMBER, named, object};
use crate::rows::{RowRef, UnitRows};
use crate::rules::DummyPatients;

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore";

/// What a medical record status means, from 0, and the one of a record that has not arrived yet.
const RECORD_STATUSES: [&str; 5] = [
    "No medical records",
    "Medical records are on the way",
    "Medical records here",
    "Medical records sent",
    "Medical records need to be sent",
];
const ON_THE_WAY: usize = 1;

/// What a relation may be to a patient, and the column that says so.
const ROLES: [(&str, &str); 10] = [
    ("NextOfKin", "Next of kin"),
    ("PrincipalCarerForPatient", "Principal carer"),
    ("CaresForPatient", "Carer"),
    ("PersonalGuardianOrProxy", "Guardian or proxy"),
    ("HasParentalResponsibility", "Has parental responsibility"),
    ("FinancialRepresentative", "Financial representative"),
    ("Advocate", "Advocate"),
    ("MainVisitor", "Main visitor"),
    ("KeyHolder", "Key holder"),
    ("InterpreterRequired", "Interpreter required"),
];

/// Makes a patient's document.
pub(super) fn document(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let Some(row) = rows.rows(PATIENT).next() else {
        let text = "there are rows of a patient who is not in the extract; they are kept and not shown";
        let problem = (!rows.is_empty()).then(|| Problem::at(PATIENT, Reason::Malformed(text.to_owned())));
        return Mapped { document: None, problems: problem.into_iter().collect() };
    };
    let is_test = row.is_true("TestPatient") && mapping.rules.dummy_patients == DummyPatients::Exclude;
    let nhs = row.text("NHSNumber").and_then(nhs_number::parse);
    if is_test || nhs.is_some_and(|number| mapping.rules.excluded.contains(&number)) {
        return Mapped::default();
    }
    let id = fhir_id("", row.key());
    let mut draft = Draft::new(Document::about(&id), mapping);
    add_person(&mut draft, &id, row, rows);
    let coded = codes::all(rows);
    allergies::add(&mut draft, rows, &coded);
    entries::add(&mut draft, rows, &coded);
    medicines::add(&mut draft, rows);
    immunisations::add(&mut draft, rows);
    events::add(&mut draft, rows);
    plans::add(&mut draft, rows);
    draft.document.supplies(&supplied(mapping));
    draft.finish()
}

/// The sections of which every table is supplied.
fn supplied(mapping: &Mapping<'_>) -> Vec<SectionId> {
    let whole = |section: &SectionId| {
        let mut fed = TABLES.iter().filter(|table| table.sections.contains(section)).peekable();
        fed.peek().is_some() && fed.all(|table| mapping.supplied.contains(table.name))
    };
    SectionId::ALL.into_iter().filter(whole).collect()
}

fn add_person(draft: &mut Draft<'_>, id: &str, row: RowRef<'_>, rows: &UnitRows) {
    let born = draft.when(PATIENT, row, "DateBirth");
    let died = draft.when(PATIENT, row, "DateDeath");
    let is_dead = row.text("DateDeath").is_some();
    let (is_left, mut extension) = registration(draft, rows);
    for (name, when) in [("date-of-birth", &born), ("date-of-death", &died)] {
        extension.extend(when.unread.as_deref().map(|text| said(name, text)));
    }
    extension.extend(row.text("BirthPlace").map(|place| said("place-of-birth", place)));
    let speaks = draft.words(PATIENT, row, "SpeaksEnglish").filter(|word| !word.eq_ignore_ascii_case("yes"));
    extension.extend(speaks.map(|word| said("speaks-english", word)));
    extension.extend(record_status(draft, rows));
    let middle = row.text("MiddleNames").into_iter().flat_map(str::split_whitespace);
    let given: Vec<&str> = row.text("FirstName").into_iter().chain(middle).collect();
    let email = row.text("EmailAddress").map(|value| json!({"system": "email", "value": value}));
    let telephones: Vec<Value> =
        rows.rows(PATIENT_CONTACT_DETAILS).filter_map(|row| telephone(draft, row)).collect();
    let contacts: Vec<Value> =
        rows.rows(PATIENT_RELATIONSHIP).filter_map(|row| contact(draft, row)).collect();
    let addresses = addresses(draft, rows);
    let (usual_gp, practice) = practice(draft, rows);
    draft.document.push(json!({
        "resourceType": "Patient",
        "id": id,
        "extension": extension,
        "identifier": identifiers(row),
        "active": !is_left,
        "name": [
            {
                "use": "official",
                "family": row.text("Surname"),
                "given": given,
                "prefix": row.text("Title").map(|title| [title])
            },
            row.text("PreviousSurname").map(|family| json!({"use": "maiden", "family": family}))
        ],
        "telecom": telephones.into_iter().chain(email).collect::<Vec<_>>(),
        "gender": gender(row),
        "birthDate": born.fhir.map(|born| born.chars().take(10).collect::<String>()),
        "deceasedDateTime": died.fhir,
        "deceasedBoolean": (is_dead && died.fhir.is_none()).then_some(true),
        "address": addresses,
        "contact": contacts,
        "generalPractitioner": [usual_gp.as_deref().map(named)],
        "managingOrganization": practice.as_deref().map(named)
    }));
}

fn gender(row: RowRef<'_>) -> Option<&'static str> {
    Some(match row.text("Gender")?.to_ascii_uppercase().as_str() {
        "M" | "MALE" => "male",
        "F" | "FEMALE" => "female",
        "I" | "INDETERMINATE" | "O" | "OTHER" => "other",
        _ => "unknown",
    })
}

fn identifiers(row: RowRef<'_>) -> Value {
    let verified = flag(row, "SpineMatched").map(|verified| {
        let (code, display) = if verified {
            ("number-present-and-verified", "Number present and verified")
        } else {
            ("number-present-but-not-traced", "Number present but not traced")
        };
        json!([{
            "url": format!("{UK_CORE}-NHSNumberVerificationStatus"),
            "valueCodeableConcept": {"coding": [{
                "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus",
                "code": code,
                "display": display
            }]}
        }])
    });
    let nhs = row
        .text("NHSNumber")
        .map(|value| json!({"extension": verified, "system": NHS_NUMBER, "value": value}));
    let own = json!({"type": {"text": "SystmOne patient number"}, "value": row.key()});
    let social =
        row.text("SSRef").map(|value| json!({"type": {"text": "Social services reference"}, "value": value}));
    json!([nhs, own, social])
}

/// Returns whether the patient has left, and what is known of the registration.
///
/// Somebody is registered as long as one registration has no end, or one that cannot be read.
fn registration(draft: &mut Draft<'_>, rows: &UnitRows) -> (bool, Vec<Value>) {
    let newest = rows.rows(PATIENT_REGISTRATION).max_by_key(|row| {
        let ended = row.text("DateDeRegistration").map(dates::date);
        let begun = row.text("DateRegistration").and_then(dates::date);
        (ended.is_none_or(|ended| ended.is_none()), begun, ended.flatten())
    });
    let Some(row) = newest else { return (false, Vec::new()) };
    let begun = draft.when(PATIENT_REGISTRATION, row, "DateRegistration");
    let ended = draft.when(PATIENT_REGISTRATION, row, "DateDeRegistration");
    let mut extension = Vec::new();
    for (name, when) in [("registered-on", &begun), ("registration-ended-on", &ended)] {
        extension.extend(when.fhir.as_deref().map(|date| said_on(name, date)));
        extension.extend(when.unread.as_deref().map(|text| said(name, text)));
    }
    extension.extend(row.text("RegistrationStatus").map(|text| said("registration-status", text)));
    extension.extend(row.text("PreferredPharmacy").filter(|text| !text.starts_with('-')).map(|pharmacy| {
        json!({
            "url": format!("{UK_CORE}-NominatedPharmacy"),
            "valueReference": named(pharmacy)
        })
    }));
    (ended.fhir.is_some(), extension)
}

/// Returns what became of the paper record, and warns of one that has not arrived yet.
fn record_status(draft: &mut Draft<'_>, rows: &UnitRows) -> Option<Value> {
    let newest = rows.rows(RECORD_STATUS).max_by_key(|row| {
        (row.text("DateEvent").and_then(dates::date_and_time), row.key().len(), row.key().to_owned())
    })?;
    let status = newest.text("MedicalRecordStatus")?;
    let at = status
        .parse::<usize>()
        .ok()
        .or_else(|| RECORD_STATUSES.iter().position(|known| known.eq_ignore_ascii_case(status)));
    if at == Some(ON_THE_WAY) {
        SectionId::ALL
            .into_iter()
            .for_each(|section| draft.document.warns(section, SectionWarning::DataInTransit));
    }
    let words = at.and_then(|at| RECORD_STATUSES.get(at)).copied().unwrap_or(status);
    Some(said("medical-record-status", words))
}

/// Returns the names of the GP and the practice at which the patient is registered.
///
/// Who entered the registration is somebody at a desk and says nothing about the GP.
fn practice(draft: &Draft<'_>, rows: &UnitRows) -> (Option<String>, Option<String>) {
    let from = |row: &RowRef<'_>| (row.text("DateFrom").and_then(dates::date), row.key().to_owned());
    let current = rows.rows(GP_PRACTICE_HISTORY).filter(|row| row.text("DateTo").is_none()).max_by_key(from);
    let gp = current.and_then(|row| draft.profile(row, "IDProfileRegisteredGP"));
    let practice = current.and_then(|row| draft.organisation(row, "IDPractice"));
    let registered = || {
        let begun = |row: &RowRef<'_>| row.text("DateRegistration").and_then(dates::date);
        let open = rows.rows(PATIENT_REGISTRATION).filter(|row| row.text("DateDeRegistration").is_none());
        draft.organisation(open.max_by_key(begun)?, "IDOrganisation")
    };
    (gp, practice.or_else(registered))
}

fn telephone(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<Value> {
    let value = row.text("ContactNumber")?;
    let kind = draft.words(PATIENT_CONTACT_DETAILS, row, "ContactType").unwrap_or_default();
    let lower = kind.to_lowercase();
    let usage = ["mobile", "work", "home", "temp", "old"].into_iter().find(|usage| lower.contains(usage));
    let system = if value.contains('@') { "email" } else { "phone" };
    let unusual = (usage.is_none() && !kind.is_empty()).then(|| [said("kind-of-number", kind)]);
    Some(json!({"extension": unusual, "system": system, "value": value, "use": usage}))
}

/// Returns somebody who has to do with the patient; one whose relation has ended is left out.
fn contact(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<Value> {
    let ended = draft.when(PATIENT_RELATIONSHIP, row, "DateEnded");
    if ended.fhir.is_some() {
        return None;
    }
    let kind = draft.words(PATIENT_RELATIONSHIP, row, "RelationshipType");
    let mut relationship: Vec<String> = kind.into_iter().collect();
    for (column, words) in ROLES {
        let is_told = relationship.iter().any(|told| told.replace('-', " ").eq_ignore_ascii_case(words));
        relationship.extend((row.is_true(column) && !is_told).then(|| words.to_owned()));
    }
    let telephone = |column: &str, usage: &str| {
        row.text(column).map(|value| json!({"system": "phone", "value": value, "use": usage}))
    };
    let email = row.text("RelationshipWithEmailAddress");
    let telecom: Vec<Value> = [
        telephone("RelationshipWithMobileTelephone", "mobile"),
        telephone("RelationshipWithTelephone", "home"),
        telephone("RelationshipWithWorkTelephone", "work"),
        email.map(|value| json!({"system": "email", "value": value})),
    ]
    .into_iter()
    .flatten()
    .collect();
    let road = [row.text("RelationshipWithHouseNumber"), row.text("RelationshipWithRoad")];
    let road = road.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let place = |column: &str| row.text(column).map(str::to_owned);
    let lines: Vec<String> =
        [place("RelationshipWithHouseName"), Some(road), place("RelationshipWithLocality")]
            .into_iter()
            .flatten()
            .filter(|line| !line.is_empty())
            .collect();
    let parts = ["PostTown", "County", "PostCode"].map(|part| place(&format!("RelationshipWith{part}")));
    let address = (!lines.is_empty() || parts.iter().any(Option::is_some)).then(|| {
        let [city, district, postcode] = &parts;
        json!({"line": lines, "city": city, "district": district, "postalCode": postcode})
    });
    let name = row.text("RelationshipWithName");
    if name.is_none() && telecom.is_empty() && row.text("RelationshipWithOrganisation").is_none() {
        return None;
    }
    let language = row.text("RelationshipWithSpokenLanguage").map(|text| said("language", text));
    let told = ended.unread.map(|text| said("note", text));
    Some(object([
        ("extension", Some(language.into_iter().chain(told).collect())),
        ("relationship", Some(relationship.into_iter().map(|text| json!({"text": text})).collect())),
        ("name", name.map(|name| json!({"text": name}))),
        ("telecom", Some(telecom.into())),
        ("address", address),
        ("organization", row.text("RelationshipWithOrganisation").map(named)),
    ]))
}

/// The addresses that hold, the home address first.
fn addresses(draft: &mut Draft<'_>, rows: &UnitRows) -> Vec<Value> {
    let mut current = Vec::new();
    for row in rows.rows(PATIENT_ADDRESS_HISTORY) {
        let When { fhir: None, .. } = draft.when(PATIENT_ADDRESS_HISTORY, row, "DateTo") else { continue };
        let kind = draft.words(PATIENT_ADDRESS_HISTORY, row, "AddressType").unwrap_or_default();
        let lower = kind.to_lowercase();
        // An address of a kind that is not known may well be the home.
        let (rank, usage) = match () {
            () if lower.contains("home") || lower.contains("main") => (0, "home"),
            () if lower.contains("temp") => (2, "temp"),
            () if lower.contains("work") || lower.contains("correspond") => (3, "work"),
            () => (1, "home"),
        };
        let since = row.text("DateEvent").and_then(dates::date);
        current.push((rank, std::cmp::Reverse(since), row.key(), usage, row));
    }
    current.sort_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)));
    current.into_iter().map(|(_, _, _, usage, row)| address(row, usage)).collect()
}

fn address(row: RowRef<'_>, usage: &str) -> Value {
    let road = [row.text("NumberOfBuilding"), row.text("NameOfRoad")];
    let road = road.into_iter().flatten().collect::<Vec<_>>().join(" ");
    json!({
        "use": usage,
        "line": [row.text("NameOfBuilding"), Some(road.as_str()), row.text("NameOfLocality")],
        "city": row.text("NameOfTown"),
        "district": row.text("NameOfCounty"),
        "postalCode": row.text("FullPostCode")
    })
}
