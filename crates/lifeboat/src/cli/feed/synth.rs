//! `lifeboat feed synth`: writes an extract of a made-up practice in any format that Lifeboat reads.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use lifeboat_feeds::synth::{self, Order, Sink};
use serde_json::{Value, json};

use crate::cli::args::{SynthArgs, SynthFormat};
use crate::clock;
use crate::error::CommandError;
use crate::output::{Output, Report, Unit, bytes_text, count_text};

/// What was written.
struct Written {
    folder: PathBuf,
    format: SynthFormat,
    order: Order,
    files: u64,
    bytes: u64,
}

impl Report for Written {
    fn json(&self) -> Value {
        json!({
            "folder": self.folder,
            "format": name(self.format),
            "patients": self.order.patients,
            "seed": self.order.seed,
            "delta": self.order.delta,
            "today": self.order.today,
            "files": self.files,
            "bytes": self.bytes,
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let files = count_text(self.files, "file");
        let what = if self.order.delta == 0 {
            "full extract".to_owned()
        } else {
            format!("delta {}", self.order.delta)
        };
        writeln!(
            out,
            "Wrote the {what} of a made-up practice ({}, seed {}, {}) to {}: {files}, {}.",
            count_text(self.order.patients as u64, "patient"),
            self.order.seed,
            self.order.today,
            self.folder.display(),
            bytes_text(self.bytes),
        )
    }
}

fn name(format: SynthFormat) -> &'static str {
    match format {
        SynthFormat::Emis => "emis",
        SynthFormat::Tpp => "tpp",
        SynthFormat::Vision => "vision",
        SynthFormat::Gpconnect => "gpconnect",
        SynthFormat::Fhir => "fhir",
        SynthFormat::Bulk => "bulk",
    }
}

/// Writes the extract.
pub(super) fn run(args: &SynthArgs, output: Output) -> Result<Box<dyn Report>, CommandError> {
    if !(0.0..=100.0).contains(&args.changes) {
        return Err(CommandError::Usage {
            what: "--changes must be a percentage from 0 to 100".to_owned(),
            hint: "for instance `--changes 1` for one patient in a hundred".to_owned(),
        });
    }
    let order = Order {
        patients: args.patients as usize,
        seed: args.seed,
        today: args.today.unwrap_or_else(|| clock::practice_date(clock::now())),
        delta: args.delta,
        share: args.changes / 100.0,
        rows_per_patient: args.rows_per_patient,
        marker: None,
    };
    let bar = output.bars().add("writing", None, Unit::Bytes);
    let failed = |source| CommandError::WriteFolder { path: args.to.clone(), source };
    fs::create_dir_all(&args.to).map_err(failed)?;
    let mut folder = Folder { root: args.to.clone(), files: Vec::new(), tally: Rc::default() };
    let result = match args.format {
        SynthFormat::Emis => synth::emis::write(&order, &mut folder),
        SynthFormat::Tpp => synth::tpp::write(&order, &mut folder),
        SynthFormat::Vision => synth::vision::write(&order, &mut folder),
        SynthFormat::Gpconnect => synth::gpconnect::write(&order, &mut folder),
        SynthFormat::Fhir => synth::fhir::write(&order, &mut folder, synth::fhir::FhirLayout::Bundles),
        SynthFormat::Bulk => synth::fhir::write(&order, &mut folder, synth::fhir::FhirLayout::Bulk),
    };
    result.and_then(|()| folder.publish()).map_err(failed)?;
    bar.finish_and_clear();
    let (bytes, files) = (folder.tally.bytes.get(), folder.files.len() as u64);
    Ok(Box::new(Written { folder: args.to.clone(), format: args.format, order, files, bytes }))
}

/// Writes files under unfinished names and renames them when all are complete, as a good exporter does.
struct Folder {
    root: PathBuf,
    files: Vec<String>,
    tally: Rc<Tally>,
}

/// What came of all files.
#[derive(Default)]
struct Tally {
    bytes: Cell<u64>,
    /// Why a file could not be completed.
    failure: RefCell<Option<io::Error>>,
}

/// The ending of a file that is still being written; the service passes such files over.
const UNFINISHED: &str = ".part";

impl Folder {
    fn publish(&self) -> io::Result<()> {
        if let Some(failure) = self.tally.failure.take() {
            return Err(failure);
        }
        for path in &self.files {
            let path = self.root.join(path);
            fs::rename(unfinished(&path), path)?;
        }
        Ok(())
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        let is_below = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_below {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a file of an extract lies below its folder",
            ));
        }
        let target = unfinished(&self.root.join(path));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let writer = BufWriter::new(File::create(target)?);
        self.files.push(path.to_owned());
        Ok(Box::new(OneFile { writer, tally: Rc::clone(&self.tally) }))
    }
}

struct OneFile {
    writer: BufWriter<File>,
    tally: Rc<Tally>,
}

impl Write for OneFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.tally.bytes.set(self.tally.bytes.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A file is complete when its writer lets it go; what then cannot be written must not get lost.
impl Drop for OneFile {
    fn drop(&mut self) {
        if let Err(failure) = self.writer.flush() {
            self.tally.failure.replace(Some(failure));
        }
    }
}
