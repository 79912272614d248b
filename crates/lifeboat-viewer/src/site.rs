//! An open site: the snapshot that is shown, who is in it, and every copy from which it can be read.
//!
//! Invariants: one opening shows one snapshot. Each copy is read under the same verified head, so bytes of
//! another snapshot fail their digests and are never mixed in. A record is decrypted when it is asked for and
//! is not kept. The directory is kept, because search needs it, and is wiped when the site closes.

mod ask;
#[cfg(test)]
pub(crate) mod fixture;
mod open_error;
pub mod people;
mod person_text;
pub mod source;
pub mod standing;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use lifeboat_format::{ManifestId, ObjectKey, RecordKey, RecordName, VerifiedHead};
use lifeboat_replica::{Choice, Directory, OpenedRecord, ReadError, Reader, SiteReader};

use self::ask::Asked;
use self::people::People;
use self::source::Keys;
use self::standing::{Answer, Finding, Holding};
use crate::age::{AgeLimits, CopyAge, show_instant};
use crate::clock::{Clock, practice_day};
use crate::pages::copy::AboutCopy;
use crate::pages::held::{AcceptedCopy, HeldCopy};
use crate::pages::strip::{CopyLine, HeldLine, Strip};

pub use self::open_error::OpenError;
pub use self::source::{Source, SourceError};

/// The longest that one copy is waited for when a record is read.
pub const RECORD_TIME_MAX: Duration = Duration::from_secs(10);
/// The longest that one copy is waited for when keys and the directory are read.
pub const DIRECTORY_TIME_MAX: Duration = Duration::from_secs(30);

const LATE: &str = "it did not answer in time";

/// A record to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A patient's record.
    Patient(RecordKey),
    /// The list of a day.
    Day(Date),
}

impl Wanted {
    async fn read_from(self, copy: &SiteReader) -> Result<Option<OpenedRecord>, ReadError> {
        let key = match self {
            Self::Patient(key) => key,
            Self::Day(day) => copy.record_key(&RecordName::Day(day)).await?,
        };
        copy.record(key).await
    }
}

/// Why a record could not be read from any copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Each copy that was tried, with what is wrong there.
    pub tried: Vec<(String, String)>,
}

/// An open site.
pub struct OpenSite {
    keys: Keys,
    /// Whether the reader chose to see the newest snapshot although it is held.
    choice: Choice,
    head: VerifiedHead,
    shown: Holding,
    name: Option<String>,
    answers: Vec<Answer>,
    copies: Vec<(usize, SiteReader)>,
    asked_at: Timestamp,
    people: People,
    days: Vec<Date>,
    moved: Option<String>,
    reading: Mutex<Reading>,
}

/// What changes while a site is open: which copy answers, and which records nobody could read.
#[derive(Debug, Default)]
struct Reading {
    copy: usize,
    unreadable: HashSet<RecordKey>,
    /// What went wrong at which replica since all were asked, by its place among the answers.
    faults: BTreeMap<usize, Finding>,
}

impl fmt::Debug for OpenSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSite({}, {} copies, redacted)", self.head.manifest.site, self.copies.len())
    }
}

impl OpenSite {
    /// Asks all replicas and opens the freshest that verifies and opens.
    pub(crate) async fn open(keys: Keys, clock: &dyn Clock) -> Result<Self, OpenError> {
        Self::open_chosen(keys, clock, Choice::Accepted).await
    }

