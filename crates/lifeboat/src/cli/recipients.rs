//! `lifeboat recipients`: who can open the copies.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::{Global, RecipientsCommand};
use super::context;
use crate::clock;
use crate::config::{RecipientEntry, RecipientList};
use crate::error::CommandError;
use crate::output::{Report, to_json};

/// What changed, and who is on the list now.
struct ListReport {
    added: Option<RecipientEntry>,
    removed: Option<RecipientEntry>,
    entries: Vec<RecipientEntry>,
}

impl Report for ListReport {
    fn json(&self) -> Value {
        json!({
            "added": self.added.as_ref().map(to_json),
            "removed": self.removed.as_ref().map(to_json),
            "recipients": to_json(&self.entries),
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(entry) = &self.added {
            writeln!(out, "Added {}. The next snapshot begins a new epoch that they can open.", entry.name)?;
        }
        if let Some(entry) = &self.removed {
            writeln!(
                out,
                "Removed {}. The next snapshot begins a new epoch that they cannot open.",
                entry.name
            )?;
            writeln!(
                out,
                "Copies made before stay readable for them: take their access to the replicas away too."
            )?;
        }
        for entry in &self.entries {
            let role = entry.role.as_deref().unwrap_or("-");
            let added = entry.added.as_deref().unwrap_or("-");
            writeln!(out, "{:<24} {role:<16} {added:<12} {}", entry.name, entry.key)?;
        }
        Ok(())
    }
}

/// Runs one of the commands.
pub(super) fn run(global: &Global, command: &RecipientsCommand) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    let mut list = RecipientList::load(&config.recipients_file)?;
    let mut report = ListReport { added: None, removed: None, entries: Vec::new() };
    match command {
        RecipientsCommand::Add { name, key, role } => {
            let entry = new_entry(name, key, role.as_deref());
            list.add(entry.clone())?;
            list.save()?;
            report.added = Some(entry);
        }
        RecipientsCommand::Remove { name } => {
            report.removed = Some(list.remove(name)?);
            list.save()?;
        }
        RecipientsCommand::List => {}
    }
    report.entries = list.entries().to_vec();
    Ok(Box::new(report))
}

/// Makes an entry that is added today.
pub(super) fn new_entry(name: &str, key: &str, role: Option<&str>) -> RecipientEntry {
    RecipientEntry {
        name: name.to_owned(),
        role: role.map(str::to_owned),
        key: key.to_owned(),
        added: Some(clock::practice_date(clock::now()).to_string()),
    }
}
