//! Completions, manual pages and the reference page, made from the command line's own definition.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use lifeboat_replica::durable;
use serde_json::{Value, json};

use super::args::{Cli, CompletionsArgs, ManArgs};
use crate::error::{CommandError, ExitStatus};
use crate::output::Report;

/// A text that the user asked for.
struct Text(Vec<u8>);

impl Report for Text {
    fn json(&self) -> Value {
        json!({ "text": String::from_utf8_lossy(&self.0) })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }
}

/// The manual pages that were written.
struct Pages(Vec<PathBuf>);

impl Report for Pages {
    fn json(&self) -> Value {
        json!({ "pages": self.0 })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for page in &self.0 {
            writeln!(out, "{}", page.display())?;
        }
        Ok(())
    }
}

/// Returns the completion script for a shell.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> Box<dyn Report> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "lifeboat", &mut script);
    Box::new(Text(script))
}

/// Returns the manual page of the program, or writes those of all commands into a folder.
pub(super) fn man(args: &ManArgs, command: Command) -> Result<Box<dyn Report>, CommandError> {
    let Some(folder) = &args.dir else {
        return Ok(Box::new(Text(page(command))));
    };
    let mut written = Vec::new();
    for (name, command) in flattened(command, "") {
        let path = folder.join(format!("{name}.1"));
        durable::replace(&path, &page(command)).map_err(|source| CommandError::Write {
            what: "manual page",
            path: path.clone(),
            source,
        })?;
        written.push(path);
    }
    Ok(Box::new(Pages(written)))
}

/// Lists a command and those below it under their full names, such as `lifeboat-kit-create`.
fn flattened(command: Command, parent: &str) -> Vec<(String, Command)> {
    let name = match parent {
        "" => command.get_name().to_owned(),
        parent => format!("{parent}-{}", command.get_name()),
    };
    let mut all = vec![(name.clone(), command.clone().display_name(name.clone()))];
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        all.extend(flattened(below.clone(), &name));
    }
    all
}

fn page(command: Command) -> Vec<u8> {
    let mut page = Vec::new();
    // Writing into a vector does not fail.
    let _written = Man::new(command).render(&mut page);
    page
}

/// Returns the reference page of all commands and exit codes, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Commands\n\n\
         Every command takes the options of `lifeboat` itself. With `--json` a command prints one object: \
         `{\"command\": …, \"exit_code\": …, \"result\": {…}}`, or with `\"error\": {\"message\", \"causes\", \"hint\"}` \
         in place of the result.\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n",
    );
    for status in ExitStatus::ALL {
        let _ = writeln!(page, "| {} | {} |", status.code(), status.meaning());
    }
    for (name, command) in flattened(Cli::command(), "") {
        let title = name.replace('-', " ");
        let _ = writeln!(page, "\n## {title}\n");
        if let Some(about) = command.get_about() {
            let _ = writeln!(page, "{about}.\n");
        }
        let shown: Vec<_> = command
            .get_arguments()
            .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
            .collect();
        if shown.is_empty() {
            continue;
        }
        page.push_str("| argument | meaning |\n|---|---|\n");
        for argument in shown {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(page, "| `{}` | {} |", argument_text(argument), help.replace('|', "\\|"));
        }
    }
    page
}

fn argument_text(argument: &clap::Arg) -> String {
    let values: Vec<String> =
        argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let takes_value = argument.get_action().takes_values();
    let value =
        if takes_value && !values.is_empty() { format!(" {}", values.join(" ")) } else { String::new() };
    match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}{value}"),
        (Some(long), None) => format!("--{long}{value}"),
        (None, _) => argument.get_id().to_string().to_uppercase(),
    }
    .replace('|', "\\|")
}