    async fn open_chosen(keys: Keys, clock: &dyn Clock, choice: Choice) -> Result<Self, OpenError> {
        let mut asked = ask::all(&keys.replicas, keys.verification_key.as_ref(), keys.site.as_ref()).await;
        asked.extend(keys.not_understood.iter().cloned().map(Asked::not_understood));
        asked.iter_mut().for_each(|asked| asked.see(choice));
        let order = standing::reading_order(&answers(&asked));
        if order.is_empty() {
            let answers = answers(&asked);
            let any_damaged = answers.iter().any(|answer| matches!(answer.finding, Finding::Damaged(_)));
            return Err(if any_damaged {
                OpenError::NoneVerifies { answers }
            } else {
                OpenError::NoneReachable { answers }
            });
        }
        let mut wrong_secret = false;
        for at in order {
            let Some(head) = asked[at].head.clone() else { continue };
            let shown = ask::holding(&head, choice);
            let copies = copies(&asked, at, &head, &keys, choice);
            let (directory, name) = futures::join!(open_directory(&copies), ask::name(&asked[at], &head));
            match directory {
                Ok((reading, Directory { rows, days })) => {
                    let now = clock.now();
                    let today = practice_day(now);
                    let people = tokio::task::spawn_blocking(move || People::new(rows, today)).await;
                    return Ok(Self {
                        keys,
                        choice,
                        head,
                        shown,
                        name,
                        answers: answers(&asked),
                        copies,
                        asked_at: now,
                        people: people.map_err(|_| OpenError::Background)?,
                        days,
                        moved: None,
                        reading: Mutex::new(reading),
                    });
                }
                Err(error) => {
                    wrong_secret |= matches!(error, ReadError::Unlock { .. });
                    asked[at].answer.finding = Finding::Unusable(ask::finding_of(&error).words().to_owned());
                }
            }
        }
        if wrong_secret {
            Err(OpenError::NotARecipient)
        } else {
            Err(OpenError::NoneVerifies { answers: answers(&asked) })
        }
    }

    /// Asks all replicas again with the same keys; says when what is shown has changed.
    pub async fn ask_again(&self, clock: &dyn Clock) -> Result<Self, OpenError> {
        // Who chose the held snapshot did not choose the one after it.
        let mut again = Self::open_chosen(self.keys.clone(), clock, self.choice).await?;
        if self.choice == Choice::Newest && again.snapshot() != self.snapshot() {
            again = Self::open(self.keys.clone(), clock).await?;
        }
        if again.snapshot() == self.snapshot() {
            again.moved.clone_from(&self.moved);
            again.reading().unreadable.clone_from(&self.reading().unreadable);
        } else {
            let (before, after) = (show_instant(self.as_of()), show_instant(again.as_of()));
            again.moved =
                Some(format!("the copy shown before was as of {before}; this one is as of {after}."));
        }
        Ok(again)
    }

    /// Opens the site again as the reader chose: the newest snapshot although it is held, or the accepted one.
    pub async fn choose(&self, choice: Choice, clock: &dyn Clock) -> Result<Self, OpenError> {
        Self::open_chosen(self.keys.clone(), clock, choice).await
    }

    /// Returns the held snapshot and what there is to say of it, when the newest is held.
    pub fn held(&self) -> Option<HeldCopy> {
        let newest = &self.head.manifest;
        newest.is_held().then(|| HeldCopy {
            is_shown: self.shows_held(),
            sequence: newest.sequence.to_string(),
            taken: show_instant(newest.taken),
            patients: newest.counts.patients,
            reasons: newest.gate.reasons.iter().map(|reason| reason.detail.clone()).collect(),
            accepted: self.head.accepted.as_ref().map(|(_, manifest)| AcceptedCopy {
                sequence: manifest.sequence.to_string(),
                taken: show_instant(manifest.taken),
                patients: manifest.counts.patients,
            }),
        })
    }

    /// Says whether what is shown is held.
    pub fn shows_held(&self) -> bool {
        ask::shown(&self.head, self.choice).1.is_held()
    }

    fn as_of(&self) -> Timestamp {
        ask::as_of(&self.head, self.choice)
    }

    /// Returns the snapshot that is shown.
    pub fn snapshot(&self) -> ManifestId {
        ask::shown(&self.head, self.choice).0
    }

    /// Returns the name of the replica that is read.
    pub fn reading_name(&self) -> String {
        self.answers[self.reading_answer()].name.to_string()
    }

    /// Returns who is in the snapshot.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Returns the days of which the snapshot holds a list.
    pub fn days(&self) -> &[Date] {
        &self.days
    }

