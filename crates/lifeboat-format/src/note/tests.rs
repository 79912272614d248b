//! Tests: keys, signatures and checkpoints.

use super::{
    Checkpoint, NOTE_BYTES_MAX, NoteError, NoteKeyError, SigningKey, VerificationKey, open_checkpoint,
    open_note, sign_checkpoint,
};
use crate::ids::Digest;
use proptest::prelude::*;

const ORIGIN: &str = "lifeboat/A81001";

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: Digest::of(b"root") }
}

/// Signs any text, as a checkpoint would be signed.
fn sign_text(text: &str, key: &SigningKey) -> String {
    let note = sign_checkpoint(&checkpoint(), key);
    let line = note.rsplit_once("\n\n").unwrap().1;
    let (name, _) = line.trim_start_matches("— ").split_once(' ').unwrap();
    let mut bytes = key.verification_key().hash().to_vec();
    bytes.extend(ed25519_dalek::Signer::sign(&key.key, text.as_bytes()).to_bytes());
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    format!("{text}\n— {name} {encoded}\n")
}

#[test]
fn keys_and_signatures_are_those_of_the_reference_implementation() {
    // The example of the documentation of Go's sumdb/note package.
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let key = SigningKey::from_secret_text(secret).unwrap();
    assert_eq!(key.to_secret_text().as_str(), secret);
    assert_eq!(key.verification_key().to_string(), public);
    assert_eq!(public.parse::<VerificationKey>().unwrap(), key.verification_key());
    let note = format!("{text}\n{line}");
    assert_eq!(sign_text(text, &key), note);
    assert_eq!(open_note(&note, &key.verification_key()), Ok(text));
}

#[test]
fn a_signed_checkpoint_opens_with_its_key() {
    let key = signing_key(1);
    let note = sign_checkpoint(&checkpoint(), &key);
    assert!(note.starts_with("lifeboat/A81001\n42\n"));
    assert_eq!(open_checkpoint(&note, &key.verification_key()), Ok(checkpoint()));
    assert_eq!(open_checkpoint(&note, &signing_key(2).verification_key()), Err(NoteError::NotSigned));
}

#[test]
fn signatures_of_others_and_extension_lines_are_ignored() {
    let (key, witness) = (signing_key(1), SigningKey::from_seed("witness.example/1", &[9; 32]).unwrap());
    let note = sign_checkpoint(&checkpoint(), &key);
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let cosigned = sign_text(&text, &witness).replace(&format!("{text}\n"), &note);
    assert_eq!(cosigned.lines().count(), 6);
    assert_eq!(open_checkpoint(&cosigned, &key.verification_key()), Ok(checkpoint()));
    let extended = sign_text(&format!("{text}extension 1\nextension 2\n"), &key);
    assert_eq!(open_checkpoint(&extended, &key.verification_key()), Ok(checkpoint()));
}

#[test]
fn malformed_notes_are_refused() {
    let key = signing_key(1);
    let note = sign_checkpoint(&checkpoint(), &key);
    let (text, line) = note.split_once("\n\n").unwrap();
    let root = text.lines().nth(2).unwrap();
    let signed = |text: &str| sign_text(text, &key);
    let many = format!("{text}\n\n{}", line.repeat(101));
    let wrong = note.replace("\n42\n", "\n43\n");
    let rows: Vec<(String, NoteError)> = vec![
        (String::new(), NoteError::Form),
        (text.to_owned(), NoteError::Form),
        (format!("{text}\n{line}"), NoteError::Form),
        (format!("{text}\n\n"), NoteError::Form),
        (note.trim_end().to_owned(), NoteError::Form),
        (format!("{note}\n"), NoteError::Form),
        (note.replace('—', "-"), NoteError::Form),
        (note.replace("\n42\n", "\r\n42\n"), NoteError::Form),
        (many, NoteError::TooManySignatures),
        ("x".repeat(NOTE_BYTES_MAX + 1), NoteError::TooLarge),
        (wrong, NoteError::WrongSignature),
        (signed(&format!("{ORIGIN}\n042\n{root}\n")), NoteError::NotACheckpoint),
        (signed(&format!("{ORIGIN}\n-1\n{root}\n")), NoteError::NotACheckpoint),
        (signed(&format!("{ORIGIN}\n42\n{}\n", &root[4..])), NoteError::NotACheckpoint),
        (signed(&format!("{ORIGIN}\n42\n")), NoteError::NotACheckpoint),
        (signed(&format!("{ORIGIN}\n18446744073709551616\n{root}\n")), NoteError::NotACheckpoint),
        (signed(&format!("lifeboat/B81001\n42\n{root}\n")), NoteError::Origin),
    ];
    for (bad, expected) in rows {
        assert_eq!(open_checkpoint(&bad, &key.verification_key()), Err(expected), "{bad}");
    }
}

