//! Progress bars on standard error, while a person watches.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::{Progress, Stage};

/// How often a bar without known length moves.
const TICK: Duration = Duration::from_millis(120);

/// The bars of one command, or none.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    snapshot: Mutex<Option<ProgressBar>>,
}

/// What a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
}

impl Bars {
    /// Returns bars that are drawn.
    pub(super) fn drawn() -> Self {
        Bars { all: MultiProgress::new(), snapshot: Mutex::new(None) }
    }

    /// Returns bars that nobody sees.
    pub fn silent() -> Self {
        Bars {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            snapshot: Mutex::new(None),
        }
    }

    /// Adds a bar for the work `title` of the length `total`, when that is known.
    pub fn add(&self, title: &str, total: Option<u64>, unit: Unit) -> ProgressBar {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        };
        let template = match (total, unit) {
            (Some(_), Unit::Count) => "{prefix:>24} [{bar:30}] {human_pos}/{human_len} {eta}",
            (Some(_), Unit::Bytes) => {
                "{prefix:>24} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}"
            }
            (None, Unit::Count) => "{prefix:>24} {spinner} {human_pos}",
            (None, Unit::Bytes) => "{prefix:>24} {spinner} {binary_bytes} {binary_bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(title.to_owned());
        let bar = self.all.add(bar);
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        bar
    }
}

impl Bars {
    /// Takes the bar of the snapshot away.
    pub fn finish_snapshot(&self) {
        if let Ok(mut current) = self.snapshot.lock()
            && let Some(bar) = current.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn stage(&self, stage: Stage, total: Option<u64>) {
        let (title, unit) = match stage {
            Stage::List => ("looking at the source", Unit::Count),
            Stage::Pull => ("asking the server", Unit::Count),
            Stage::Intake => ("taking in what is new", Unit::Bytes),
            Stage::Survey => ("reading the source", Unit::Bytes),
            Stage::Seal => ("sealing records", Unit::Count),
            Stage::Fold => ("folding packs", Unit::Count),
            Stage::Publish => ("writing the snapshot", Unit::Count),
        };
        let bar = self.add(title, total, unit);
        if let Ok(mut current) = self.snapshot.lock()
            && let Some(before) = current.replace(bar)
        {
            before.finish_and_clear();
        }
    }

    fn advance(&self, units: u64) {
        if let Ok(current) = self.snapshot.lock()
            && let Some(bar) = current.as_ref()
        {
            bar.inc(units);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.finish_snapshot();
    }
}
