use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn create_writes_once_and_never_clobbers_whichever_way_the_file_system_offers() {
    for ways in [
        &[Exclusive::Rename][..],
        &[Exclusive::Link],
        &[Exclusive::LookAndRename],
        &[Exclusive::Rename, Exclusive::Link, Exclusive::LookAndRename],
    ] {
        let folder = folder();
        let path = folder.path().join("a/b/object");
        assert_eq!(create_by(&path, Content::Bytes(b"first"), ways).unwrap(), Created::New, "{ways:?}");
        assert_eq!(
            create_by(&path, Content::Bytes(b"second"), ways).unwrap(),
            Created::AlreadyThere,
            "{ways:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"first", "{ways:?}");
        assert_eq!(names_in(path.parent().unwrap()), ["object"], "{ways:?} leaves no temporary file");
    }
}

#[test]
fn an_exclusive_publish_loses_to_a_file_that_appeared_meanwhile() {
    for way in Exclusive::ALL {
        let folder = folder();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, b"late").unwrap();
        fs::write(&to, b"early").unwrap();
        assert_eq!(publish_exclusively(&from, &to, &[way]).unwrap(), Created::AlreadyThere, "{way:?}");
        assert_eq!(fs::read(&to).unwrap(), b"early", "{way:?}");
    }
}

#[test]
fn one_of_many_concurrent_creators_wins_and_the_others_see_its_file() {
    let folder = folder();
    let path = folder.path().join("object");
    let wins = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..16u8)
            .map(|creator| {
                let path = &path;
                scope.spawn(move || create(path, &[creator; 100]).unwrap() == Created::New)
            })
            .collect();
        creators.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(wins, 1);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(names_in(folder.path()), ["object"]);
}

#[test]
fn create_from_writes_everything_that_a_reader_gives() {
    let folder = folder();
    let path = folder.path().join("object");
    let content: Vec<u8> = (0..=255).cycle().take(COPY_BYTES * 2 + 77).collect();
    assert_eq!(create_from(&path, &mut content.as_slice()).unwrap(), Created::New);
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn replace_changes_the_whole_file_at_once() {
    let folder = folder();
    let path = folder.path().join("HEAD");
    replace(&path, b"one").unwrap();
    replace(&path, b"two and longer").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two and longer");
    assert_eq!(names_in(folder.path()), ["HEAD"]);
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let folder = folder();
    let path = folder.path().join("packs/ab/object");
    create(&path, b"sealed").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("packs")), 0o700);
    assert_eq!(mode(&folder.path().join("packs/ab")), 0o700);
}

#[test]
fn the_sweep_removes_our_leftovers_and_nothing_else() {
    let folder = folder();
    let deep = folder.path().join("packs/ab");
    make_folders(&deep).unwrap();
    for name in [".object.12.0.tmp", "object", ".hidden", "x.tmp", ".a.b.3.tmp", ".1.2.tmp"] {
        fs::write(deep.join(name), b"x").unwrap();
    }
    assert_eq!(remove_leftovers(folder.path()).unwrap(), 1);
    assert_eq!(names_in(&deep), [".1.2.tmp", ".a.b.3.tmp", ".hidden", "object", "x.tmp"]);
}

#[test]
fn a_leftover_of_a_process_with_our_number_does_not_stop_the_next_write() {
    let folder = folder();
    let path = folder.path().join("object");
    let next = TEMPORARY_COUNTER.load(Ordering::Relaxed);
    for number in next..next + 50 {
        fs::write(folder.path().join(format!(".object.{}.{number}.tmp", std::process::id())), b"old")
            .unwrap();
    }
    assert_eq!(create(&path, b"new").unwrap(), Created::New);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn a_failed_write_names_its_step_and_leaves_nothing() {
    let folder = folder();
    let blocker = folder.path().join("file");
    fs::write(&blocker, b"not a folder").unwrap();
    let error = create(&blocker.join("object"), b"x").unwrap_err();
    assert!(matches!(error, DurableError::MakeFolder { .. }), "{error:?}");
    let directory = folder.path().join("folder");
    fs::create_dir(&directory).unwrap();
    let error = replace(&directory, b"x").unwrap_err();
    assert!(matches!(error, DurableError::Publish { .. }), "{error:?}");
    assert_eq!(names_in(folder.path()), ["file", "folder"]);
    assert!(matches!(create(Path::new("/"), b"x").unwrap_err(), DurableError::NotAFilePath { .. }));
}