#[test]
fn a_wrong_signature_beside_a_right_one_is_refused() {
    let key = signing_key(1);
    let note = sign_checkpoint(&checkpoint(), &key);
    let other = sign_text("something else\n", &key);
    let line = other.split_once("\n\n").unwrap().1;
    let both = format!("{note}{line}");
    assert_eq!(open_checkpoint(&both, &key.verification_key()), Err(NoteError::WrongSignature));
}

#[test]
fn keys_have_one_spelling_and_a_matching_hash() {
    let text = signing_key(1).verification_key().to_string();
    let other = signing_key(2).verification_key().to_string();
    let (name_hash, bytes) = text.rsplit_once('+').unwrap();
    let weak = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [&[1, 1][..], &[0; 31]].concat());
    let rows = [
        (text.replace("lifeboat/", "life boat/"), NoteKeyError::Name),
        (text.replace(ORIGIN, ""), NoteKeyError::Name),
        (text.replace("A81001", "B81001"), NoteKeyError::Hash),
        (format!("{name_hash}+{}", other.rsplit_once('+').unwrap().1), NoteKeyError::Hash),
        (format!("{ORIGIN}+00000000+{bytes}"), NoteKeyError::Hash),
        (format!("{name_hash}+{weak}"), NoteKeyError::Point),
        (format!("{name_hash}+"), NoteKeyError::Form),
        (name_hash.to_owned(), NoteKeyError::Form),
        (name_hash.to_uppercase(), NoteKeyError::Form),
    ];
    for (bad, expected) in rows {
        let error = bad.parse::<VerificationKey>().unwrap_err();
        assert_eq!(error, expected, "{bad}");
    }
}

#[test]
fn a_signing_key_does_not_show_in_debug_output() {
    let key = SigningKey::generate(ORIGIN).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(lifeboat/A81001, redacted)");
    let back = SigningKey::from_secret_text(&key.to_secret_text()).unwrap();
    assert_eq!(back.verification_key(), key.verification_key());
}

proptest! {
    #[test]
    fn any_checkpoint_opens_as_it_was_signed(size: u64, root: [u8; 32], seed: [u8; 32]) {
        let key = SigningKey::from_seed(ORIGIN, &seed).unwrap();
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: Digest::from_bytes(root) };
        let note = sign_checkpoint(&checkpoint, &key);
        prop_assert_eq!(open_checkpoint(&note, &key.verification_key()), Ok(checkpoint));
    }

    #[test]
    fn no_note_with_a_changed_character_opens(index in 0_usize..250, replacement in "[ -~\n]") {
        let key = signing_key(1);
        let note = sign_checkpoint(&checkpoint(), &key);
        let characters: Vec<char> = note.chars().collect();
        let index = index % characters.len();
        let replacement = replacement.chars().next().unwrap();
        prop_assume!(characters[index] != replacement);
        let mut changed = characters;
        changed[index] = replacement;
        let changed: String = changed.into_iter().collect();
        prop_assert!(open_checkpoint(&changed, &key.verification_key()).is_err(), "{}", changed);
    }
}
