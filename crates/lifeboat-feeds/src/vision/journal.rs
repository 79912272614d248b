//! Rows of the journal that are no prescriptions.

use lifeboat_clinical::SectionId as S;
use serde_json::{Value, json};

use super::chart::{Chart, Entry, subset};
use crate::problem::{Problem, Reason};
use crate::r4;
use crate::rows::RowRef;

/// SNOMED CT statements about allergies in general.
const NO_ALLERGIES: &[&str] = &[
    "716186003",
    "160244002",
    "409137002",
    "428607008",
    "428197003",
    "429625007",
    "716184000",
    "716185004",
    "1003774007",
    "428183007",
];
/// Chapters of Read codes that are about allergies: history of allergy, allergic reactions, adverse reactions to drugs.
const READ_ALLERGIES: &[&str] = &["14L", "1151.", "SN5", "TJ"];

/// Adds the item that a row stands for.
pub(super) fn add<'a>(chart: &mut Chart<'a>, row: RowRef<'a>) {
    let kind = subset(row);
    if matches!(kind, 'A' | 'R' | 'S') {
        return;
    }
    let entry = chart.entry(row);
    let read = row.text("CODE").unwrap_or_default();
    let is_allergy = row.text("SNOMED_CODE").is_some_and(|code| NO_ALLERGIES.contains(&code))
        || READ_ALLERGIES.iter().any(|chapter| read.starts_with(chapter));
    match kind {
        'L' => allergy(chart, entry),
        'P' => {
            // A problem that is an allergy is both.
            if is_allergy {
                let mut entry = chart.entry(row);
                entry.id.push_str("-allergy");
                allergy(chart, entry);
            }
            problem(chart, entry);
        }
        'I' => immunisation(chart, entry),
        _ if is_allergy => allergy(chart, entry),
        'C' if read.starts_with('7') && row.text("VALUE1").is_none() => procedure(chart, entry),
        'C' if read.starts_with("12") && row.text("VALUE1").is_none() => family_history(chart, entry),
        'T' => observation(chart, entry, Some(S::Results)),
        'C' => observation(chart, entry, None),
        _ => {
            if kind != ' ' {
                chart.problems.push(Problem::at("Journal.SUBSET", Reason::UnknownValue));
            }
            observation(chart, entry, None);
        }
    }
}

fn allergy<'a>(chart: &mut Chart<'a>, mut entry: Entry<'a>) {
    let row = entry.row;
    let severity = row.text("SEVERITY").map(|code| match code {
        "255604002" => Ok("mild"),
        "6736007" => Ok("moderate"),
        "24484000" | "442452003" => Ok("severe"),
        other => match other.to_lowercase().as_str() {
            "mild" | "minimal" => Ok("mild"),
            "moderate" => Ok("moderate"),
            "severe" | "very severe" => Ok("severe"),
            _ => Err(other),
        },
    });
    if row.text("SEVERITY") == Some("442452003") {
        entry.notes.push("Severity: life threatening".to_owned());
    }
    if let Some(Err(written)) = severity {
        entry.notes.push(format!("Severity: {written}"));
    }
    let certainty = row.text("CERTAINTY");
    let verification = certainty.filter(|code| *code == "255545003").map(|_| "confirmed");
    entry.notes.extend(certainty.filter(|_| verification.is_none()).map(|code| match code {
        "385433004" => "Certainty: consistent with".to_owned(),
        "385434005" => "Certainty: unlikely".to_owned(),
        other => format!("Certainty: {other}"),
    }));
    entry.notes.extend(values_in_words(row));
    // Vision records no end of an allergy; whatever the column holds does not end one.
    entry.notes.extend(row.text("END_DATE").map(|date| format!("End date as written by the source: {date}")));
    let reaction = severity.and_then(Result::ok).map(|severity| json!([{"severity": severity}]));
    let allergy = json!({
        "resourceType": "AllergyIntolerance",
        "id": entry.id,
        "extension": entry.extension,
        "clinicalStatus": r4::hl7("allergyintolerance-clinical", "active"),
        "verificationStatus": verification.map(|code| r4::hl7("allergyintolerance-verification", code)),
        "code": entry.code,
        "patient": chart.document.subject(),
        "encounter": entry.encounter,
        "onsetDateTime": entry.when,
        "recordedDate": entry.recorded,
        "recorder": entry.who,
        "reaction": reaction,
        "note": entry.notes(row.text("TEXT"))
    });
    chart.document.push(allergy);
}

