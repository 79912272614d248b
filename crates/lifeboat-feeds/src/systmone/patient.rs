//! A patient's document: the person, then all that their rows say.

use lifeboat_clinical::{SectionId, nhs_number};
use serde_json::{Value, json};

use super::tables::{
    CONFIGURED_LIST_OPTION, MAPPING, PATIENT, PATIENT_ADDRESS_HISTORY, PATIENT_CONTACT_DETAILS,
    PATIENT_REGISTRATION, PATIENT_RELATIONSHIP, STAFF_MEMBER, STAFF_MEMBER_PROFILE, TABLES,
};
use super::{entries, events, medicines};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{Document, NHS_NUMBER, named};
use crate::rows::{RowRef, UnitRows};
use crate::rules::DummyPatients;

/// A document in the making.
pub(super) struct Draft<'a> {
    pub(super) document: Document,
    pub(super) mapping: &'a Mapping<'a>,
    pub(super) problems: Vec<Problem>,
}

/// When something happened, as FHIR writes it, or what stands there instead.
#[derive(Clone, Default)]
pub(super) struct When {
    pub(super) fhir: Option<String>,
    /// A date that is none, as it was written.
    pub(super) unread: Option<String>,
}

/// Makes a patient's document.
pub(super) fn document(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let Some(row) = rows.rows(PATIENT).next() else {
        let text = "there are rows of a patient who is not in the extract; they are kept and not shown";
        let problem = (!rows.is_empty()).then(|| Problem::at(PATIENT, Reason::Malformed(text.to_owned())));
        return Mapped { document: None, problems: problem.into_iter().collect() };
    };
    let is_test = row.is_true("TestPatient") && mapping.rules.dummy_patients == DummyPatients::Exclude;
    let number = row.text("NHSNumber").and_then(nhs_number::parse);
    if is_test || number.is_some_and(|number| mapping.rules.excluded.contains(&number)) {
        return Mapped::default();
    }
    let id = fhir_id(row.key());
    let mut draft = Draft { document: Document::about(&id), mapping, problems: Vec::new() };
    draft.add_person(&id, row, rows);
    entries::add(&mut draft, rows);
    medicines::add(&mut draft, rows);
    events::add(&mut draft, rows);
    draft.document.supplies(&supplied(mapping));
    draft.problems.sort();
    draft.problems.dedup();
    Mapped { document: Some(draft.document.finish()), problems: draft.problems }
}

/// The sections of which every table is supplied.
fn supplied(mapping: &Mapping<'_>) -> Vec<SectionId> {
    let whole = |section: &SectionId| {
        let mut fed = TABLES.iter().filter(|table| table.sections.contains(section)).peekable();
        fed.peek().is_some() && fed.all(|table| mapping.supplied.contains(table.name))
    };
    SectionId::ALL.into_iter().filter(whole).collect()
}

/// Returns a text as the id of a FHIR resource.
pub(super) fn fhir_id(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    text.chars().map(allowed).take(64).collect()
}

/// Returns the id of the resource that a row becomes.
pub(super) fn record_id(kind: &str, row: RowRef<'_>) -> String {
    fhir_id(&format!("{kind}-{}", row.key()))
}

