//! `cargo xtask docs`: writes the generated reference pages anew.
//!
//! The tidy test that compares the pages with the programs is also what writes them: one generator, in one place.

use crate::failure::Failure;
use crate::{shell, test};

/// Builds the programs and lets the tidy test write the pages that it would otherwise compare.
pub(crate) fn run() -> Result<(), Failure> {
    shell::run(&mut test::workspace("build", &["--all-targets"]))?;
    let mut command = test::workspace("test", &["--test", "main"]);
    command.args(["--", "--exact", "tidy::reference::pages_are_what_the_programs_print"]);
    shell::run(test::with_surroundings(&mut command).env("LIFEBOAT_WRITE_REFERENCE", "1"))
}
