//! Views for the tests of the pages, with one text in every field that a record or a store can fill.

use lifeboat_clinical::view::{
    AllergyHeader, AllergyLine, Banner, BannerFlag, CellView, Emphasis, Field, PatientView, RowView,
    SectionView, TableView,
};
use lifeboat_clinical::{SectionId, SectionState};

use super::copy::{AboutCopy, ReplicaLine};
use super::day::{Appointment, DayContent, DayLink, DayPage, Session, Who};
use super::held::{AcceptedCopy, HeldCopy};
use super::search::{Found, PersonLine};
use super::strip::{CopyLine, HeldLine, Strip, Verification, VerificationLevel};
use super::unlock::{FoundReplica, Key, Unlock};
use crate::age::{AgeLevel, CopyAge};

pub(crate) fn strip(text: &str, level: AgeLevel) -> Strip {
    Strip {
        site: Some(text.to_owned()),
        copy: Some(CopyLine {
            as_of: text.to_owned(),
            age: CopyAge { level, words: text.to_owned(), needs_acknowledgement: false },
            verification: Verification {
                level: VerificationLevel::Bad,
                sentence: text.to_owned(),
                problems: vec![text.to_owned()],
            },
            reading: text.to_owned(),
            held: Some(HeldLine::Waiting(text.to_owned())),
            moved: Some(text.to_owned()),
        }),
    }
}

pub(crate) fn held(text: &str) -> HeldCopy {
    HeldCopy {
        is_shown: false,
        sequence: text.to_owned(),
        taken: text.to_owned(),
        patients: 1,
        reasons: vec![text.to_owned()],
        accepted: Some(AcceptedCopy { sequence: text.to_owned(), taken: text.to_owned(), patients: 3 }),
    }
}

pub(crate) fn banner(text: &str) -> Banner {
    Banner {
        name: text.to_owned(),
        preferred: Some(text.to_owned()),
        born: text.to_owned(),
        age: Some(text.to_owned()),
        gender: text.to_owned(),
        nhs: text.to_owned(),
        nhs_note: Some(text.to_owned()),
        died: None,
        age_at_death: Some(text.to_owned()),
        address: vec![text.to_owned()],
        phones: vec![text.to_owned()],
        usual_gp: Some(text.to_owned()),
        flags: vec![BannerFlag::Left],
        alerts: vec![text.to_owned()],
    }
}

pub(crate) fn section(text: &str, state: SectionState) -> SectionView {
    let emphases = [Emphasis::Plain, Emphasis::Strong, Emphasis::Alert, Emphasis::Void];
    SectionView {
        id: SectionId::Results,
        title: text.to_owned(),
        state,
        notes: vec![text.to_owned()],
        tables: vec![TableView {
            caption: text.to_owned(),
            columns: vec!["Date", "Entry", "Value", "Details"],
            rows: vec![RowView {
                cells: emphases.map(|emphasis| CellView::new(text, emphasis)).to_vec(),
                more: vec![Field { label: text.to_owned(), text: text.to_owned() }],
            }],
        }],
    }
}

pub(crate) fn allergies(text: &str) -> [AllergyHeader; 4] {
    [
        AllergyHeader::Known(vec![AllergyLine {
            substance: text.to_owned(),
            coded: false,
            reactions: vec![text.to_owned()],
            criticality: Some(text.to_owned()),
            status: text.to_owned(),
            recorded: Some(text.to_owned()),
        }]),
        AllergyHeader::NoneKnown { recorded: Some(text.to_owned()), recorder: Some(text.to_owned()) },
        AllergyHeader::NotRecorded,
        AllergyHeader::Unavailable { why: text.to_owned() },
    ]
}

pub(crate) fn patient(text: &str, allergies: AllergyHeader) -> PatientView {
    PatientView {
        banner: banner(text),
        allergies,
        person: section(text, SectionState::Recorded).tables,
        sections: SectionState::ALL.map(|state| section(text, state)).to_vec(),
    }
}

pub(crate) fn person(text: &str) -> PersonLine {
    PersonLine {
        href: "/p/00000000000000000000000000000000".to_owned(),
        name: text.to_owned(),
        preferred: Some(text.to_owned()),
        born: text.to_owned(),
        gender: text.to_owned(),
        nhs: text.to_owned(),
        address: text.to_owned(),
        phones: vec![text.to_owned()],
        flags: vec![text.to_owned()],
        same_name: 2,
        is_unreadable: true,
    }
}

pub(crate) fn found(text: &str) -> Found {
    Found { query: text.to_owned(), people: vec![person(text)], more: 3, is_cut_short: false, searched: 10 }
}

pub(crate) fn day(text: &str) -> DayPage {
    let appointment = |who| Appointment {
        time: text.to_owned(),
        who,
        status: text.to_owned(),
        is_off: true,
        reason: text.to_owned(),
        place: text.to_owned(),
        details: vec![text.to_owned()],
        more: vec![Field { label: text.to_owned(), text: text.to_owned() }],
    };
    let all = [Who::Patient(Box::new(person(text))), Who::NoRecord(text.to_owned()), Who::Nobody];
    let session = Session { title: text.to_owned(), appointments: all.map(appointment).to_vec() };
    DayPage {
        day: text.to_owned(),
        is_today: true,
        days: vec![DayLink { day: text.to_owned(), href: "/day/2026-11-21".to_owned(), is_shown: true }],
        content: DayContent::Sessions(vec![session.clone(), session]),
    }
}

pub(crate) fn about(text: &str) -> AboutCopy {
    AboutCopy {
        replicas: vec![ReplicaLine { name: text.to_owned(), role: text.to_owned(), detail: text.to_owned() }],
        facts: vec![(text.to_owned(), text.to_owned())],
        counts: vec![(text.to_owned(), text.to_owned())],
        asked: text.to_owned(),
    }
}

pub(crate) fn unlock(text: &str, key: Key) -> Unlock {
    Unlock {
        key,
        replicas: vec![FoundReplica { name: text.to_owned(), state: text.to_owned() }],
        problem: Some(text.to_owned()),
        locked: Some(text.to_owned()),
    }
}
