//! What a clinician reads of a record, as plain data: headings, tables, words. No HTML.

use jiff::civil::Date;

use crate::{SectionId, SectionState};

/// A patient's record as a clinician reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientView {
    /// Who the patient is; shown above everything else.
    pub banner: Banner,
    /// The four-state allergy header.
    pub allergies: AllergyHeader,
    /// Contact details, next of kin, registration, and all else about the person.
    pub person: Vec<TableView>,
    /// The sections, in the order in which they are shown; every section is there.
    pub sections: Vec<SectionView>,
}

/// Who the patient is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Banner {
    /// The name, `SMITH, John (Mr)`.
    pub name: String,
    /// The name that the patient prefers, where it is another one.
    pub preferred: Option<String>,
    /// The date of birth, `14-Aug-1980`, or "Not known".
    pub born: String,
    /// The age, `46y`; not given for the dead or when the birth date is not known.
    pub age: Option<String>,
    /// The gender in words.
    pub gender: String,
    /// The NHS number, `999 000 0018`, or "Not known".
    pub nhs: String,
    /// What is doubtful about the NHS number.
    pub nhs_note: Option<String>,
    /// The date of death; "Date not known" when only the death is known.
    pub died: Option<String>,
    /// The age at death.
    pub age_at_death: Option<String>,
    /// The lines of the home address; "Details withheld" for a sensitive patient.
    pub address: Vec<String>,
    /// Telephone numbers with their use, `Mobile 07700 900123`.
    pub phones: Vec<String>,
    /// The usual general practitioner.
    pub usual_gp: Option<String>,
    /// What everybody must know at once: deceased, left the practice, details withheld.
    pub flags: Vec<BannerFlag>,
    /// The active alerts of the record, in the source's words.
    pub alerts: Vec<String>,
}

/// A state of the patient's registration that changes how the record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BannerFlag {
    /// The patient has died.
    Deceased,
    /// The patient is not registered with the practice any more.
    Left,
    /// The patient's whereabouts must not be disclosed; they are withheld.
    Sensitive,
    /// The record does not say who the patient is.
    Unidentified,
}

impl BannerFlag {
    /// Returns the flag in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Deceased => "Deceased",
            Self::Left => "Left the practice",
            Self::Sensitive => "Sensitive: details withheld",
            Self::Unidentified => "This record does not say who the patient is",
        }
    }
}

/// What is known about allergies; exactly one of four states.
#[derive(Clone, PartialEq, Eq)]
pub enum AllergyHeader {
    /// "Known allergies": these.
    Known(Vec<AllergyLine>),
    /// "No known allergies": it is recorded that there are none.
    NoneKnown {
        /// When that was recorded.
        recorded: Option<String>,
        /// Who recorded it.
        recorder: Option<String>,
    },
    /// "Allergies not recorded": nothing is recorded, which is not the same as none.
    NotRecorded,
    /// "Allergies unavailable": this copy cannot say.
    Unavailable {
        /// Why it cannot.
        why: String,
    },
}

impl AllergyHeader {
    /// Returns the words of the header.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Known(_) => "Known allergies",
            Self::NoneKnown { .. } => "No known allergies",
            Self::NotRecorded => "Allergies not recorded",
            Self::Unavailable { .. } => "Allergies unavailable",
        }
    }
}

/// One current allergy.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AllergyLine {
    /// The substance or the source's term, in the source's words.
    pub substance: String,
    /// Says that the substance is coded; free text does not trigger decision support.
    pub coded: bool,
    /// Past reactions, with their severity.
    pub reactions: Vec<String>,
    /// How dangerous another exposure is thought to be.
    pub criticality: Option<String>,
    /// The clinical and verification status in words; never blank.
    pub status: String,
    /// The date on which the entry was last updated.
    pub recorded: Option<String>,
}

/// One section of the record.
#[derive(Clone, PartialEq, Eq)]
pub struct SectionView {
    /// Which section it is.
    pub id: SectionId,
    /// The title.
    pub title: String,
    /// What the presence or absence of items means.
    pub state: SectionState,
    /// Sentences to read before the items, the one for an empty section among them.
    pub notes: Vec<String>,
    /// The items.
    pub tables: Vec<TableView>,
}

impl SectionView {
    /// Returns what is wrong with taking the items of the section for all there are, by its notes.
    pub fn gap(&self) -> Option<Gap> {
        self.notes.iter().filter_map(|note| Gap::of_note(note)).min()
    }
}