fn problem<'a>(chart: &mut Chart<'a>, mut entry: Entry<'a>) {
    let row = entry.row;
    let end = chart.date(row, "END_DATE", &mut entry.notes);
    let status = if row.text("END_DATE").is_some() { "inactive" } else { "active" };
    entry.notes.extend(row.text("EPISODE").map(|code| {
        let words = match code {
            "F" => "first",
            "N" => "new",
            "O" => "other",
            "D" => "cause of death",
            other => other,
        };
        format!("Episode: {words}")
    }));
    entry.notes.extend(values_in_words(row));
    let condition = json!({
        "resourceType": "Condition",
        "id": entry.id,
        "extension": entry.extension,
        "clinicalStatus": r4::hl7("condition-clinical", status),
        "category": [r4::hl7("condition-category", "problem-list-item")],
        "code": entry.code,
        "subject": chart.document.subject(),
        "encounter": entry.encounter,
        "onsetDateTime": entry.when,
        "abatementDateTime": end,
        "recordedDate": entry.recorded,
        "recorder": entry.who,
        "note": entry.notes(row.text("TEXT"))
    });
    chart.document.push(condition);
}

/// Returns whether a vaccine was given; nothing where the words for it are not known.
fn was_given(status: Option<&str>) -> Option<bool> {
    let status = status.unwrap_or_default().to_lowercase();
    if matches!(status.as_str(), "" | "g" | "given") {
        return Some(true);
    }
    let is_not = ["refus", "declin", "contra", "not given", "advised", "did not"];
    (status == "r" || is_not.iter().any(|words| status.starts_with(words))).then_some(false)
}

fn immunisation<'a>(chart: &mut Chart<'a>, mut entry: Entry<'a>) {
    let row = entry.row;
    let status = row.text("IMMS_STATUS");
    let Some(given) = was_given(status) else {
        // Neither "given" nor "not given" may be guessed.
        entry.notes.extend(status.map(|status| format!("Immunisation status: {status}")));
        for (label, column) in [
            ("Batch", "IMMS_BATCH"),
            ("Reason", "IMMS_REASON"),
            ("Compound", "IMMS_COMPOUND"),
            ("Site", "IMMS_SITE"),
            ("Method", "IMMS_METHOD"),
            ("Source", "IMMS_SOURCE"),
        ] {
            entry.notes.extend(row.text(column).map(|text| format!("{label}: {text}")));
        }
        return observation(chart, entry, Some(S::Immunisations));
    };
    entry.notes.extend(row.text("IMMS_SOURCE").map(|source| format!("Source: {source}")));
    entry.notes.extend(values_in_words(row));
    let is_procedure = row.text("IMMS_COMPOUND").is_some();
    let mut extension = std::mem::take(&mut entry.extension);
    let vaccine = if is_procedure {
        extension.push(json!({
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure",
            "valueCodeableConcept": entry.code
        }));
        json!({"text": row.text("IMMS_COMPOUND")})
    } else {
        entry.code.clone()
    };
    let reason = row.text("IMMS_REASON").map(|text| json!({"text": text}));
    let mut immunization = json!({
        "resourceType": "Immunization",
        "id": entry.id,
        "extension": extension,
        "status": if given { "completed" } else { "not-done" },
        "vaccineCode": vaccine,
        "patient": chart.document.subject(),
        "encounter": entry.encounter,
        "occurrenceDateTime": entry.when,
        "recorded": entry.recorded,
        "lotNumber": row.text("IMMS_BATCH"),
        "site": {"text": row.text("IMMS_SITE")},
        "route": {"text": row.text("IMMS_METHOD")},
        "performer": [{"actor": entry.who}],
        "note": entry.notes(row.text("TEXT"))
    });
    if given {
        immunization["reasonCode"] = json!([reason]);
    } else {
        immunization["statusReason"] = json!(reason);
    }
    chart.document.push(immunization);
}

