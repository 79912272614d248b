//! Asking for passphrases, or reading them from a file.

use std::path::Path;

use lifeboat_format::Passphrase;
use zeroize::Zeroizing;

use crate::error::CommandError;
use crate::keys::SecretSource;

/// The shortest passphrase that a new kit is sealed with, in characters.
const NEW_CHARACTERS_MIN: usize = 12;

/// Returns the passphrase of an existing kit, from a file or from the person at the terminal.
pub(super) fn existing(file: Option<&Path>) -> Result<Passphrase, CommandError> {
    match file {
        Some(file) => Ok(from_text(&from_file(file)?)),
        None => Ok(from_text(&ask("Passphrase of the kit: ")?)),
    }
}

/// Returns the passphrase for a new kit, from a file or asked for twice.
pub(super) fn new(file: Option<&Path>) -> Result<Passphrase, CommandError> {
    let text = match file {
        Some(file) => from_file(file)?,
        None => {
            let text = ask("Passphrase for the kit: ")?;
            if *text != *ask("The same again: ")? {
                return Err(CommandError::Usage {
                    what: "the two passphrases differ".to_owned(),
                    hint: "try again; nothing was written".to_owned(),
                });
            }
            text
        }
    };
    if text.chars().count() < NEW_CHARACTERS_MIN {
        return Err(CommandError::Usage {
            what: format!("the passphrase is shorter than {NEW_CHARACTERS_MIN} characters"),
            hint: "five words chosen by chance are easy to type and hard to guess".to_owned(),
        });
    }
    Ok(from_text(&text))
}

fn from_file(file: &Path) -> Result<Zeroizing<String>, CommandError> {
    Ok(SecretSource::File(file.to_owned()).read("passphrase")?)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, CommandError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|source| CommandError::AskPassphrase { source })
}

fn from_text(text: &str) -> Passphrase {
    Passphrase::from(text)
}