/// How a section holds less than the source does, beside the items that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// The source has withheld some items.
    Withheld,
    /// Some items are missing, are still to come, or could not be read.
    Incomplete,
}

impl Gap {
    /// Returns what a section's note says to be missing.
    ///
    /// That items lie before a section's window is no gap: every copy leaves these out.
    pub(crate) fn of_note(note: &str) -> Option<Self> {
        const WITHHELD: [&str; 2] = ["withheld", "excluded due to confidentiality"];
        const INCOMPLETE: [&str; 7] = [
            "missing",
            "too large",
            "narrative",
            "could not be read",
            "newest items only",
            "is unavailable",
            "not complete",
        ];
        let note = note.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| note.contains(word));
        if says(&WITHHELD) { Some(Self::Withheld) } else { says(&INCOMPLETE).then_some(Self::Incomplete) }
    }
}

/// Items with the same columns.
#[derive(Clone, PartialEq, Eq)]
pub struct TableView {
    /// The heading of the table; empty when the section's title says it all.
    pub caption: String,
    /// The column headings.
    pub columns: Vec<&'static str>,
    /// The items, in the order in which they are read.
    pub rows: Vec<RowView>,
}

/// One item.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RowView {
    /// One cell for each column.
    pub cells: Vec<CellView>,
    /// What only machines need of the item: codes, identifiers and the like, as the source wrote them.
    pub more: Vec<Field>,
}

/// One cell. The text may hold several lines.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CellView {
    /// The words.
    pub text: String,
    /// How they stand out.
    pub emphasis: Emphasis,
}

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emphasis {
    /// Not at all.
    #[default]
    Plain,
    /// It is what the row is about.
    Strong,
    /// It is out of range, or otherwise to be noticed.
    Alert,
    /// It does not hold: entered in error, refuted, not done.
    Void,
}

/// A labelled text.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// Where in the item the text stands.
    pub label: String,
    /// The text.
    pub text: String,
}

/// A day's appointments.
#[derive(Clone, PartialEq, Eq)]
pub struct DayListView {
    /// The day, where the record says it.
    pub day: Option<Date>,
    /// The day in words, `Sat 21-Nov-2026`.
    pub title: String,
    /// The sessions in order of their start, then of the clinician.
    pub sessions: Vec<SessionView>,
}

/// What one clinician does in one half of a day.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The clinician as the appointments name them.
    pub clinician: String,
    /// Which half of the day.
    pub half: HalfDay,
    /// The appointments in order of their start.
    pub slots: Vec<SlotView>,
}

/// A half of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HalfDay {
    /// Before 13:00.
    Morning,
    /// From 13:00.
    Afternoon,
    /// The appointment has no time.
    Untimed,
}

/// One appointment.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotView {
    /// The start on the 24-hour clock, `09:30`, or the source's text where it is no time.
    pub time: String,
    /// The end on the 24-hour clock.
    pub until: Option<String>,
    /// The key of the patient's record, 32 hexadecimal digits.
    pub patient_key: Option<String>,
    /// The patient's name as it stands in the appointment book.
    pub name_as_booked: Option<String>,
    /// The status in words, such as "Did not attend"; never blank.
    pub status: String,
    /// Says that the appointment does not take place: cancelled, or entered in error.
    pub is_void: bool,
    /// How the patient is seen: in person, by telephone.
    pub channel: Option<String>,
    /// Why the patient comes.
    pub reason: Option<String>,
    /// The clinician as the appointment names them.
    pub clinician: String,
    /// Where.
    pub location: Option<String>,
    /// What else the appointment says, in words.
    pub details: Vec<String>,
    /// What only machines need of the appointment.
    pub more: Vec<Field>,
}

impl CellView {
    /// Makes a cell that does not stand out.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Plain }
    }

    /// Makes a cell that stands out as `emphasis` says.
    pub fn new(text: impl Into<String>, emphasis: Emphasis) -> Self {
        Self { text: text.into(), emphasis }
    }
}

/// Implements `Debug` without showing what the patient's record says.
macro_rules! redact {
    ($($kind:ident),*) => {
        $(impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($kind), " { redacted }"))
            }
        })*
    };
}
redact!(
    PatientView,
    Banner,
    AllergyHeader,
    AllergyLine,
    SectionView,
    TableView,
    RowView,
    CellView,
    Field,
    DayListView,
    SessionView,
    SlotView
);