    /// Returns how old the snapshot is at `now`.
    pub fn age(&self, now: Timestamp, limits: &AgeLimits) -> CopyAge {
        CopyAge::at(now, self.as_of(), limits)
    }

    /// Says whether a record was tried and could be read from no copy.
    pub fn is_unreadable(&self, key: &RecordKey) -> bool {
        self.reading().unreadable.contains(key)
    }

    /// Reads a record, from the copy that answered last or else from any other, and remembers what was wrong with
    /// those that did not give it; nothing when the snapshot does not hold it.
    pub async fn read(&self, wanted: Wanted) -> Result<Option<OpenedRecord>, Unreadable> {
        if matches!(wanted, Wanted::Day(day) if !self.days.contains(&day)) {
            return Ok(None);
        }
        let mut tried = Vec::new();
        for at in self.copies_in_turn() {
            let (answer, copy) = &self.copies[at];
            let fault = match tokio::time::timeout(RECORD_TIME_MAX, wanted.read_from(copy)).await {
                Ok(Ok(record)) => {
                    let mut reading = self.reading();
                    reading.copy = at;
                    if let Some(Finding::Unreachable(_)) = reading.faults.get(answer) {
                        reading.faults.remove(answer);
                    }
                    if let Wanted::Patient(key) = wanted {
                        reading.unreadable.remove(&key);
                    }
                    return Ok(record);
                }
                Ok(Err(error)) => ask::finding_of(&error),
                Err(_) => Finding::Unreachable(LATE.to_owned()),
            };
            tracing::warn!(name: "record_not_read", replica = %copy.reader().name());
            tried.push((self.answers[*answer].name.to_string(), fault.words().to_owned()));
            self.reading().faults.insert(*answer, fault);
        }
        if let Wanted::Patient(key) = wanted {
            self.reading().unreadable.insert(key);
        }
        Err(Unreadable { tried })
    }

    /// Returns what the strip says at `now`.
    pub fn strip(&self, now: Timestamp, limits: &AgeLimits) -> Strip {
        let copy = CopyLine {
            as_of: show_instant(self.as_of()),
            age: self.age(now, limits),
            verification: standing::verification(&self.answers_now(), &self.shown, self.keys.origin()),
            reading: self.reading_name(),
            held: self.held_line(),
            moved: self.moved.clone(),
        };
        let site = match &self.name {
            Some(name) => format!("{} {name}", self.head.manifest.site),
            None => self.head.manifest.site.to_string(),
        };
        Strip { site: Some(site), copy: Some(copy) }
    }

    /// Returns what the page about the copy shows.
    pub fn about(&self) -> AboutCopy {
        let (id, manifest) = ask::shown(&self.head, self.choice);
        let text = |label: &str, value: String| (label.to_owned(), value);
        let counts = &manifest.counts;
        let mut counted = vec![
            text("Patients", counts.patients.to_string()),
            text("Day lists", counts.day_lists.to_string()),
            text("Appointments", counts.appointments.to_string()),
        ];
        counted.extend(counts.sections.iter().map(|(code, count)| {
            let title = code
                .parse()
                .map_or_else(|_| code.clone(), |id: lifeboat_clinical::SectionId| id.title().to_owned());
            (title, format!("{} items of {} patients", count.items, count.patients))
        }));
        AboutCopy {
            replicas: standing::lines(&self.answers_now(), &self.shown, self.reading_answer()),
            facts: vec![
                text("Site", manifest.site.to_string()),
                text("Snapshot", manifest.sequence.to_string()),
                text("As of", show_instant(self.as_of())),
                text("Taken", show_instant(manifest.taken)),
                text("Source documents read", manifest.feed.documents.to_string()),
                text("Source documents that could not be read", manifest.feed.unreadable.to_string()),
                text("Manifest", id.to_string()),
                text(
                    "Signed log",
                    format!("{} entries, root {}", self.head.checkpoint.size, self.head.checkpoint.root),
                ),
            ],
            counts: counted,
            asked: show_instant(self.asked_at),
        }
    }