fn procedure<'a>(chart: &mut Chart<'a>, mut entry: Entry<'a>) {
    let row = entry.row;
    entry.notes.extend(entry.recorded.as_ref().map(|date| format!("Recorded: {date}")));
    let procedure = json!({
        "resourceType": "Procedure",
        "id": entry.id,
        "extension": entry.extension,
        "status": "completed",
        "code": entry.code,
        "subject": chart.document.subject(),
        "encounter": entry.encounter,
        "performedDateTime": entry.when,
        "performer": [{"actor": entry.who}],
        "note": entry.notes(row.text("TEXT"))
    });
    chart.document.push(procedure);
}

fn family_history<'a>(chart: &mut Chart<'a>, entry: Entry<'a>) {
    let history = json!({
        "resourceType": "FamilyMemberHistory",
        "id": entry.id,
        "extension": entry.extension,
        "status": "completed",
        "patient": chart.document.subject(),
        "date": entry.when,
        "relationship": {"text": "Family"},
        "condition": [{"code": entry.code}],
        "note": entry.notes(entry.row.text("TEXT"))
    });
    chart.document.push(history);
}

/// Returns the category by which the record files an entry, where Vision's name for its form says it.
fn category(entity: &str) -> Option<&'static str> {
    Some(match entity.to_ascii_uppercase().as_str() {
        "WEIGHT" | "HEIGHT" | "PULSE" | "BP" | "O2_SAT" | "TEMPERATURE" | "RESP_RATE" | "WAIST"
        | "HEADS_CENTI" | "PEAK_FLOW" => "vital-signs",
        "SMOKING" | "ALCOHOL" | "EXERCISE" | "DIET" => "social-history",
        _ => return None,
    })
}

fn observation<'a>(chart: &mut Chart<'a>, mut entry: Entry<'a>, section: Option<S>) {
    let row = entry.row;
    let end = chart.date(row, "END_DATE", &mut entry.notes);
    entry.notes.extend(end.map(|end| format!("End date: {end}")));
    let entity = row.text("ENTITY").unwrap_or_default();
    let category = category(entity);
    if matches!(entity.to_ascii_uppercase().as_str(), "LETTERS" | "ATTACHMENT") {
        entry.notes.push(format!("Kind: {}", entity.to_lowercase()));
    }
    let mut item = json!({
        "resourceType": "Observation",
        "id": entry.id,
        "extension": entry.extension,
        "status": if section == Some(S::Immunisations) { "unknown" } else { "final" },
        "category": category.map(|code| json!([r4::hl7("observation-category", code)])),
        "code": entry.code,
        "subject": chart.document.subject(),
        "encounter": entry.encounter,
        "effectiveDateTime": entry.when,
        "performer": [entry.who]
    });
    let (first, second) = (value(row, 1), value(row, 2));
    let names = names(row);
    match (first, second) {
        (first, Some(second)) => {
            let of_first = first.map(|first| part(names[0].clone(), first));
            let parts: Vec<Value> = of_first.into_iter().chain([part(names[1].clone(), second)]).collect();
            item["component"] = json!(parts);
        }
        (Some((name, value)), None) => item[name] = value,
        (None, None) => {}
    }
    // A value that says what it is needs its name beside it.
    let named =
        row.text("VALUE1_NAME").filter(|_| row.text("VALUE1").is_some() && row.text("VALUE2").is_none());
    let is_plain =
        named.is_none_or(|name| matches!(name.to_ascii_uppercase().as_str(), "VALUE" | "RESULT" | "DATE"));
    entry.notes.extend(named.filter(|_| !is_plain).map(|name| format!("Value: {name}")));
    entry.notes.extend(entry.recorded.as_ref().map(|date| format!("Recorded: {date}")));
    item["note"] = entry.notes(row.text("TEXT"));
    match section.filter(|_| category.is_none()) {
        Some(section) => chart.document.push_in(section, item),
        None => chart.document.push(item),
    }
}

