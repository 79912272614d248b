//! Tests: people's keys have one spelling and stay out of sight.

use super::{IDENTITY_FILE_BYTES_MAX, Identity, Passphrase, PersonKeyError, Recipient};

#[test]
fn an_identity_reads_back_from_its_text_and_from_a_commented_file() {
    let identity = Identity::generate();
    let text = identity.to_secret_text();
    assert_eq!(text.parse::<Identity>().unwrap().recipient(), identity.recipient());
    let file = format!("# made for a test\n\n# public key: {}\n{}\r\n", identity.recipient(), text.as_str());
    assert_eq!(Identity::from_file_text(&file).unwrap().recipient(), identity.recipient());
}

#[test]
fn an_identity_file_has_exactly_one_identity() {
    let line = Identity::generate().to_secret_text();
    let two = format!("{}\n{}\n", line.as_str(), line.as_str());
    assert_eq!(
        Identity::from_file_text("# nothing\n").unwrap_err(),
        PersonKeyError::IdentityCount { found: 0 }
    );
    assert_eq!(Identity::from_file_text(&two).unwrap_err(), PersonKeyError::IdentityCount { found: 2 });
    let large = " ".repeat(IDENTITY_FILE_BYTES_MAX + 1);
    assert_eq!(Identity::from_file_text(&large).unwrap_err(), PersonKeyError::FileTooLarge);
}

#[test]
fn keys_have_one_spelling() {
    let identity = Identity::generate();
    let recipient = identity.recipient().to_string();
    assert_eq!(recipient.parse::<Recipient>().unwrap(), identity.recipient());
    for bad in [recipient.to_uppercase(), format!("{recipient} "), recipient[..60].to_owned(), String::new()]
    {
        assert_eq!(bad.parse::<Recipient>(), Err(PersonKeyError::Recipient), "{bad}");
    }
    let lower = identity.to_secret_text().to_lowercase();
    assert_eq!(lower.parse::<Identity>().unwrap_err(), PersonKeyError::Identity);
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    assert_eq!(format!("{:?}", Identity::generate()), "Identity(redacted)");
    assert_eq!(format!("{:?}", Passphrase::from("correct horse")), "Passphrase(redacted)");
}
