//! What goes wrong with an extract, as it changes a day's facts.

use jiff::SignedDuration;
use lifeboat_plan::gate::{GateFacts, SectionFacts};

use super::practice::{day_lists, float, whole};
use super::random::Random;

/// Share of overwritten records in which the engine notices it, as measured in `lifeboat-clinical`.
const NOTICED: f64 = 0.97;

/// Something that goes wrong on one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attack {
    /// No patient at all.
    Empty,
    /// This share of patients is missing.
    Truncate(f64),
    /// This section is empty for this share of patients.
    Blank(&'static str, f64),
    /// Bytes of this share of patients' records are overwritten.
    Garble(f64),
    /// All text and numbers are replaced by encrypted ones.
    EncryptAll,
    /// Clinical text alone is replaced by encrypted text.
    EncryptTerms,
    /// Text and numbers of this share of patients are replaced by encrypted ones.
    EncryptSome(f64),
    /// Another practice's extract.
    WrongPractice,
    /// The extract of so many days ago, with its own time or a fresh one.
    Replay {
        /// How old it is.
        days: usize,
        /// Whether its time says so.
        dated: bool,
    },
}

impl Attack {
    /// Every attack that is measured, in the order of the table.
    pub(crate) const ALL: [Self; 26] = [
        Self::Empty,
        Self::Truncate(0.20),
        Self::Truncate(0.05),
        Self::Truncate(0.02),
        Self::Truncate(0.01),
        Self::Blank("allergies", 0.20),
        Self::Blank("allergies", 0.10),
        Self::Blank("allergies", 0.05),
        Self::Blank("repeat-medication", 0.20),
        Self::Blank("repeat-medication", 0.10),
        Self::Blank("repeat-medication", 0.05),
        Self::Blank("acute-medication", 0.05),
        Self::Blank("active-problems", 0.05),
        Self::Blank("immunisations", 0.05),
        Self::Garble(0.05),
        Self::Garble(0.01),
        Self::Garble(0.005),
        Self::EncryptAll,
        Self::EncryptTerms,
        Self::EncryptSome(0.01),
        Self::WrongPractice,
        Self::Replay { days: 30, dated: true },
        Self::Replay { days: 7, dated: true },
        Self::Replay { days: 30, dated: false },
        Self::Replay { days: 7, dated: false },
        Self::Replay { days: 2, dated: false },
    ];

    /// The name in the table.
    pub(crate) fn name(self) -> String {
        let percent = |share: f64| format!("{} %", share * 100.0);
        match self {
            Self::Empty => "empty".to_owned(),
            Self::Truncate(share) => format!("truncate {}", percent(share)),
            Self::Blank(section, share) => format!("blank {section} of {}", percent(share)),
            Self::Garble(share) => format!("garble {}", percent(share)),
            Self::EncryptAll => "encrypt all fields in place".to_owned(),
            Self::EncryptTerms => "encrypt clinical text in place".to_owned(),
            Self::EncryptSome(share) => format!("encrypt fields of {}", percent(share)),
            Self::WrongPractice => "wrong practice".to_owned(),
            Self::Replay { days, dated: true } => format!("replay of {days} days ago"),
            Self::Replay { days, dated: false } => format!("replay of {days} days ago, dated anew"),
        }
    }

    /// The detection rate that is asked for.
    pub(crate) fn target(self) -> Option<f64> {
        match self {
            Self::Truncate(share) if share < 0.02 => None,
            Self::Blank("immunisations", _) => None,
            Self::Replay { dated: false, .. } => None,
            _ => Some(0.99),
        }
    }

    /// Whether a site can suffer it within its first days.
    pub(crate) fn fits_start(self) -> bool {
        self.target().is_some() && !matches!(self, Self::Replay { .. })
    }