fn part(code: Value, (name, value): (&'static str, Value)) -> Value {
    let mut part = json!({"code": code});
    part[name] = value;
    part
}

/// Returns one of the two values of a row with the member that takes it: a quantity, a date, or words.
fn value(row: RowRef<'_>, which: u8) -> Option<(&'static str, Value)> {
    let [name, column, units] = match which {
        1 => ["VALUE1_NAME", "VALUE1", "VALUE1_UNITS"],
        _ => ["VALUE2_NAME", "VALUE2", "VALUE2_UNITS"],
    };
    let written = row.text(column)?;
    if which == 2
        && let Some(words) = second_in_words(row, written)
    {
        return Some(("valueString", json!(words)));
    }
    let is_date = row.text(name).is_some_and(|name| name.to_ascii_uppercase().contains("DAT"));
    if is_date {
        return Some(match super::chart::partial(written) {
            Some(date) => ("valueDateTime", json!(date)),
            None => ("valueString", json!(written)),
        });
    }
    let units = row.text(units);
    if let Some(quantity) = r4::quantity(written, units) {
        return Some(("valueQuantity", quantity));
    }
    let words = units.map_or_else(|| written.to_owned(), |units| format!("{written} {units}"));
    Some(("valueString", json!(words)))
}

/// Returns what a number stands for in the second value of smoking and drinking; nothing is said where it is empty.
fn second_in_words(row: RowRef<'_>, written: &str) -> Option<&'static str> {
    let entity = row.text("ENTITY").unwrap_or_default().to_ascii_uppercase();
    let read = row.text("CODE").unwrap_or_default();
    let words = if entity == "SMOKING" || read.starts_with("137") {
        ["never smoked", "smoker", "ex-smoker"]
    } else if entity == "ALCOHOL" || read.starts_with("136") {
        ["lifetime teetotaller", "current drinker", "ex-drinker"]
    } else {
        return None;
    };
    words.get(written.parse::<usize>().ok()?).copied()
}

/// Returns the names of the two values: those of the row, or those that are known for what it records.
fn names(row: RowRef<'_>) -> [Value; 2] {
    let read = row.text("CODE").unwrap_or_default();
    let entity = row.text("ENTITY").unwrap_or_default().to_ascii_uppercase();
    let snomed = row.text("SNOMED_CODE");
    let is_pressure = read.starts_with("246") || entity == "BP" || snomed == Some("75367002");
    if is_pressure {
        let coded =
            |code: &str, term: &str| r4::concept(vec![r4::coding(r4::SNOMED, code, Some(term))], Some(term));
        return [
            coded("271649006", "Systolic blood pressure"),
            coded("271650006", "Diastolic blood pressure"),
        ];
    }
    let known = match () {
        () if read.starts_with("22A") || entity == "WEIGHT" => ["Weight", "BMI"],
        () if read.starts_with("44B") => ["Value", "Weeks pregnant"],
        () if read.starts_with("152") => ["Births", "Miscarriages"],
        () if read.starts_with("136") || read.starts_with("137") => ["Amount", "Status"],
        () => ["First value", "Second value"],
    };
    let named = |column: &str, known: &str| json!({"text": row.text(column).unwrap_or(known)});
    [named("VALUE1_NAME", known[0]), named("VALUE2_NAME", known[1])]
}

/// Returns values in words, for items that have no place for them.
fn values_in_words(row: RowRef<'_>) -> Vec<String> {
    let columns = [["VALUE1_NAME", "VALUE1", "VALUE1_UNITS"], ["VALUE2_NAME", "VALUE2", "VALUE2_UNITS"]];
    columns
        .into_iter()
        .filter_map(|[name, value, units]| {
            let value = row.text(value)?;
            let name = row.text(name).unwrap_or("Value");
            let units = row.text(units).map(|units| format!(" {units}")).unwrap_or_default();
            Some(format!("{name}: {value}{units}"))
        })
        .collect()
}