    /// Says that a newer snapshot is held, or that the one shown is.
    fn held_line(&self) -> Option<HeldLine> {
        let held = self.held()?;
        let HeldCopy { sequence, taken, .. } = &held;
        let reasons = held.reasons.join("; ");
        Some(match (held.is_shown, &held.accepted) {
            (false, _) => HeldLine::Waiting(format!(
                "snapshot {sequence} of {taken} looked implausible and is not shown ({reasons})."
            )),
            (true, Some(accepted)) => HeldLine::Chosen(format!(
                "snapshot {sequence} of {taken} looked implausible ({reasons}). Snapshot {} of {} is the newest that was \
                 accepted.",
                accepted.sequence, accepted.taken
            )),
            (true, None) => HeldLine::Only(format!(
                "snapshot {sequence} of {taken} looks implausible ({reasons}) and is shown because no other exists."
            )),
        })
    }

    fn reading(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading_answer(&self) -> usize {
        let copy = self.reading().copy;
        self.copies[copy].0
    }

    /// Returns what the replicas answered, and what has gone wrong with them since.
    fn answers_now(&self) -> Vec<Answer> {
        let mut answers = self.answers.clone();
        for (at, fault) in &self.reading().faults {
            answers[*at].finding = fault.clone();
        }
        answers
    }

    /// Returns the copies, the one that answered last at the front.
    fn copies_in_turn(&self) -> impl Iterator<Item = usize> {
        let first = self.reading().copy;
        std::iter::once(first).chain((0..self.copies.len()).filter(move |at| *at != first))
    }
}

fn answers(asked: &[Asked]) -> Vec<Answer> {
    asked.iter().map(|one| one.answer.clone()).collect()
}

/// Prepares to read the snapshot of `head` from every replica that can be opened at all, its own first.
fn copies(
    asked: &[Asked],
    own: usize,
    head: &VerifiedHead,
    keys: &Keys,
    choice: Choice,
) -> Vec<(usize, SiteReader)> {
    let mut order: Vec<usize> = (0..asked.len()).collect();
    order.sort_by_key(|at| (*at != own, asked[*at].head.is_none()));
    let copy = |at: usize| {
        let reader: Reader = asked[at].reader.clone()?;
        Some((at, SiteReader::from_head(reader, head.clone(), keys.access.clone(), choice)))
    };
    order.into_iter().filter_map(copy).collect()
}

/// Reads the directory from the first copy that gives it, and says what was wrong with those before; the error is
/// that of the first copy.
async fn open_directory(copies: &[(usize, SiteReader)]) -> Result<(Reading, Directory), ReadError> {
    let mut reading = Reading::default();
    let mut first_error = None;
    for (at, (answer, copy)) in copies.iter().enumerate() {
        let error = match tokio::time::timeout(DIRECTORY_TIME_MAX, directory(copy.clone())).await {
            Ok(Ok(directory)) => {
                reading.copy = at;
                return Ok((reading, directory));
            }
            Ok(Err(error @ ReadError::Unlock { .. })) => return Err(error),
            Ok(Err(error)) => error,
            Err(_) => ReadError::ReadTimeout {
                replica: copy.reader().name().clone(),
                key: ObjectKey::Index(copy.manifest().indexes.base.sha256),
                seconds: DIRECTORY_TIME_MAX.as_secs(),
            },
        };
        reading.faults.insert(*answer, ask::finding_of(&error));
        first_error.get_or_insert(error);
    }
    Err(first_error.expect("the copy whose head it is comes first, so there is at least one"))
}

/// Reads the directory on a thread of its own, because opening a large one is work and not waiting.
async fn directory(copy: SiteReader) -> Result<Directory, ReadError> {
    let replica = copy.reader().name().clone();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(copy.directory()))
        .await
        .unwrap_or_else(|source| Err(ReadError::Background { replica, source }))
}
