//! From measurements to one table and a verdict on each bar of the design.

use std::fmt::Write;

use super::contestant::{Form, Keeper, Step};
use super::measure::Cost;
use super::rounds::{Results, Round};

/// Bytes in a MiB.
const MIB: f64 = 1024.0 * 1024.0;
/// Most memory of a snapshot, in MiB.
const PEAK_MIB_MAX: f64 = 150.0;
/// Bytes that a small snapshot may write beside the records.
const OVERHEAD_BYTES: f64 = 65_536.0;

/// Returns the report as Markdown.
pub(crate) fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let say = |text: &mut String, line: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    say(
        &mut text,
        format!(
            "{} documents, {:.1} MB ({}), {} changed; {} rounds, medians; {} processors; {}.\n",
            results.documents,
            results.bytes as f64 / 1e6,
            results.origin,
            results.changed,
            results.runs,
            results.processors,
            results.versions.join(", ")
        ),
    );
    say(&mut text, "CPU seconds / wall seconds. Three copies; stored and written are per copy.\n".to_owned());
    say(&mut text, "| input | keeper | first | 1 % changed | unchanged | verify one copy | fetch one patient | stored MB | written at 1 % MB | peak MiB |".to_owned());
    say(&mut text, "|---|---|---|---|---|---|---|---|---|---|".to_owned());
    for form in [Form::Ndjson, Form::Files] {
        for keeper in [Keeper::Lifeboat, Keeper::Restic, Keeper::Tar] {
            say(&mut text, row(&View { results, keeper, form }));
        }
    }
    say(&mut text, floor_row(results));
    say(&mut text, "\n| bar | allowed | measured | verdict |\n|---|---|---|---|".to_owned());
    for bar in bars(results) {
        let verdict = if bar.measured <= bar.allowed { "met" } else { "**not met**" };
        say(
            &mut text,
            format!("| {} | {:.3} {} | {:.3} | {verdict} |", bar.what, bar.allowed, bar.unit, bar.measured),
        );
    }
    text
}

/// The rounds of one keeper on one form.
struct View<'r> {
    results: &'r Results,
    keeper: Keeper,
    form: Form,
}

impl<'r> View<'r> {
    fn rounds(&self) -> impl Iterator<Item = &'r Round> {
        let (keeper, form) = (self.keeper, self.form);
        self.results.rounds.iter().filter(move |round| round.keeper == keeper && round.form == form)
    }

    /// Returns the median of a number that each round has.
    fn median(&self, number: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds().map(number).collect())
    }

    /// Returns the median of one side of a step's cost.
    fn step(&self, step: Step, side: impl Fn(&Cost) -> f64) -> f64 {
        self.median(|round| {
            round.steps.iter().find(|(own, _)| *own == step).map_or(f64::NAN, |(_, cost)| side(cost))
        })
    }

    /// Returns the most memory that any of the snapshots took.
    fn peak(&self) -> f64 {
        let snapshots = [Step::First, Step::Changed, Step::Unchanged];
        snapshots.into_iter().map(|step| self.step(step, |cost| cost.peak_mib)).fold(0.0, f64::max)
    }
}

/// Returns the middle of some numbers.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => numbers[count / 2],
        count => f64::midpoint(numbers[count / 2 - 1], numbers[count / 2]),
    }
}

/// Returns a keeper's line of the table.
fn row(view: &View<'_>) -> String {
    let both =
        |step| format!("{:.2} / {:.2}", view.step(step, |cost| cost.cpu), view.step(step, |cost| cost.wall));
    let steps: Vec<String> = Step::ALL.into_iter().map(both).collect();
    let keeper = match view.keeper {
        Keeper::Lifeboat => "**lifeboat**",
        Keeper::Restic => "restic",
        Keeper::Tar => "tar, zstd, age",
    };
    let form = match view.form {
        Form::Ndjson => "NDJSON",
        Form::Files => "files",
    };
    format!(
        "| {form} | {keeper} | {} | {:.2} | {:.3} | {:.0} |",
        steps.join(" | "),
        view.median(|round| round.stored as f64) / 1e6,
        view.median(|round| round.written as f64) / 1e6,
        view.peak()
    )
}

/// Returns the floor's line of the table.
fn floor_row(results: &Results) -> String {
    let of =
        |number: &dyn Fn(&super::rounds::Floor) -> f64| median(results.floors.iter().map(number).collect());
    format!(
        "| NDJSON | floor | {:.2} / {:.2} | {:.2} / {:.2} | | | | {:.2} | {:.3} | {:.0} |",
        of(&|floor| floor.first.cpu),
        of(&|floor| floor.first.wall),
        of(&|floor| floor.changed.cpu),
        of(&|floor| floor.changed.wall),
        of(&|floor| floor.stored as f64) / 1e6,
        of(&|floor| floor.written as f64) / 1e6,
        of(&|floor| floor.first.peak_mib),
    )
}

/// Something that the design demands.
struct Bar {
    what: String,
    unit: &'static str,
    allowed: f64,
    measured: f64,
}

/// Returns every bar of the design that this task can judge.
fn bars(results: &Results) -> Vec<Bar> {
    let view = |keeper, form| View { results, keeper, form };
    let floor =
        |number: &dyn Fn(&super::rounds::Floor) -> f64| median(results.floors.iter().map(number).collect());
    let mut bars = Vec::new();
    for (form, name) in [(Form::Ndjson, "NDJSON"), (Form::Files, "files")] {
        let (ours, restic) = (view(Keeper::Lifeboat, form), view(Keeper::Restic, form));
        bars.push(Bar {
            what: format!("first snapshot, CPU, part of restic's ({name})"),
            unit: "",
            allowed: 1.0 / 3.0,
            measured: ours.step(Step::First, |cost| cost.cpu) / restic.step(Step::First, |cost| cost.cpu),
        });
        bars.push(Bar {
            what: format!("first snapshot, CPU, multiple of floor and seal ({name})"),
            unit: "",
            allowed: 2.0,
            measured: ours.step(Step::First, |cost| cost.cpu) / floor(&|floor| floor.first.cpu),
        });
        bars.push(Bar {
            what: format!("1 % changed, wall, part of restic's ({name})"),
            unit: "",
            allowed: 1.0 / 8.0,
            measured: ours.step(Step::Changed, |cost| cost.wall)
                / restic.step(Step::Changed, |cost| cost.wall),
        });
        bars.push(Bar {
            what: format!("1 % changed, bytes written per copy ({name})"),
            unit: "MB",
            allowed: (1.3 * floor(&|floor| floor.written as f64) + OVERHEAD_BYTES) / 1e6,
            measured: ours.median(|round| round.written as f64) / 1e6,
        });
        bars.push(Bar {
            what: format!("verify digest, multiple of sha256sum's wall time ({name})"),
            unit: "",
            allowed: 1.0 / 0.8,
            measured: ours.step(Step::Verify, |cost| cost.wall)
                / ours.median(|round| round.sha256sum.map_or(f64::NAN, |cost| cost.wall)),
        });
        bars.push(Bar {
            what: format!("peak memory of a snapshot ({name})"),
            unit: "MiB",
            allowed: PEAK_MIB_MAX,
            measured: ours.peak(),
        });
    }
    let files = view(Keeper::Restic, Form::Files);
    bars.push(Bar {
        what: "stored, part of restic's with one file per patient".to_owned(),
        unit: "",
        allowed: 0.7,
        measured: view(Keeper::Lifeboat, Form::Files).median(|round| round.stored as f64 / MIB)
            / files.median(|round| round.stored as f64 / MIB),
    });
    bars
}