impl Draft<'_> {
    /// Reads a date, with its time where that is more than midnight; what is no date is a problem and is kept as it was written.
    pub(super) fn when(&mut self, table: &str, row: RowRef<'_>, column: &str) -> When {
        let Some(written) = row.text(column) else { return When::default() };
        match dates::date_and_time(written) {
            Some((date, time)) => {
                let clock = time.filter(|time| *time != jiff::civil::Time::midnight());
                let fhir =
                    clock.map_or_else(|| date.to_string(), |clock| dates::local_date_time(date, clock));
                When { fhir: Some(fhir), unread: None }
            }
            None => {
                self.problems.push(Problem::at(format!("{table}.{column}"), Reason::NotADate));
                When { fhir: None, unread: Some(format!("{column} as written: {written}")) }
            }
        }
    }

    /// Returns who did it: the text that the row holds, or the member of staff.
    pub(super) fn done_by(&self, row: RowRef<'_>) -> Option<Value> {
        let member = row.text("IDDoneBy").and_then(|id| self.member(id));
        let profile = row.text("IDProfileEnteredBy").and_then(|id| self.profile(id));
        row.text("TextualEventDoneBy").map(str::to_owned).or(member).or(profile).map(|name| named(&name))
    }

    /// Returns the name of a member of staff.
    pub(super) fn member(&self, id: &str) -> Option<String> {
        Some(self.mapping.shared.row(STAFF_MEMBER, id)?.text("StaffName")?.to_owned())
    }

    /// Returns the name of the member of staff who has a profile.
    pub(super) fn profile(&self, id: &str) -> Option<String> {
        self.member(self.mapping.shared.row(STAFF_MEMBER_PROFILE, id)?.text("IDStaffMember")?)
    }

    /// Returns a value in words: many columns hold the number of an entry in a list of options.
    pub(super) fn words(&self, row: RowRef<'_>, column: &str) -> Option<String> {
        let value = row.text(column)?;
        let option = self.mapping.shared.row(CONFIGURED_LIST_OPTION, value);
        let option = option.and_then(|option| option.text("ConfiguredListOption").map(str::to_owned));
        let mapped = || self.mapping.shared.row(MAPPING, value)?.text("Mapping").map(str::to_owned);
        Some(option.or_else(mapped).unwrap_or_else(|| value.to_owned()))
    }

    fn add_person(&mut self, id: &str, row: RowRef<'_>, rows: &UnitRows) {
        let born = self.when(PATIENT, row, "DateBirth");
        let died = self.when(PATIENT, row, "DateDeath");
        let is_dead = row.text("DateDeath").is_some();
        let registration = rows.rows(PATIENT_REGISTRATION).max_by_key(|registration| {
            (
                registration.text("DateDeRegistration").is_none(),
                registration.text("DateRegistration").and_then(dates::date),
            )
        });
        let has_left =
            registration.is_some_and(|registration| registration.text("DateDeRegistration").is_some());
        let gender = match row.text("Gender").map(str::to_ascii_uppercase).as_deref() {
            Some("M" | "MALE") => Some("male"),
            Some("F" | "FEMALE") => Some("female"),
            Some("I" | "INDETERMINATE" | "O" | "OTHER") => Some("other"),
            Some(_) => Some("unknown"),
            None => None,
        };
        let given = ["FirstName", "MiddleNames"].into_iter().filter_map(|column| row.text(column));
        let given: Vec<&str> = given.flat_map(str::split_whitespace).collect();
        let previous = row.text("PreviousSurname").map(|family| json!({"use": "maiden", "family": family}));
        let email = row.text("EmailAddress").map(|value| json!({"system": "email", "value": value}));
        let numbers: Vec<Value> =
            rows.rows(PATIENT_CONTACT_DETAILS).filter_map(|row| self.telephone(row)).collect();
        let verified = row.text("SpineMatched").map(|_| {
            let (code, display) = if row.is_true("SpineMatched") {
                ("number-present-and-verified", "Number present and verified")
            } else {
                ("number-present-but-not-traced", "Number present but not traced")
            };
            json!([{
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
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
        let local = json!({"type": {"text": "SystmOne patient number"}, "value": row.key()});
        let unread: Vec<Value> = [born.unread, died.unread]
            .into_iter()
            .flatten()
            .map(|text| json!({"url": "urn:lifeboat:unread-date", "valueString": text}))
            .collect();
        let usual = registration.and_then(|registration| self.done_by(registration));
        self.document.push(json!({
            "resourceType": "Patient",
            "id": id,
            "extension": unread,
            "identifier": [nhs, Some(local)],
            "active": is_dead || !has_left,
            "name": [
                {"use": "official", "family": row.text("Surname"), "given": given, "prefix": [row.text("Title")]},
                previous
            ],
            "telecom": numbers.into_iter().chain(email).collect::<Vec<_>>(),
            "gender": gender,
            "birthDate": born.fhir,
            "deceasedDateTime": died.fhir,
            "deceasedBoolean": (is_dead && died.fhir.is_none()).then_some(true),
            "address": addresses(rows),
            "contact": rows.rows(PATIENT_RELATIONSHIP).filter_map(|row| self.contact(row)).collect::<Vec<_>>(),
            "generalPractitioner": [usual]
        }));
    }

    fn telephone(&self, row: RowRef<'_>) -> Option<Value> {
        let number = row.text("ContactNumber")?;
        let kind = self.words(row, "ContactType").unwrap_or_default().to_lowercase();
        let usage = ["mobile", "work", "home"].into_iter().find(|usage| kind.contains(usage));
        let system = if kind.contains("mail") { "email" } else { "phone" };
        Some(json!({"system": system, "value": number, "use": usage}))
    }

    fn contact(&self, row: RowRef<'_>) -> Option<Value> {
        let name = row.text("RelationshipWithName").or(row.text("RelationshipWithOrganisation"))?;
        if row.text("DateEnded").is_some() {
            return None;
        }
        let flags = [
            ("NextOfKin", "Next of kin"),
            ("PrincipalCarerForPatient", "Principal carer"),
            ("PersonalGuardianOrProxy", "Guardian or proxy"),
            ("HasParentalResponsibility", "Has parental responsibility"),
            ("KeyHolder", "Key holder"),
        ];
        let flags =
            flags.into_iter().filter(|(column, _)| row.is_true(column)).map(|(_, words)| words.to_owned());
        let relationship = self.words(row, "RelationshipType").into_iter().chain(flags);
        let telephone = |column: &str, usage: &str| {
            row.text(column).map(|value| json!({"system": "phone", "value": value, "use": usage}))
        };
        let telecom = [
            telephone("RelationshipWithMobileTelephone", "mobile"),
            telephone("RelationshipWithTelephone", "home"),
            telephone("RelationshipWithWorkTelephone", "work"),
        ];
        Some(json!({
            "relationship": relationship.map(|text| json!({"text": text})).collect::<Vec<_>>(),
            "name": {"text": name},
            "telecom": telecom
        }))
    }
}

/// The addresses that hold, the home address first.
fn addresses(rows: &UnitRows) -> Vec<Value> {
    let current = rows.rows(PATIENT_ADDRESS_HISTORY).filter(|row| row.text("DateTo").is_none());
    let mut current: Vec<RowRef<'_>> = current.collect();
    let is_home =
        |row: &RowRef<'_>| row.text("AddressType").is_none_or(|kind| kind.to_lowercase().contains("home"));
    current.sort_by_key(|row| {
        (!is_home(row), std::cmp::Reverse(row.text("DateEvent").and_then(dates::date)), row.key().to_owned())
    });
    let address = |row: RowRef<'_>| {
        let number = [row.text("NumberOfBuilding"), row.text("NameOfRoad")];
        let road = number.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let lines = [
            row.text("NameOfBuilding").map(str::to_owned),
            Some(road),
            row.text("NameOfLocality").map(str::to_owned),
        ];
        json!({
            "use": if is_home(&row) { "home" } else { "temp" },
            "line": lines.into_iter().flatten().collect::<Vec<_>>(),
            "city": row.text("NameOfTown"),
            "district": row.text("NameOfCounty"),
            "postalCode": row.text("FullPostCode")
        })
    };
    current.into_iter().map(address).collect()
}
