//! Tests: secrets open for whom they are sealed to, and only as they were written.

use super::{
    EpochError, EpochSecret, generate_epoch, open_epoch_secret, open_epoch_secret_with_passphrase,
    seal_epoch_secret, seal_epoch_secret_with_passphrase,
};
use crate::ids::EpochNumber;
use crate::lookup::LookupKey;
use crate::person::{Identity, Passphrase};
use crate::sealed::AgeOpenError;

fn secret() -> EpochSecret {
    let lookup_key = LookupKey::generate().unwrap();
    generate_epoch(EpochNumber::FIRST, &"A81001".parse().unwrap(), &lookup_key)
}

fn assert_same(one: &EpochSecret, two: &EpochSecret) {
    assert_eq!(one.to_secret_text().as_str(), two.to_secret_text().as_str());
}

#[test]
fn every_recipient_opens_the_same_secret_alone_and_nobody_else_does() {
    let secret = secret();
    let people = [Identity::generate(), Identity::generate(), Identity::generate()];
    let recipients: Vec<_> = people.iter().map(Identity::recipient).collect();
    let sealed = seal_epoch_secret(&secret, &recipients).unwrap();
    for person in &people {
        assert_same(&open_epoch_secret(&sealed, person).unwrap(), &secret);
    }
    let error = open_epoch_secret(&sealed, &Identity::generate()).unwrap_err();
    assert!(matches!(error, EpochError::Open(AgeOpenError::WrongKey)), "{error:?}");
}

#[test]
fn a_secret_is_sealed_to_somebody_and_not_to_everybody() {
    let secret = secret();
    assert!(matches!(seal_epoch_secret(&secret, &[]), Err(EpochError::RecipientCount { count: 0 })));
    let many = vec![Identity::generate().recipient(); 257];
    assert!(matches!(seal_epoch_secret(&secret, &many), Err(EpochError::RecipientCount { count: 257 })));
}

#[test]
fn the_break_glass_passphrase_opens_the_secret_and_another_does_not() {
    let secret = secret();
    let sealed = seal_epoch_secret_with_passphrase(&secret, &Passphrase::from("right"), 10).unwrap();
    assert_same(&open_epoch_secret_with_passphrase(&sealed, &Passphrase::from("right")).unwrap(), &secret);
    let error = open_epoch_secret_with_passphrase(&sealed, &Passphrase::from("wrong")).unwrap_err();
    assert!(matches!(error, EpochError::Open(AgeOpenError::WrongKey)), "{error:?}");
    let recipients = seal_epoch_secret(&secret, &[Identity::generate().recipient()]).unwrap();
    let error = open_epoch_secret_with_passphrase(&recipients, &Passphrase::from("right")).unwrap_err();
    assert!(matches!(error, EpochError::Open(AgeOpenError::NotPassphrase)), "{error:?}");
}

#[test]
fn the_text_is_an_identity_file_with_three_comments_and_reads_back() {
    let secret = secret();
    let text = secret.to_secret_text();
    assert!(text.starts_with("# lifeboat epoch 1 of site A81001\n# lookup key: "));
    assert_eq!(text.lines().count(), 4);
    assert_same(&EpochSecret::from_secret_text(&text).unwrap(), &secret);
    let stock = Identity::from_file_text(&text).unwrap();
    assert_eq!(stock.recipient().to_string(), secret.recipient().to_string());
}

#[test]
fn a_text_with_any_line_wrong_is_refused() {
    let text = secret().to_secret_text().to_string();
    let other = secret().recipient().to_string();
    let public_key = text.lines().nth(2).unwrap().trim_start_matches("# public key: ").to_owned();
    let rows = [
        (text.replace("epoch 1", "epoch 0"), "title"),
        (text.replace(" of site A81001", " of site a"), "title"),
        (text.replace("lookup key", "look up key"), "lookup key"),
        (text.replace("# public", "#public"), "public key"),
        (text.trim_end().to_owned(), "last line"),
        (format!("{text}\n"), "end"),
        (text.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2"), "identity"),
    ];
    for (bad, expected) in rows {
        match EpochSecret::from_secret_text(&bad) {
            Err(EpochError::Text { line }) => assert_eq!(line, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let error = EpochSecret::from_secret_text(&text.replace(&public_key, &other)).unwrap_err();
    assert!(matches!(error, EpochError::PublicKey), "{error:?}");
}

#[test]
fn debug_output_shows_no_secret() {
    let secret = secret();
    let shown = format!("{secret:?} {:?}", secret.identity);
    assert_eq!(shown, "EpochSecret(epoch 1 of A81001, redacted) EpochIdentity(redacted)");
}
