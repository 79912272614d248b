//! History for measuring: dated values of many kinds, as many as are wanted.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

use super::Row;
use super::codes::{Shared, number_of, practice_guid};
use super::lines::{guid, text};
use crate::synth::{Order, RowSet};

/// How far back history goes.
const DAYS_BACK: u64 = 15 * 365;

/// What is measured: term, SNOMED CT code, category, unit, the least value, how many values there are.
const MEASURES: &[(&str, &str, &str, &str, u64, u64)] = &[
    ("Body weight", "27113001", "Biological values", "kg", 45, 90),
    ("Heart rate", "364075005", "Biological values", "beats/min", 48, 70),
    ("Body height", "50373000", "Biological values", "cm", 140, 60),
    ("Serum potassium level", "1000651000000109", "Biochemistry", "mmol/L", 3, 3),
    ("Serum creatinine level", "1000731000000107", "Biochemistry", "umol/L", 42, 150),
    ("Serum sodium level", "1000661000000107", "Biochemistry", "mmol/L", 124, 25),
    ("Haemoglobin concentration", "1022431000000105", "Haematology", "g/L", 82, 90),
    ("Platelet count - observation", "1022651000000100", "Haematology", "10*9/L", 92, 420),
    ("Serum C reactive protein level", "1001371000000100", "Biochemistry", "mg/L", 1, 90),
    ("Peripheral oxygen saturation", "431314004", "Biological values", "%", 93, 7),
];
/// What is written without a value.
const REMARKS: &[(&str, &str)] = &[
    ("Advice given", "Discussed at length, leaflet given, to return if no better."),
    ("Letter received", "Seen in clinic; plan as in the letter."),
    ("Telephone consultation note", "Spoke to patient; results explained, no action."),
];

/// Adds so many rows of history to a patient.
pub(super) fn add(rows: &mut RowSet, patient: &Value, wanted: usize, order: &Order, shared: &mut Shared) {
    let id = text(patient, "/id");
    let mut chance = Chance(number_of(&format!("{}/{id}/history", order.seed)));
    for at in 0..wanted {
        let on = day(order.today, chance.below(DAYS_BACK));
        let row = Row::of("CareRecord_Observation")
            .set("ObservationGuid", guid(&format!("{id}/history/{at}")))
            .set("PatientGuid", guid(id))
            .set("OrganisationGuid", practice_guid())
            .set("EffectiveDate", on.to_string())
            .set("EffectiveDatePrecision", "YMD")
            .set("EnteredDate", on.to_string())
            .set("EnteredTime", format!("{:02}:{:02}:00", 8 + chance.below(10), chance.below(60)));
        let row = if chance.below(5) == 0 {
            let (term, words) = REMARKS[chance.below(REMARKS.len() as u64) as usize];
            let code = shared.named_code(term, "", "Symptoms and Findings");
            row.set("CodeId", code).set("AssociatedText", words).set("ObservationType", "Observation")
        } else {
            let (term, snomed, category, unit, least, spread) =
                MEASURES[chance.below(MEASURES.len() as u64) as usize];
            let value = format!("{}.{}", least + chance.below(spread), chance.below(10));
            row.set("CodeId", shared.named_code(term, snomed, category))
                .set("Value", value)
                .set("NumericUnit", unit)
                .set(
                    "ObservationType",
                    if category == "Biological values" { "Value" } else { "Investigation" },
                )
        };
        row.put(rows);
    }
}

fn day(today: Date, back: u64) -> Date {
    let back = i64::try_from(back).unwrap_or(0);
    today.checked_sub(back.days()).unwrap_or(today)
}

/// A stream of numbers that follows from where it starts.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
