//! One practice's year, day by day, as the facts that the gate sees.

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Quality;
use lifeboat_plan::gate::{GateFacts, SectionFacts};

use super::random::Random;

/// Days that a practice is simulated.
pub(crate) const DAYS: usize = 365;
/// The first snapshot's time: a Monday morning.
const FIRST: i64 = 1_767_592_800;
/// Days of the year on which nobody works: a simplified English calendar.
const HOLIDAYS: [usize; 9] = [0, 88, 91, 119, 140, 235, 355, 356, 357];
/// Saturdays with a flu clinic, which the next morning's snapshot shows.
const FLU_SATURDAYS: [usize; 6] = [258, 265, 272, 279, 286, 300];

/// What a section is like in an ordinary practice.
struct Shape {
    id: &'static str,
    /// Share of patients with something in it.
    covered: f64,
    /// Items of each of those.
    items: f64,
    /// Share of items that come and go on a working day.
    turnover: f64,
}

const SHAPES: [Shape; 10] = [
    Shape { id: "allergies", covered: 0.34, items: 1.6, turnover: 0.0004 },
    Shape { id: "repeat-medication", covered: 0.42, items: 4.3, turnover: 0.0020 },
    Shape { id: "acute-medication", covered: 0.38, items: 3.1, turnover: 0.0038 },
    Shape { id: "active-problems", covered: 0.61, items: 4.8, turnover: 0.0008 },
    Shape { id: "past-problems", covered: 0.55, items: 6.2, turnover: 0.0008 },
    Shape { id: "immunisations", covered: 0.86, items: 7.4, turnover: 0.0006 },
    Shape { id: "results", covered: 0.63, items: 21.0, turnover: 0.0040 },
    Shape { id: "observations", covered: 0.81, items: 12.0, turnover: 0.0035 },
    Shape { id: "encounters", covered: 0.77, items: 9.0, turnover: 0.0040 },
    Shape { id: "documents", covered: 0.64, items: 7.0, turnover: 0.0030 },
];

/// The number of the section of acute medication, which shrinks by what falls out of its window.
const ACUTE: usize = 2;
/// The number of immunisations, which grow in autumn.
const IMMUNISATIONS: usize = 5;

/// Patients and items of one section.
#[derive(Clone, Copy)]
struct Section {
    patients: f64,
    items: f64,
}

/// A practice under way.
struct Practice {
    random: Random,
    patients: f64,
    left: f64,
    sections: [Section; SHAPES.len()],
    turnover_a_year: f64,
    growth_a_year: f64,
    is_university: bool,
    characters_each: f64,
    wrong_numbers: f64,
    without_number: f64,
    garbled: f64,
    merges_on: Option<usize>,
    recodes_on: Option<usize>,
    /// 1, or 2 where everything happens twice as often.
    pace: f64,
}

/// What happened on one day beside its counts.
#[derive(Default)]
struct Day {
    joined: f64,
    gone: f64,
    moved: f64,
    names_changed: f64,
    birth_dates_changed: f64,
    unreadable: f64,
}

/// How lively a practice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As practices are thought to be.
    Usual,
    /// Twice the turnover, cleanses and tidying of that: what if practices are not as they are thought to be?
    Doubled,
}

/// Simulates a practice's year.
pub(crate) fn year(seed: u64, pace: Pace) -> Vec<GateFacts> {
    let mut practice = Practice::new(Random::new(seed), pace);
    (0..DAYS).map(|day| practice.live(day)).collect()
}

/// Whether the day before the snapshot of `day` was a working day.
fn is_after_working_day(day: usize) -> bool {
    let yesterday = (day + 6) % 7;
    yesterday < 5 && !HOLIDAYS.contains(&day)
}

/// Days with a list of appointments, from the day before a snapshot to a week ahead, in an extract that is `old` days old.
pub(crate) fn day_lists(number: usize, old: usize) -> u64 {
    let open = (number..(number + 9).saturating_sub(old)).filter(|day| is_after_working_day(*day)).count();
    u64::try_from(open).unwrap_or(0)
}

impl Practice {
    fn new(mut random: Random, pace: Pace) -> Self {
        let patients = random.normal(8_700_f64.ln(), 0.55).exp().clamp(1_200.0, 45_000.0).round();
        let sections = SHAPES.map(|shape| {
            let covered = (shape.covered * random.between(0.75, 1.2)).min(0.97);
            let with = (patients * covered).round();
            Section { patients: with, items: (with * shape.items * random.between(0.7, 1.3)).round() }
        });
        let merges = random.chance(0.08);
        let recodes = random.chance(0.2);
        Self {
            patients,
            left: 0.0,
            sections,
            turnover_a_year: random.between(0.05, 0.14),
            growth_a_year: random.between(-0.02, 0.04),
            is_university: random.chance(0.04),
            characters_each: random.between(5_000.0, 14_000.0),
            wrong_numbers: random.poisson(patients * 0.0005),
            without_number: random.poisson(patients * 0.003),
            garbled: random.poisson(patients * 0.001),
            merges_on: merges.then(|| 5 + random.index(DAYS - 10)),
            recodes_on: recodes.then(|| 5 + random.index(DAYS - 10)),
            pace: if pace == Pace::Doubled { 2.0 } else { 1.0 },
            random,
        }
    }