    /// The facts of the attacked extract of `day`; `other` is another practice's year.
    pub(crate) fn on(
        self,
        year: &[GateFacts],
        day: usize,
        other: &[GateFacts],
        random: &mut Random,
    ) -> GateFacts {
        let mut facts = year[day].clone();
        let patients = float(facts.patients);
        match self {
            Self::Empty => lose(&mut facts, patients, random),
            Self::Truncate(share) => lose(&mut facts, (patients * share).floor(), random),
            Self::Blank(section, share) => blank(&mut facts, section, share, random),
            Self::Garble(share) => garble(&mut facts, share, random),
            Self::EncryptAll => encrypt(&mut facts, 1.0, Fields::All, random),
            Self::EncryptTerms => encrypt(&mut facts, 1.0, Fields::Terms, random),
            Self::EncryptSome(share) => encrypt(&mut facts, share, Fields::All, random),
            Self::WrongPractice => {
                let left = facts.quality.map_or(0, |quality| quality.left) + facts.patients;
                let mut foreign = other[day].clone();
                (foreign.sequence, foreign.taken) = (facts.sequence, facts.taken);
                foreign.moved = foreign.patients + facts.patients;
                if let Some(quality) = &mut foreign.quality {
                    quality.left = left;
                }
                facts = foreign;
            }
            Self::Replay { days, dated } => facts = replay(year, day, days, dated),
        }
        facts
    }
}

/// Takes patients away, each with their own items.
pub(crate) fn lose(facts: &mut GateFacts, gone: f64, random: &mut Random) {
    let patients = float(facts.patients).max(1.0);
    let share = (gone / patients).min(1.0);
    for (id, section) in &mut facts.sections {
        if id == "appointments" && share < 1.0 {
            continue;
        }
        take(section, share, random);
    }
    if let Some(quality) = &mut facts.quality {
        let mut less = |count: u64| whole(float(count) - random.binomial(float(count), share));
        let wrong = less(quality.nhs_numbers - quality.nhs_numbers_valid);
        quality.nhs_numbers_valid = less(quality.nhs_numbers_valid);
        quality.nhs_numbers = quality.nhs_numbers_valid + wrong;
        quality.garbled = less(quality.garbled);
        quality.characters =
            lifeboat_format::Quality::rounded(whole(float(quality.characters) * (1.0 - share)));
        quality.left += whole(gone);
    }
    facts.patients -= whole(gone).min(facts.patients);
    facts.moved += whole(gone);
}

/// Empties a section for a share of patients.
pub(crate) fn blank(facts: &mut GateFacts, id: &str, share: f64, random: &mut Random) {
    let Some(section) = facts.sections.get_mut(id) else { return };
    let before = section.patients;
    take(section, share, random);
    facts.moved += before - section.patients;
}

/// Takes a random share of a section's patients with their items, of which some have many and most have few.
fn take(section: &mut SectionFacts, share: f64, random: &mut Random) {
    let (patients, items) = (float(section.patients), float(section.items));
    if share >= 1.0 {
        *section = SectionFacts::default();
        return;
    }
    let taken = random.binomial(patients, share);
    let each = items / patients.max(1.0);
    let items_taken = random.normal(taken * each, taken.sqrt() * each).clamp(taken, items);
    section.patients = whole(patients - taken);
    section.items = whole((items - items_taken).max(float(section.patients)));
}

/// Overwrites bytes: some records keep readable with garbled text, others cannot be read and are carried.
fn garble(facts: &mut GateFacts, share: f64, random: &mut Random) {
    let hit = (float(facts.patients) * share).round().max(1.0);
    let unreadable = match random.index(3) {
        0 => 0.0,
        1 => hit,
        _ => random.binomial(hit, 0.5),
    };
    facts.unreadable += whole(unreadable);
    if let Some(quality) = &mut facts.quality {
        quality.garbled += whole(random.binomial(hit - unreadable, NOTICED));
    }
    facts.moved += whole(hit);
}

/// Which fields are encrypted.
#[derive(PartialEq)]
enum Fields {
    All,
    Terms,
}

fn encrypt(facts: &mut GateFacts, share: f64, fields: Fields, random: &mut Random) {
    let hit = random.binomial(float(facts.patients), share);
    facts.moved += whole(hit);
    let Some(quality) = &mut facts.quality else { return };
    // Records without any long text are not noticed.
    quality.garbled = quality.garbled.max(whole(random.binomial(hit, 0.95)));
    quality.characters =
        lifeboat_format::Quality::rounded(whole(float(quality.characters) * (1.0 + 0.37 * share)));
    if fields == Fields::All {
        quality.nhs_numbers_valid -= whole(random.binomial(float(quality.nhs_numbers_valid), share));
        // Without name, birth date and number nobody is known any more: they have left, and strangers have come.
        quality.left += whole(hit);
        quality.without_birth_date += whole(hit);
    }
}

