//! To be written.

use crate::problem::{Problem, Reason};
use crate::rules::Rules;
use crate::translate::Translated;

/// Translates a document.
///
/// # Errors
/// Why nothing of it can be used.
pub fn translate(document: &[u8], rules: &Rules) -> Result<Translated, Problem> {
    let _ = (document, rules);
    Err(Problem::whole(Reason::Malformed("not read".to_owned())))
}