    fn live(&mut self, number: usize) -> GateFacts {
        let works = is_after_working_day(number);
        let mut day = Day { moved: self.patients * if works { 0.04 } else { 0.003 }, ..Day::default() };
        if self.random.chance(0.015) {
            day.unreadable = 1.0 + self.random.poisson(0.3);
        }
        if number > 0 {
            self.people(number, works, &mut day);
            self.records(number, works, &mut day);
            self.events(number, &mut day);
        }
        self.facts(number, works, &day)
    }

    /// People join and leave; nine tenths of it on working days.
    fn people(&mut self, number: usize, works: bool, day: &mut Day) {
        let pace = self.pace * if works { 1.35 } else { 0.12 } / 365.0;
        let season = (200..235).contains(&number);
        let term = (260..272).contains(&number);
        let extra = |is: bool, share: f64| if self.is_university && is { share } else { 0.0 };
        let leaving = self.turnover_a_year * pace + extra(season && works, 0.0045);
        let joining = (self.turnover_a_year + self.growth_a_year) * pace + extra(term && works, 0.018);
        let gone = self.random.poisson(self.patients * leaving);
        let joined = self.random.poisson(self.patients * joining);
        self.leave(gone, 0.75, day);
        self.join(joined, 0.8, day);
        // Some of those who joined lately get their numbers and records; newborns come without.
        self.without_number = self.random.binomial(self.without_number, 0.97)
            + self.random.binomial(joined, 0.05)
            + self.random.poisson(self.patients * 0.003 * 0.03);
    }

    /// Takes people away whose records are `weight` times as long as others'.
    ///
    /// While inputs cannot be read, the engine carries everybody over.
    fn leave(&mut self, gone: f64, weight: f64, day: &mut Day) {
        let gone = if day.unreadable > 0.0 { 0.0 } else { gone.min(self.patients - 1.0) };
        for section in &mut self.sections {
            let share = section.patients / self.patients;
            let with = self.random.binomial(gone, share * weight).min(section.patients);
            let items = if section.patients > 0.0 { section.items / section.patients } else { 0.0 };
            section.patients -= with;
            section.items =
                (section.items - self.random.normal(with * items, (with * items).sqrt())).max(0.0).round();
        }
        self.wrong_numbers -= self.random.binomial(self.wrong_numbers, gone / self.patients);
        self.garbled -= self.random.binomial(self.garbled, gone / self.patients);
        self.patients -= gone;
        self.left += gone;
        day.gone += gone;
    }

    fn join(&mut self, joined: f64, density: f64, day: &mut Day) {
        for (section, shape) in self.sections.iter_mut().zip(&SHAPES) {
            let with = self.random.binomial(joined, (shape.covered * density).min(0.97));
            section.patients += with;
            section.items += self.random.poisson(with * shape.items * density);
        }
        self.wrong_numbers += self.random.binomial(joined, 0.0005);
        self.garbled += self.random.binomial(joined, 0.001);
        self.patients += joined;
        day.joined += joined;
    }

    /// Records grow, are tidied, and fall out of windows.
    fn records(&mut self, number: usize, works: bool, day: &mut Day) {
        let year = f64::from(u32::try_from(number).unwrap_or(0)) / 365.0;
        let winter = 1.0 + 0.15 * (std::f64::consts::TAU * year).cos();
        for (at, (section, shape)) in self.sections.iter_mut().zip(&SHAPES).enumerate() {
            let rate = self.pace * shape.turnover * if works { 1.0 } else { 0.06 };
            let rate = if at == ACUTE { rate * winter } else { rate };
            let came = self.random.poisson(section.items * rate * 1.03);
            let went = if at == ACUTE {
                // What was issued a year ago falls out; that day was another day of the week.
                let worked = is_after_working_day(number + 6) && !HOLIDAYS.contains(&(number + 6));
                self.random.poisson(
                    self.pace * section.items * shape.turnover * winter * if worked { 1.0 } else { 0.06 },
                )
            } else {
                self.random.poisson(section.items * rate)
            };
            let each = (section.items / section.patients.max(1.0)).max(1.0);
            let net = came - went;
            section.items = (section.items + net).max(0.0);
            let with = net / each + self.random.normal(0.0, (came + went).sqrt() / each / 2.0);
            section.patients = (section.patients + with).round().clamp(0.0, self.patients);
        }
        if FLU_SATURDAYS.contains(&(number.saturating_sub(1))) {
            let jabs = self.random.binomial(self.patients, 0.04);
            self.sections[IMMUNISATIONS].items += jabs;
            day.moved += jabs;
        }
        let pace = self.pace * if works { 1.35 } else { 0.1 } / 365.0;
        day.names_changed += self.random.poisson(self.patients * 0.015 * pace);
        day.birth_dates_changed += self.random.poisson(self.patients * 0.0006 * pace);
        self.characters_each *= 1.0 + if works { 0.0002 } else { 0.0 };
    }

