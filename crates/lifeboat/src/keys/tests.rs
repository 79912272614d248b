//! Secrets on disk: who may read them, and where they may come from.

use std::os::unix::fs::PermissionsExt as _;

use lifeboat_format::SiteCode;

use super::{KeysError, SecretError, SecretSource, create, host_key, load, lookup_key, signing_key};
use crate::config::KeySettings;

fn site() -> SiteCode {
    "A81001".parse().expect("a site code")
}

#[test]
fn new_keys_are_readable_by_their_owner_only_and_are_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let created = create(folder.path(), &site()).expect("keys are made");
    for file in &created.files {
        let mode = std::fs::metadata(file).expect("the key is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    let [signing, lookup, host] = created.files.clone().map(SecretSource::File);
    let keys = load(&KeySettings { signing, lookup, host, passphrase: None }).expect("keys are read");
    assert_eq!(keys.signing.verification_key().to_string(), created.verification_key.to_string());
}

#[test]
fn keys_are_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let created = create(folder.path(), &site()).expect("keys are made");
    let before = std::fs::read(&created.files[1]).expect("the key is read");
    std::fs::remove_file(&created.files[0]).expect("the key is removed");
    assert!(matches!(create(folder.path(), &site()), Err(KeysError::Exists { .. })));
    assert!(!created.files[0].exists());
    assert_eq!(std::fs::read(&created.files[1]).expect("the key is read"), before);
}

#[test]
fn a_key_that_everybody_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let created = create(folder.path(), &site()).expect("keys are made");
    let path = &created.files[2];
    for (mode, refused) in [(0o600, false), (0o400, false), (0o640, false), (0o644, true), (0o602, true)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the mode is set");
        match host_key(&SecretSource::File(path.clone())) {
            Err(KeysError::Secret(SecretError::Exposed { mode: found, .. })) => {
                assert!(refused, "{mode:o}");
                assert_eq!(found, mode);
            }
            Ok(_) => assert!(!refused, "{mode:o}"),
            Err(other) => panic!("{mode:o}: {other}"),
        }
    }
}

#[test]
fn what_is_no_key_is_refused_without_being_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    std::fs::write(&path, "hunter2\n").expect("the file is written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("the mode is set");
    let from = SecretSource::File(path.clone());
    let errors = [signing_key(&from).err(), lookup_key(&from).err(), host_key(&from).err()]
        .map(|error| error.expect("refused"));
    for error in errors {
        assert!(matches!(error, KeysError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    std::fs::write(&path, "  \n").expect("the file is written");
    assert!(matches!(lookup_key(&from), Err(KeysError::Secret(SecretError::Empty { .. }))));
    std::fs::write(&path, vec![b'0'; 100_000]).expect("the file is written");
    assert!(matches!(lookup_key(&from), Err(KeysError::Secret(SecretError::TooLarge { .. }))));
}

#[test]
fn a_credential_is_a_plain_name() {
    for name in ["../signing.key", "a/b", ".."] {
        let from = SecretSource::Credential(name.to_owned());
        assert!(matches!(from.read("key"), Err(SecretError::CredentialName { .. })), "{name}");
    }
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let from = SecretSource::Environment("LIFEBOAT_TEST_UNSET_VARIABLE".to_owned());
    let error = from.read("host key").expect_err("it is not set").to_string();
    assert!(error.contains("host key") && error.contains("LIFEBOAT_TEST_UNSET_VARIABLE"), "{error}");
}
