//! Tests: kits open with their passphrase and contradict nothing.

use super::{KIT_BYTES_MAX, Kit, KitError, KitOptions, KitReplica};
use crate::lookup::LookupKey;
use crate::note::SigningKey;
use crate::person::{Identity, Passphrase};
use crate::sealed::AgeOpenError;

fn kit() -> Kit {
    let replica = KitReplica {
        name: "cloud".to_owned(),
        url: "s3://bucket/prefix".to_owned(),
        options: KitOptions([("secret_key".to_owned(), "hush".to_owned())].into()),
    };
    Kit {
        site: "A81001".parse().unwrap(),
        name: "duty doctor".to_owned(),
        verification_key: SigningKey::from_seed("lifeboat/A81001", &[1; 32]).unwrap().verification_key(),
        lookup_key: LookupKey::generate().unwrap(),
        identity: Identity::generate(),
        replicas: vec![replica],
        created: "2026-11-21T08:00:00Z".parse().unwrap(),
    }
}

/// Everything in a kit, secrets too.
fn laid_open(kit: &Kit) -> String {
    let (lookup_key, identity) = (kit.lookup_key.to_hex(), kit.identity.to_secret_text());
    let replicas = serde_json::to_string(&kit.replicas).unwrap();
    let fields = [kit.site.as_str(), &kit.name, &lookup_key, &identity, &replicas, &kit.created.to_string()];
    format!("{} {}", fields.join(" "), kit.verification_key)
}

#[test]
fn a_kit_opens_with_its_passphrase_in_both_forms() {
    let (kit, passphrase) = (kit(), Passphrase::from("three plain words"));
    let sealed = kit.seal(&passphrase, 10).unwrap();
    assert_eq!(laid_open(&Kit::open(&sealed, &passphrase).unwrap()), laid_open(&kit));
    let text = kit.seal_as_text(&passphrase, 10).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    assert_eq!(laid_open(&Kit::open(text.as_bytes(), &passphrase).unwrap()), laid_open(&kit));
}

#[test]
fn a_wrong_passphrase_a_wrong_file_and_too_much_work_are_told_apart() {
    let (kit, passphrase) = (kit(), Passphrase::from("right"));
    let sealed = kit.seal(&passphrase, 10).unwrap();
    let error = Kit::open(&sealed, &Passphrase::from("wrong")).unwrap_err();
    assert!(matches!(error, KitError::Open(AgeOpenError::WrongKey)), "{error:?}");
    let error = Kit::open(b"not a kit", &passphrase).unwrap_err();
    assert!(matches!(error, KitError::Open(AgeOpenError::Header(_))), "{error:?}");
    let error = Kit::open(&vec![0; KIT_BYTES_MAX + 1], &passphrase).unwrap_err();
    assert!(matches!(error, KitError::Open(AgeOpenError::TooLarge { .. })), "{error:?}");
    let position = sealed.windows(4).position(|window| window == b" 10\n").unwrap();
    let mut costly = sealed;
    costly[position + 1..position + 3].copy_from_slice(b"21");
    let error = Kit::open(&costly, &passphrase).unwrap_err();
    assert!(matches!(error, KitError::Open(AgeOpenError::TooMuchWork { required: 21 })), "{error:?}");
}

#[test]
fn contradicting_kits_are_refused() {
    let refuse = |change: &dyn Fn(&mut Kit), expected: &str| {
        let mut kit = kit();
        change(&mut kit);
        match kit.seal(&Passphrase::from("p"), 10) {
            Err(KitError::Contradiction { what }) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    };
    refuse(&|kit| kit.site = "B81001".parse().unwrap(), "name of the verification key");
    refuse(&|kit| kit.name = String::new(), "name of the holder");
    refuse(&|kit| kit.name = "two\nlines".to_owned(), "name of the holder");
    refuse(&|kit| kit.replicas = vec![kit.replicas[0].clone(); 17], "number of replicas");
    refuse(&|kit| kit.replicas[0].name = String::new(), "name of a replica");
    refuse(&|kit| kit.replicas[0].url = "x".repeat(70_000), "size");
}

#[test]
fn content_of_another_version_or_with_other_fields_is_refused() {
    let kit = kit();
    let content = format!(
        r#"{{"kit":1,"site":"A81001","name":"n","verification_key":"{}","lookup_key":"{}","identity":"{}","replicas":[],"created":"2026-11-21T08:00:00Z"}}"#,
        kit.verification_key,
        kit.lookup_key.to_hex().as_str(),
        kit.identity.to_secret_text().as_str()
    );
    Kit::from_content(content.as_bytes()).unwrap();
    let newer = content.replace("\"kit\":1", "\"kit\":2,\"later\":1");
    assert!(matches!(Kit::from_content(newer.as_bytes()), Err(KitError::Newer { version: 2 })));
    for bad in [
        content.replace("\"kit\":1", "\"kit\":0"),
        content.replace("\"kit\":1", "\"kit\":1,\"more\":1"),
        content.replace("\"name\":\"n\",", ""),
        content.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2"),
        String::new(),
    ] {
        assert!(matches!(Kit::from_content(bad.as_bytes()), Err(KitError::Content)), "{}", bad.len());
    }
}

#[test]
fn debug_output_shows_neither_keys_nor_credentials() {
    let kit = kit();
    let shown = format!("{kit:?} {:?} {:?}", kit.replicas[0], kit.replicas[0].options);
    assert!(!shown.contains("hush") && !shown.contains("SECRET-KEY") && !shown.contains("duty"), "{shown}");
}
