//! Telling what happens, step by step, to whoever watches.

use std::io::{self, Write as _};

use crate::output::{Form, Output, Volume};

/// Tells the story and remembers it.
pub(super) struct Story {
    is_told: bool,
    steps: Vec<String>,
}

impl Story {
    pub(super) fn new(output: &Output) -> Self {
        Story { is_told: output.form == Form::Human && output.volume != Volume::Quiet, steps: Vec::new() }
    }

    /// Begins a step.
    pub(super) fn step(&mut self, title: &str) {
        self.steps.push(title.to_owned());
        self.say(&format!("\n{}. {title}", self.steps.len()));
    }

    /// Says what happened in the step.
    pub(super) fn tell(&mut self, text: &str) {
        self.say(&format!("   {text}"));
    }

    pub(super) fn into_steps(self) -> Vec<String> {
        self.steps
    }

    fn say(&self, text: &str) {
        if self.is_told {
            // Whoever closed the pipe has heard enough.
            let _said = writeln!(io::stdout().lock(), "{text}");
        }
    }
}

/// Makes a passphrase for the kit of the demonstration.
pub(super) fn passphrase() -> String {
    let number = getrandom::u64().unwrap_or(0x1234_5678_9abc_def0);
    let groups: Vec<String> =
        (0..4).map(|group| format!("{:04x}", (number >> (16 * group)) & 0xffff)).collect();
    groups.join("-")
}
