//! Who a made-up patient is: name, birth, address, and how that relates to the neighbours in the list.

use jiff::civil::Date;

use super::contact::{self, Address};
use super::names::{self, GivenKind, PersonalName};
use super::nhs_range;
use super::random::{Random, days_before};
use super::staff;

/// Everything about a patient that is not clinical.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) index: u64,
    pub(crate) id: String,
    pub(crate) name: PersonalName,
    pub(crate) title: &'static str,
    pub(crate) preferred: Option<String>,
    pub(crate) previous_family: Option<String>,
    pub(crate) gender: &'static str,
    pub(crate) born: Date,
    pub(crate) nhs_number: Option<String>,
    pub(crate) nhs_verified: bool,
    pub(crate) home_phone: Option<String>,
    pub(crate) mobile: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) address: Address,
    pub(crate) usual_gp: usize,
    pub(crate) died: Option<Date>,
    pub(crate) active: bool,
    pub(crate) sensitive: bool,
    pub(crate) language: Option<(&'static str, &'static str)>,
    pub(crate) next_of_kin: Option<NextOfKin>,
    pub(crate) registered: Date,
}

/// The person to tell.
#[derive(Debug, Clone)]
pub(crate) struct NextOfKin {
    pub(crate) relationship: (&'static str, &'static str),
    pub(crate) name: PersonalName,
    pub(crate) phone: String,
}

/// How a patient relates to the one before in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Nobody,
    /// Has the same family and first given name, and another birth date.
    Namesake,
    /// Was born to the one before, less than a year ago.
    Newborn,
    /// Is the mother of the one after.
    Mother,
}

const NAMESAKES_EVERY: u64 = 40;
const NEWBORNS_EVERY: u64 = 50;

fn relation(index: u64) -> Relation {
    match (index % NEWBORNS_EVERY, index % NAMESAKES_EVERY) {
        (7, _) => Relation::Newborn,
        (6, _) => Relation::Mother,
        (_, 11) => Relation::Namesake,
        _ => Relation::Nobody,
    }
}

const LANGUAGES: &[(&str, &str)] = &[
    ("pl", "Polish"),
    ("ur", "Urdu"),
    ("so", "Somali"),
    ("ro", "Romanian"),
    ("q4", "British Sign Language"),
    ("bn", "Bengali"),
];

const RELATIONSHIPS: &[(&str, &str)] =
    &[("C", "Emergency Contact"), ("N", "Next-of-Kin"), ("CARER", "Carer"), ("N", "Next-of-Kin")];

/// Returns patient `index` of the practice made from `seed`, as known on `today`.
pub(crate) fn person(seed: u64, index: u64, today: Date) -> Person {
    let relation = relation(index);
    let mut random = Random::of(seed, "person", index);
    let id = Random::of(seed, "patient-id", index).uuid();
    let drawn = draw_gender(&mut random, relation);
    let gender = if relation == Relation::Namesake { gender_of(seed, index - 1) } else { drawn };
    let kind = if gender == "male" { GivenKind::Male } else { GivenKind::Female };
    let mut name = names::draw(&mut random, kind);
    let mut address = contact::draw_address(&mut random);
    let born = draw_birth(&mut random, relation, today);
    match relation {
        Relation::Namesake => name = name_of(seed, index - 1),
        Relation::Newborn => {
            let mother = name_of(seed, index - 1);
            name = PersonalName { family: mother.family, given: names::draw_given(&mut random, kind) };
            address = address_of(seed, index - 1);
        }
        Relation::Mother | Relation::Nobody => {}
    }
    let age_days = days_between(born, today);
    let died = (relation == Relation::Nobody && random.below(1000) < death_per_mille(age_days))
        .then(|| days_before(today, random.between(3, 700.min(age_days))));
    let adult = age_days > 16 * 365;
    let female_adult = gender == "female" && adult;
    Person {
        index,
        id,
        title: draw_title(&mut random, gender, adult),
        preferred: random.chance(6).then(|| (random.pick(&["Bobby", "Mo", "Kit", "Sam", "Lexi"])).to_owned()),
        previous_family: (female_adult && random.chance(18)).then(|| names::draw(&mut random, kind).family),
        gender,
        born,
        nhs_number: if random.below(200) == 0 { None } else { nhs_range::number(seed, index) },
        nhs_verified: random.chance(97),
        home_phone: random.chance(45).then(|| contact::draw_landline(&mut random)),
        mobile: random.chance(85).then(|| contact::draw_mobile(&mut random)),
        email: (adult && random.chance(50)).then(|| format!("patient{index}@demonstration.example")),
        address,
        usual_gp: staff::draw_gp(&mut random),
        died,
        active: died.is_none() && random.below(1000) >= 15,
        sensitive: random.below(1000) < 6,
        language: random.chance(5).then(|| random.pick(LANGUAGES)),
        next_of_kin: random.chance(60).then(|| draw_next_of_kin(&mut random)),
        registered: days_before(today, random.between(0, age_days.min(40 * 365))),
        name,
    }
}