    /// Rare things: cleanses, mergers, recodes, tidying, text in a wrong encoding.
    fn events(&mut self, number: usize, day: &mut Day) {
        let pace = self.pace;
        let daily = |times_a_year: f64| pace * times_a_year / 365.0;
        if self.random.chance(daily(3.0)) {
            let share = match self.random.unit() {
                most if most < 0.7 => self.random.between(0.002, 0.010),
                many if many < 0.95 => self.random.between(0.010, 0.017),
                _ => self.random.between(0.017, 0.030),
            };
            self.leave((self.patients * share).round(), 0.35, day);
            day.moved += self.patients * share;
        }
        if self.merges_on == Some(number) {
            let joined = (self.patients * self.random.between(0.1, 0.5)).round();
            let density = self.random.between(0.75, 1.1);
            self.join(joined, density, day);
            day.moved += joined;
        }
        if self.recodes_on == Some(number) {
            // A supplier changes codes and terms: every record differs, the amounts hardly do.
            day.moved = self.patients;
            self.characters_each *= self.random.between(0.93, 1.08);
            for section in &mut self.sections {
                section.items = (section.items * self.random.between(0.992, 1.008)).round();
            }
        }
        for (section, times) in [(1, 2.0), (3, 1.5), (0, 0.3), (2, 0.5)] {
            if self.random.chance(daily(times)) {
                let tidied = self.random.between(0.001, 0.012);
                let kept = &mut self.sections[section];
                kept.items = (kept.items * (1.0 - tidied)).round();
                kept.patients = (kept.patients * (1.0 - tidied * 0.4)).round();
            }
        }
        if self.random.chance(daily(0.6)) {
            self.garbled += self.random.between(1.0, 2.0 + self.patients * 0.0012).round();
        }
        if self.random.chance(daily(0.1)) {
            day.names_changed += self.random.binomial(self.patients, 0.004);
        }
    }

    fn facts(&mut self, number: usize, works: bool, day: &Day) -> GateFacts {
        let hours = 24 * i64::try_from(number).unwrap_or(0);
        let taken =
            Timestamp::UNIX_EPOCH + SignedDuration::from_secs(FIRST) + SignedDuration::from_hours(hours);
        let mut sections: std::collections::BTreeMap<String, SectionFacts> = SHAPES
            .iter()
            .zip(&self.sections)
            .map(|(shape, section)| {
                let facts = SectionFacts { patients: whole(section.patients), items: whole(section.items) };
                (shape.id.to_owned(), facts)
            })
            .collect();
        // Nine days of appointments; fewer around holidays, more before a flu clinic.
        let lists = day_lists(number, 0);
        let open = float(lists) + 0.1;
        let clinics = FLU_SATURDAYS.iter().filter(|day| (number..number + 7).contains(day)).count();
        let clinics = f64::from(u32::try_from(clinics).unwrap_or(0));
        let appointments = self.random.poisson(self.patients * (0.016 * open + 0.04 * clinics));
        sections
            .insert("appointments".to_owned(), SectionFacts { patients: lists, items: whole(appointments) });
        let numbers = self.patients - self.without_number.min(self.patients);
        let made = taken - SignedDuration::from_mins(if works { 40 } else { 60 });
        GateFacts {
            sequence: u64::try_from(number).unwrap_or(0) + 1,
            taken: Some(taken),
            source_time: Some(made),
            released: false,
            documents: whole(self.patients),
            unreadable: whole(day.unreadable),
            patients: whole(self.patients),
            moved: whole(day.moved + day.joined + day.gone),
            sections,
            quality: Some(Quality {
                left: whole(self.left),
                nhs_numbers: whole(numbers),
                nhs_numbers_valid: whole((numbers - self.wrong_numbers).max(0.0)),
                without_name: 0,
                without_birth_date: 0,
                names_changed: whole(day.names_changed),
                birth_dates_changed: whole(day.birth_dates_changed),
                garbled: whole(self.garbled),
                characters: Quality::rounded(whole(self.characters_each * self.patients)),
            }),
        }
    }
}

/// A count as the manifest has it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are not negative and small"
)]
pub(crate) fn whole(count: f64) -> u64 {
    count.max(0.0).round() as u64
}

/// A count to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
