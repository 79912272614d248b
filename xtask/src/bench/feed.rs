//! A large extract of tables, loaded whole, and the changes of one day after it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use super::measure::{Cost, cost};
use crate::failure::Failure;
use crate::shell;

/// Rows of history that each patient has.
const ROWS_PER_PATIENT: usize = 1_500;
/// The most memory that a load may take, in MiB.
const PEAK_MIB_MAX: f64 = 512.0;
/// The most that a day's changes may take, as a share of the full load's time.
const DAY_SHARE_MAX: f64 = 0.01;
/// Patients of whom something changes in a day, in a hundred.
const CHANGES_PERCENT: &str = "1";

/// What loading the tables cost.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    patients: usize,
    rows: u64,
    bytes: u64,
    full: Cost,
    day_rows: u64,
    day: Cost,
    nothing: Cost,
}

/// Writes the extracts and loads them through the released program.
pub(crate) fn measure(folder: &Path, patients: usize) -> Result<Results, Failure> {
    let work = folder.join("feed");
    // It is not there the first time.
    let _ = fs::remove_dir_all(&work);
    let source = work.join("src");
    fs::create_dir_all(&source).map_err(|error| Failure::Write { path: source.clone(), source: error })?;
    println!("writing an EMIS Web extract: {patients} patients, {ROWS_PER_PATIENT} rows each");
    synth(&work, patients, 0)?;
    init(&work)?;
    let (rows, bytes) = count(&source)?;
    println!("loading {rows} rows");
    let (full, _) = cost(&work, &lifeboat(&work, &["snapshot"]))?;
    synth(&work, patients, 1)?;
    let day_rows = count(&source)?.0 - rows;
    println!("loading a day's changes: {day_rows} rows");
    let (day, _) = cost(&work, &lifeboat(&work, &["snapshot"]))?;
    let (nothing, _) = cost(&work, &lifeboat(&work, &["snapshot"]))?;
    let _ = fs::remove_dir_all(&work);
    Ok(Results { patients, rows, bytes, full, day_rows, day, nothing })
}

fn lifeboat(work: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(shell::target().join("release/lifeboat"));
    command.args(["--config", "lifeboat.toml", "--quiet"]).args(arguments).current_dir(work);
    command
}

fn synth(work: &Path, patients: usize, delta: u32) -> Result<(), Failure> {
    let (patients, delta, rows) = (patients.to_string(), delta.to_string(), ROWS_PER_PATIENT.to_string());
    let mut command = lifeboat(work, &["feed", "synth", "--format", "emis", "--to", "src"]);
    command.args(["--patients", &patients, "--delta", &delta, "--rows-per-patient", &rows]);
    shell::run(command.args(["--changes", CHANGES_PERCENT]))
}

fn init(work: &Path) -> Result<(), Failure> {
    let mut key = Command::new("bash");
    key.args(["-c", "age-keygen -o owner.key 2>owner.note && age-keygen -y owner.key >owner.pub"]);
    shell::run(key.current_dir(work))?;
    let path = work.join("owner.pub");
    let public = fs::read_to_string(&path).map_err(|source| Failure::Read { path, source })?;
    let recipient = format!("owner={}", public.trim());
    let mut init =
        lifeboat(work, &["init", "--site", "A81001", "--name", "Measured Surgery", "--source", "src"]);
    init.args([
        "--state",
        "state",
        "--recipient",
        &recipient,
        "--replica",
        "one=copy1",
        "--stable-after",
        "0s",
    ]);
    shell::run(&mut init)
}

/// Counts the rows of all tables, headers not counted, and their bytes.
fn count(source: &Path) -> Result<(u64, u64), Failure> {
    let (mut rows, mut bytes) = (0, 0);
    let failed = |error| Failure::Read { path: source.to_owned(), source: error };
    for entry in fs::read_dir(source).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let file = fs::File::open(&path).map_err(failed)?;
        bytes += file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        let mut lines: u64 = 0;
        while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            lines += 1;
            line.clear();
        }
        rows += lines.saturating_sub(1);
    }
    Ok((rows, bytes))
}

/// Writes the results as a table with its bars.
pub(crate) fn markdown(results: &Results) -> String {
    let Results { patients, rows, bytes, full, day_rows, day, nothing } = results;
    let peak = full.peak_mib.max(day.peak_mib);
    let share = day.wall / full.wall;
    let met = |met: bool| if met { "met" } else { "NOT met" };
    format!(
        "EMIS Web extract, {patients} patients, {rows} rows, {:.1} GB\n\n\
         | load | rows | wall s | CPU s | rows/s | peak MiB |\n|---|---|---|---|---|---|\n\
         | full | {rows} | {:.1} | {:.1} | {:.0} | {:.0} |\n\
         | one day | {day_rows} | {:.2} | {:.2} | {:.0} | {:.0} |\n\
         | nothing new | 0 | {:.2} | {:.2} | | {:.0} |\n\n\
         * peak memory {peak:.0} MiB, at most {PEAK_MIB_MAX:.0}: {}\n\
         * one day takes {:.2} % of the full load's time, at most {:.0} %: {}\n",
        *bytes as f64 / 1e9,
        full.wall,
        full.cpu,
        *rows as f64 / full.wall,
        full.peak_mib,
        day.wall,
        day.cpu,
        *day_rows as f64 / day.wall,
        day.peak_mib,
        nothing.wall,
        nothing.cpu,
        nothing.peak_mib,
        met(peak <= PEAK_MIB_MAX),
        share * 100.0,
        DAY_SHARE_MAX * 100.0,
        met(share <= DAY_SHARE_MAX),
    )
}