/// Returns whole days from `from` to `to`, at least 0.
pub(crate) fn days_between(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days()).max(0)
}

/// Repeats the first draws of [`person`] for somebody who is nobody's namesake or child.
fn name_of(seed: u64, index: u64) -> PersonalName {
    let mut random = Random::of(seed, "person", index);
    let gender = draw_gender(&mut random, relation(index));
    names::draw(&mut random, if gender == "male" { GivenKind::Male } else { GivenKind::Female })
}

fn address_of(seed: u64, index: u64) -> Address {
    let mut random = Random::of(seed, "person", index);
    let gender = draw_gender(&mut random, relation(index));
    names::draw(&mut random, if gender == "male" { GivenKind::Male } else { GivenKind::Female });
    contact::draw_address(&mut random)
}

fn gender_of(seed: u64, index: u64) -> &'static str {
    draw_gender(&mut Random::of(seed, "person", index), relation(index))
}

fn draw_gender(random: &mut Random, relation: Relation) -> &'static str {
    let draw = random.below(1000);
    match draw {
        _ if relation == Relation::Mother => "female",
        0..3 => "other",
        3..6 => "unknown",
        6..500 => "male",
        _ => "female",
    }
}

fn draw_birth(random: &mut Random, relation: Relation, today: Date) -> Date {
    let years = match relation {
        Relation::Newborn => return days_before(today, random.between(0, 300)),
        Relation::Mother => random.between(19, 42),
        Relation::Nobody | Relation::Namesake => match random.below(100) {
            0..6 => random.between(0, 4),
            6..18 => random.between(5, 14),
            18..29 => random.between(15, 24),
            29..56 => random.between(25, 44),
            56..82 => random.between(45, 64),
            82..97 => random.between(65, 84),
            _ => random.between(85, 103),
        },
    };
    days_before(today, years * 365 + years / 4 + random.between(0, 364))
}

fn draw_title(random: &mut Random, gender: &str, adult: bool) -> &'static str {
    match (gender, adult) {
        ("male", false) => "Master",
        (_, false) => "Miss",
        ("male", true) => random.pick(&["Mr", "Mr", "Mr", "Mr", "Dr", "Rev"]),
        ("female", true) => random.pick(&["Mrs", "Mrs", "Ms", "Miss", "Dr", "Prof"]),
        (_, true) => "Mx",
    }
}

fn death_per_mille(age_days: i64) -> u64 {
    match age_days / 365 {
        0..40 => 1,
        40..65 => 6,
        65..85 => 25,
        _ => 120,
    }
}

fn draw_next_of_kin(random: &mut Random) -> NextOfKin {
    let kind = if random.chance(50) { GivenKind::Female } else { GivenKind::Male };
    NextOfKin {
        relationship: random.pick(RELATIONSHIPS),
        name: names::draw(random, kind),
        phone: contact::draw_mobile(random),
    }
}