/// An old extract: who joined since is gone, who left is back, and its appointments are over.
fn replay(year: &[GateFacts], day: usize, days: usize, dated: bool) -> GateFacts {
    let (now, old) = (&year[day], &year[day.saturating_sub(days)]);
    let left = |facts: &GateFacts| facts.quality.map_or(0, |quality| quality.left);
    let joined = (now.patients + left(now)).saturating_sub(old.patients + left(old));
    let mut facts = old.clone();
    (facts.sequence, facts.taken) = (now.sequence, now.taken);
    if !dated {
        facts.source_time = now.source_time;
    }
    facts.moved =
        year[day - days.min(day)..day].iter().map(|facts| facts.moved).sum::<u64>().min(now.patients);
    if let Some(quality) = &mut facts.quality {
        quality.left = left(now) + joined;
    }
    // The window moved on: what fell out of it since is not there either.
    let window = |section: &SectionFacts, share: f64| SectionFacts {
        patients: whole(float(section.patients) * (1.0 - share * 0.4)),
        items: whole(float(section.items) * (1.0 - share)),
    };
    if let Some(acute) = facts.sections.get_mut("acute-medication") {
        *acute = window(acute, f64::from(u32::try_from(days).unwrap_or(u32::MAX)) / 365.0);
    }
    if let Some(appointments) = facts.sections.get_mut("appointments") {
        let lists = day_lists(day, days);
        let left = float(lists) / float(appointments.patients).max(1.0);
        *appointments =
            SectionFacts { patients: lists, items: whole(float(appointments.items) * left.min(1.0)) };
    }
    facts
}

/// Something that is lost day by day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Drain {
    /// Patients.
    Patients(f64),
    /// The items of a section, patient by patient.
    Section(&'static str, f64),
}

impl Drain {
    /// Every drain that is measured.
    pub(crate) const ALL: [Self; 9] = [
        Self::Patients(0.005),
        Self::Patients(0.002),
        Self::Patients(0.001),
        Self::Section("allergies", 0.005),
        Self::Section("allergies", 0.002),
        Self::Section("allergies", 0.001),
        Self::Section("repeat-medication", 0.005),
        Self::Section("repeat-medication", 0.002),
        Self::Section("repeat-medication", 0.001),
    ];

    /// The name in the table.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Patients(share) => format!("patients, {:.1} % a day", share * 100.0),
            Self::Section(id, share) => format!("{id}, {:.1} % a day", share * 100.0),
        }
    }

    /// The facts of a day after the drain has gone on for so many days.
    pub(crate) fn after(self, day: &GateFacts, days: i32, random: &mut Random) -> GateFacts {
        let mut facts = day.clone();
        match self {
            Self::Patients(share) => {
                let gone = float(facts.patients) * (1.0 - (1.0 - share).powi(days));
                lose_evenly(&mut facts, gone.round());
            }
            Self::Section(id, share) => {
                let lost = 1.0 - (1.0 - share).powi(days);
                if let Some(section) = facts.sections.get_mut(id) {
                    let wobble = random.normal(0.0, 0.0002);
                    let kept = (1.0 - lost + wobble).clamp(0.0, 1.0);
                    section.patients = whole(float(section.patients) * kept);
                    section.items = whole(float(section.items) * kept);
                }
            }
        }
        // What is compared is history and today: times are the day's own.
        facts.source_time = facts.source_time.map(|made| made + SignedDuration::from_secs(1));
        facts
    }
}

/// Takes patients away with exactly their share, so that a drain goes on from one day to the next.
fn lose_evenly(facts: &mut GateFacts, gone: f64) {
    let share = 1.0 - gone / float(facts.patients).max(1.0);
    for (id, section) in &mut facts.sections {
        if id != "appointments" {
            section.patients = whole(float(section.patients) * share);
            section.items = whole(float(section.items) * share);
        }
    }
    if let Some(quality) = &mut facts.quality {
        quality.nhs_numbers = whole(float(quality.nhs_numbers) * share);
        quality.nhs_numbers_valid = whole(float(quality.nhs_numbers_valid) * share).min(quality.nhs_numbers);
        quality.characters = lifeboat_format::Quality::rounded(whole(float(quality.characters) * share));
        quality.left += whole(gone);
    }
    facts.patients -= whole(gone).min(facts.patients);
}
