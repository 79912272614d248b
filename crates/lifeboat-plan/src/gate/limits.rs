//! Every limit of the gate, with what it is made for. `cargo xtask gate` measures what they do.

use jiff::SignedDuration;

/// How many days of accepted history the gate looks back over.
pub const DAYS_KEPT: usize = 92;

/// How much the loss of a section matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionClass {
    /// Its thinning out endangers patients most: allergies, medication, active problems.
    Watched,
    /// Its loss is noticed when it is large.
    Other,
    /// It rises and falls with the calendar; only its vanishing counts.
    Calendar,
}

impl SectionClass {
    /// Returns the class of a section.
    #[must_use]
    pub fn of(section: &str) -> Self {
        match section {
            "allergies" | "repeat-medication" | "acute-medication" | "active-problems" => Self::Watched,
            "appointments" => Self::Calendar,
            _ => Self::Other,
        }
    }
}

/// Share of patients that may leave at once. List cleanses of up to this size pass.
pub(super) const PATIENTS_LOST: f64 = 0.018;
/// Number of patients that may always leave at once, however small the practice.
pub(super) const PATIENTS_LOST_FLOOR: f64 = 5.0;
/// Share of patients who must be known already, or it is another practice's extract.
pub(super) const SAME_PRACTICE: f64 = 0.5;
/// Share of patients that may join at once; mergers with smaller practices pass.
pub(super) const PATIENTS_JOINED: f64 = 0.6;
/// Below this many patients a practice is still being set up, and may grow as it likes.
pub(super) const JOINED_PATIENTS_MIN: u64 = 500;

/// Share of a watched section that those who stayed may lose at once.
pub(super) const WATCHED_LOST: f64 = 0.022;
/// Patients, and items, of a watched section that may always go.
pub(super) const WATCHED_LOST_FLOOR: f64 = 5.0;
/// Share of another section that those who stayed may lose at once.
pub(super) const OTHER_LOST: f64 = 0.10;
/// Patients, and items, of another section that may always go.
pub(super) const OTHER_LOST_FLOOR: f64 = 20.0;
/// How many times the usual spread of a section's day a loss may be.
pub(super) const SPREADS: f64 = 6.0;
/// The share to which the usual spread widens the limit of a watched section at most.
pub(super) const WATCHED_LOST_MAX: f64 = 0.035;
/// Days of history from which the usual spread is known.
pub(super) const SPREAD_DAYS_MIN: usize = 10;
/// Items from which on a section that has none left has vanished.
pub(super) const VANISHED_ITEMS_MIN: u64 = 5;

/// Days with a list of appointments that there must be where there were [`DAY_LISTS_BEFORE`]: no holiday leaves fewer.
pub(super) const DAY_LISTS_MIN: u64 = 3;
/// Days with a list from which on too few are missed.
pub(super) const DAY_LISTS_BEFORE: u64 = 5;

/// Windows over which slow losses are added up: days, share of patients, share of a watched section.
pub(super) const DRIFT: [(i64, f64, f64); 3] = [(7, 0.028, 0.04), (30, 0.04, 0.045), (90, 0.06, 0.06)];
/// Patients or items that may always go slowly.
pub(super) const DRIFT_FLOOR: f64 = 12.0;
/// The largest gain of a day that offsets slow losses, so that a merger hides none.
pub(super) const DRIFT_GAIN_MAX: f64 = 0.02;

/// Share of inputs that may be unreadable beyond what was unreadable before.
pub(super) const UNREADABLE: f64 = 0.002;
/// Inputs that may always be unreadable.
pub(super) const UNREADABLE_FLOOR: f64 = 2.0;
/// Share of inputs that may be unreadable in a site's first snapshot.
pub(super) const UNREADABLE_FIRST: f64 = 0.2;
/// Share of watched items that may go in a snapshot in which more inputs than before are unreadable.
pub(super) const LOST_WITH_UNREADABLE: f64 = 0.006;

/// Share of NHS numbers that may come to fail their check digit, or to be missing.
pub(super) const NHS_NUMBERS: f64 = 0.002;
/// NHS numbers that may always come to fail, or to be missing.
pub(super) const NHS_NUMBERS_FLOOR: f64 = 3.0;
/// Share of NHS numbers that may fail in a site's first snapshot.
pub(super) const NHS_NUMBERS_FIRST: f64 = 0.1;
/// NHS numbers from which on a first snapshot is judged by them.
pub(super) const NHS_NUMBERS_FIRST_MIN: u64 = 20;

/// Share of patients who may lose their name or birth date at once.
pub(super) const NAMELESS: f64 = 0.002;
/// Patients who may always lose them.
pub(super) const NAMELESS_FLOOR: f64 = 3.0;
/// Share of patients whose birth date may change at once; it hardly ever does.
pub(super) const BIRTH_DATES_CHANGED: f64 = 0.002;
/// Patients whose birth date may always change.
pub(super) const BIRTH_DATES_CHANGED_FLOOR: f64 = 3.0;
/// Share of patients whose name may change at once.
pub(super) const NAMES_CHANGED: f64 = 0.01;
/// Patients whose name may always change.
pub(super) const NAMES_CHANGED_FLOOR: f64 = 8.0;

/// Share of patients whose record may come to hold garbled text at once.
pub(super) const GARBLED: f64 = 0.0018;
/// Patients whose record may always come to hold garbled text.
pub(super) const GARBLED_FLOOR: f64 = 2.0;
/// Share of patients who may have garbled text in a site's first snapshot.
pub(super) const GARBLED_FIRST: f64 = 0.2;
/// Share of records that may be garbled or unreadable, taken together, beyond what was so before.
pub(super) const DAMAGED: f64 = 0.003;
/// Records that may always be.
pub(super) const DAMAGED_FLOOR: f64 = 3.0;
/// Share of the text of those who stayed that may go at once.
pub(super) const TEXT_LOST: f64 = 0.12;
/// Share by which the text of each patient may grow at once.
pub(super) const TEXT_GROWN: f64 = 0.25;
/// Characters below which the amount of text says nothing.
pub(super) const TEXT_MIN: u64 = 20_000;

/// How far the clock of the host may go back between snapshots.
pub(super) const CLOCK_BACK: SignedDuration = SignedDuration::from_mins(5);
/// How far the source's time may go back.
pub(super) const SOURCE_BACK: SignedDuration = SignedDuration::from_hours(1);
/// Share of records that must have moved for an older source to be a replay: where one file stands for a
/// patient, the newest file may leave with its patient.
pub(super) const REPLAY_MOVED: f64 = 0.005;
/// Records that may always have moved.
pub(super) const REPLAY_MOVED_FLOOR: f64 = 3.0;
/// A snapshot is also compared with the newest that is at least this old, so that losses within a day add up.
pub(super) const DAY_AGO: SignedDuration = SignedDuration::from_hours(20);
