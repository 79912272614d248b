//! Files to batches: what belongs together, in which order, and what is refused.

use crate::batch::Batch;
use crate::emis::FEED;
use crate::feed::TableFeed;
use crate::harness::{Folder, TODAY};
use crate::problem::Reason;
use crate::synth::Order;

const AGREEMENT: &str = "45E7CD20-EE37-41AB-90D6-DC9D4B03D102";

fn full() -> Folder {
    Folder::of(&Order::full(1, 1, TODAY), crate::synth::emis::write)
}

fn batches(folder: &Folder) -> Vec<Batch> {
    FEED.batches(&folder.facts(), folder)
}

/// Returns the files of a batch of these process ids and time, by the names of the synthetic extract.
fn batch_of(process: &str, time: &str) -> Folder {
    let folder = Folder::default();
    for (path, bytes) in full().0.borrow().iter() {
        let parts: Vec<&str> = path.split('_').collect();
        let path = format!("in/{process}_{}_{}_{time}_{AGREEMENT}.csv", parts[1], parts[2]);
        folder.0.borrow_mut().insert(path, bytes.clone());
    }
    folder
}

fn join(folders: &[Folder]) -> Folder {
    let all = Folder::default();
    for folder in folders {
        all.0.borrow_mut().extend(folder.0.borrow().clone());
    }
    all
}

fn without(folder: &Folder, part: &str) -> Folder {
    folder.0.borrow_mut().retain(|path, _| !path.contains(part));
    folder.clone()
}

fn why(batch: &Batch) -> String {
    batch.refused.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_batch_is_known_by_its_names() {
    let found = batches(&batch_of("291-305", "20261120021500"));
    assert_eq!(found.len(), 1);
    let batch = &found[0];
    assert_eq!(batch.name, format!("291-305_20261120021500_{AGREEMENT}"));
    assert_eq!(batch.practice.as_deref(), Some(AGREEMENT));
    assert_eq!(batch.exported.map(|time| time.to_string()).as_deref(), Some("2026-11-20T02:15:00"));
    assert_eq!((batch.tables.len(), &batch.refused), (22, &None));
    assert!(batch.problems.is_empty(), "{:?}", batch.problems);
}

#[test]
fn batches_follow_each_other_by_time_then_by_process() {
    let folders = [
        batch_of("9", "20261121021500"),
        batch_of("1000", "20261120021500"),
        batch_of("999-999", "20261120021500"),
    ];
    let mut found = batches(&join(&folders));
    found.sort_by(|one, other| one.order.cmp(&other.order));
    let names: Vec<&str> =
        found.iter().map(|batch| batch.name.split('_').next().unwrap_or_default()).collect();
    assert_eq!(names, ["999-999", "1000", "9"]);
}

#[test]
fn a_batch_that_is_not_whole_is_refused() {
    for essential in ["_Admin_Patient_", "_CareRecord_Observation_", "_Coding_ClinicalCode_"] {
        let found = batches(&without(&batch_of("1", "20261120021500"), essential));
        assert!(why(&found[0]).contains("it is not complete"), "{essential}: {}", why(&found[0]));
    }
    let found = batches(&without(&batch_of("1", "20261120021500"), "_Appointment_"));
    assert_eq!(found[0].refused, None);
    let missing =
        found[0].problems.iter().filter(|problem| matches!(problem.reason, Reason::MissingTable(_)));
    assert_eq!(missing.count(), 3);
    // A table that was there before must be there again: it may still be on its way.
    let first = batch_of("1", "20261120021500");
    let second = without(&batch_of("2", "20261121021500"), "_Prescribing_DrugRecord_");
    let found = batches(&join(&[first, second]));
    assert_eq!(found[0].refused, None);
    assert!(why(&found[1]).contains("Prescribing_DrugRecord is missing (19 of 20"), "{}", why(&found[1]));
}

#[test]
fn encrypted_files_are_to_be_decrypted_first() {
    let folder = Folder::default();
    for (path, bytes) in batch_of("1", "20261120021500").0.borrow().iter() {
        folder.0.borrow_mut().insert(format!("{path}.gpg"), bytes.clone());
    }
    assert!(why(&batches(&folder)[0]).contains("decrypt them first"));
    // Beside the files that were decrypted from them they do not matter.
    assert_eq!(batches(&join(&[folder, batch_of("1", "20261120021500")]))[0].refused, None);
}

#[test]
fn a_table_that_stands_twice_is_taken_once_or_refused() {
    let folder = batch_of("1", "20261120021500");
    let copy: Vec<(String, Vec<u8>)> = folder
        .0
        .borrow()
        .iter()
        .map(|(path, bytes)| (path.replace("in/", "copy.zip/"), bytes.clone()))
        .collect();
    folder.0.borrow_mut().extend(copy);
    let found = batches(&folder);
    assert_eq!((found.len(), found[0].tables.len(), &found[0].refused), (1, 22, &None));
    let path = format!("copy.zip/1_Admin_Patient_20261120021500_{AGREEMENT}.csv");
    folder.0.borrow_mut().insert(path, b"other".to_vec());
    assert!(why(&batches(&folder)[0]).contains("two files for Admin_Patient"));
}

#[test]
fn strange_files_are_told_and_foreign_ones_are_not_touched() {
    let folder = batch_of("1", "20261120021500");
    let stranger = format!("in/1_CareRecord_Novelty_20261120021500_{AGREEMENT}.csv");
    folder.0.borrow_mut().insert(stranger.clone(), Vec::new());
    for foreign in ["notes.txt", "in/1_Admin_Patient_2026_x.csv", "in/SRPatient.csv", "in/a_b_c_d_e.csv"] {
        folder.0.borrow_mut().insert(foreign.to_owned(), Vec::new());
    }
    let found = batches(&folder);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].problems.len(), 1);
    assert_eq!(
        (&found[0].problems[0].file, &found[0].problems[0].reason),
        (&stranger, &Reason::UnknownTable)
    );
}

#[test]
fn tables_delivered_alone_need_a_date_in_their_names() {
    let folder = batch_of("1", "20261120021500");
    folder.0.borrow_mut().insert("OriginalTerms-20261121.txt".to_owned(), Vec::new());
    folder.0.borrow_mut().insert("registration status.csv".to_owned(), Vec::new());
    let found = batches(&folder);
    assert_eq!(found.len(), 2);
    let alone = found.iter().find(|batch| batch.practice.is_none()).expect("the one delivered alone");
    assert_eq!((alone.tables.len(), alone.tables[0].table), (1, "OriginalTerms"));
    assert!(
        found
            .iter()
            .flat_map(|batch| &batch.problems)
            .any(|problem| problem.file == "registration status.csv")
    );
}

#[test]
fn a_sharing_agreement_that_is_switched_off_is_told() {
    let folder = batch_of("1", "20261120021500");
    let off =
        "OrganisationGuid,IsActivated,LastModifiedDate,Disabled,Deleted\r\nX,true,2026-01-01,true,false\r\n";
    let path = format!("in/1_Agreements_SharingOrganisation_20261120021500_{AGREEMENT}.csv");
    folder.0.borrow_mut().insert(path, off.as_bytes().to_vec());
    let found = batches(&folder);
    assert_eq!(found[0].refused, None);
    assert!(found[0].problems[0].to_string().contains("switched off"));
}
