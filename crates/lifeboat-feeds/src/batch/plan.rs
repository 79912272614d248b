//! Decides which batches apply, in which order, and which are refused.
//!
//! Changes are only right on top of what they were made against. Where a batch of changes is refused, all changes after it
//! are refused as well, until a full batch comes, which replaces everything. A batch that comes too late, after newer ones
//! were applied, is refused by itself: what was applied stays, and the refusal says that something is missing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Batch, BatchKind};
use crate::problem::{Problem, Reason};

/// A batch that was applied before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedBatch {
    /// What names it.
    pub name: String,
    /// Where it stands among the batches of its feed.
    pub order: String,
    /// Up to where it reaches.
    pub until: Option<String>,
    /// Whose extract it is.
    pub practice: Option<String>,
    /// What tells its content from another's.
    pub digest: Option<String>,
}

/// A batch that lies in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    /// The batch.
    pub batch: Batch,
    /// What tells its content from another's; without it contents of one name count as the same.
    pub digest: Option<String>,
}

impl From<Batch> for FoundBatch {
    fn from(batch: Batch) -> Self {
        Self { batch, digest: None }
    }
}

/// What is to be done with the batches of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchPlan {
    /// One step for each batch, in the order in which they follow each other.
    pub steps: Vec<BatchStep>,
}

/// What is to be done with one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchStep {
    /// The batch.
    pub batch: Batch,
    /// Its digest, as it was given.
    pub digest: Option<String>,
    /// What is to be done with it, and why.
    pub decision: Decision,
}

/// What is to be done with a batch, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It applies.
    Apply(Apply),
    /// It was applied before, or lies in the source more than once; nothing is to be done.
    Repeated,
    /// It is not applied.
    Refused(Refusal),
}

/// Why a batch applies, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// It is the first, and holds everything.
    First,
    /// It holds everything and replaces what is there.
    Replace,
    /// It holds changes and follows what is there.
    Follow,
}

/// Why a batch is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its own feed says that it cannot be used, for instance that it is not complete.
    Unusable(Reason),
    /// Newer ones were applied without it.
    OutOfOrder {
        /// The newest that was applied.
        newest: String,
    },
    /// Something between it and what was applied is missing.
    Gap {
        /// Where it begins.
        from: String,
        /// Up to where what was applied reaches.
        reached: String,
    },
    /// It holds changes to what was refused.
    AfterRefused {
        /// The batch that was refused.
        refused: String,
    },
    /// It holds changes, and there is nothing that they would change.
    NoFullBatch,
    /// It is another practice's.
    OtherPractice {
        /// Whose it is.
        practice: String,
        /// Whose records are kept.
        expected: String,
    },
    /// The source holds extracts of several practices, and nothing says which is meant.
    SeveralPractices {
        /// Whose they are.
        practices: Vec<String>,
    },
    /// Another content has the same name.
    OtherContent,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(Apply::First) => f.write_str("applies: it is the first, and is taken as everything"),
            Self::Apply(Apply::Replace) => {
                f.write_str("applies: it is full and replaces everything before it")
            }
            Self::Apply(Apply::Follow) => f.write_str("applies: its changes follow what was applied"),
            Self::Repeated => f.write_str("nothing to do: it was applied before, or lies here twice"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(Reason::BatchRefused(why)) => f.write_str(why),
            Self::Unusable(reason) => write!(f, "{reason}"),
            Self::OutOfOrder { newest } => write!(
                f,
                "it is older than {newest}, which was applied without it; if it holds changes, they are missing until \
                 the next full extract"
            ),
            Self::Gap { from, reached } => write!(
                f,
                "it begins at {from}, and what was applied reaches to {reached}: an extract between them is missing; \
                 deliver that one, or a full extract"
            ),
            Self::AfterRefused { refused } => {
                write!(
                    f,
                    "it follows {refused}, which was refused; deliver that one whole, or a full extract"
                )
            }
            Self::NoFullBatch => f.write_str(
                "it holds changes only, and no full extract came before it; deliver a full extract",
            ),
            Self::OtherPractice { practice, expected } => {
                write!(f, "it is an extract of {practice}, and the records kept here are those of {expected}")
            }
            Self::SeveralPractices { practices } => write!(
                f,
                "the source holds extracts of several practices ({}), and one is expected",
                practices.join(", ")
            ),
            Self::OtherContent => f.write_str(
                "another extract of the same name has other content, and nobody knows which is right",
            ),
        }
    }
}

impl BatchPlan {
    /// Returns the steps that change something.
    pub fn to_apply(&self) -> impl Iterator<Item = (&BatchStep, Apply)> {
        self.steps.iter().filter_map(|step| match step.decision {
            Decision::Apply(apply) => Some((step, apply)),
            _ => None,
        })
    }

    /// Returns a problem for each batch that is refused.
    pub fn problems(&self) -> Vec<Problem> {
        let refused = |step: &BatchStep| match &step.decision {
            Decision::Refused(refusal) => {
                Some(Problem::of_file(step.batch.name.clone(), Reason::BatchRefused(refusal.to_string())))
            }
            _ => None,
        };
        self.steps.iter().filter_map(refused).collect()
    }
}

impl fmt::Display for BatchPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{}: {}", step.batch.name, step.decision))
    }
}

/// Decides what is to be done with the batches of a source.
pub fn plan_batches(applied: &[AppliedBatch], mut found: Vec<FoundBatch>) -> BatchPlan {
    found.sort_by(|a, b| (&a.batch.order, &a.batch.name).cmp(&(&b.batch.order, &b.batch.name)));
    let practices = Practices::of(applied, &found);
    let doubtful = doubtful_names(&found);
    let newest = applied.iter().max_by(|a, b| a.order.cmp(&b.order));
    let mut chain = Chain {
        applied,
        newest: newest.map(|batch| (batch.name.clone(), batch.order.clone())),
        until: newest.and_then(|batch| batch.until.clone()),
        refused: None,
        planned: BTreeSet::new(),
    };
    let steps = found.into_iter().map(|FoundBatch { batch, digest }| {
        let decision = if let Some(refusal) = practices.refusal(&batch) {
            Decision::Refused(refusal)
        } else {
            chain.decide(&batch, digest.as_deref(), doubtful.contains(&batch.name))
        };
        BatchStep { batch, digest, decision }
    });
    BatchPlan { steps: steps.collect() }
}

/// Returns the names under which the source holds different contents.
fn doubtful_names(found: &[FoundBatch]) -> BTreeSet<String> {
    let mut digests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for FoundBatch { batch, digest } in found {
        digests.entry(&batch.name).or_default().extend(digest.as_deref());
    }
    digests.into_iter().filter(|(_, digests)| digests.len() > 1).map(|(name, _)| name.to_owned()).collect()
}

/// Whose extracts are expected.
enum Practices {
    Anybodys,
    One(String),
    Several(Vec<String>),
}

impl Practices {
    fn of(applied: &[AppliedBatch], found: &[FoundBatch]) -> Self {
        let newest = applied.iter().filter(|it| it.practice.is_some()).max_by(|a, b| a.order.cmp(&b.order));
        if let Some(practice) = newest.and_then(|batch| batch.practice.clone()) {
            return Self::One(practice);
        }
        let mut practices: BTreeSet<&String> =
            found.iter().filter_map(|found| found.batch.practice.as_ref()).collect();
        match (practices.pop_first(), practices.is_empty()) {
            (None, _) => Self::Anybodys,
            (Some(one), true) => Self::One(one.clone()),
            (Some(first), false) => Self::Several(std::iter::once(first).chain(practices).cloned().collect()),
        }
    }

    fn refusal(&self, batch: &Batch) -> Option<Refusal> {
        match (self, &batch.practice) {
            (Self::Several(practices), _) => Some(Refusal::SeveralPractices { practices: practices.clone() }),
            (Self::One(expected), Some(practice)) if expected != practice => {
                Some(Refusal::OtherPractice { practice: practice.clone(), expected: expected.clone() })
            }
            _ => None,
        }
    }
}

/// What the next batch has to follow.
struct Chain<'a> {
    applied: &'a [AppliedBatch],
    /// The name and order of the newest that was, or is to be, applied.
    newest: Option<(String, String)>,
    until: Option<String>,
    /// The batch since whose refusal changes cannot apply.
    refused: Option<String>,
    planned: BTreeSet<String>,
}

impl Chain<'_> {
    fn decide(&mut self, batch: &Batch, digest: Option<&str>, doubtful: bool) -> Decision {
        if let Some(before) = self.applied.iter().find(|before| before.name == batch.name) {
            let differs = matches!((before.digest.as_deref(), digest), (Some(a), Some(b)) if a != b);
            return if differs { Decision::Refused(Refusal::OtherContent) } else { Decision::Repeated };
        }
        if self.planned.contains(&batch.name) {
            return Decision::Repeated;
        }
        if let Some((newest, order)) = &self.newest
            && batch.order <= *order
        {
            return Decision::Refused(Refusal::OutOfOrder { newest: newest.clone() });
        }
        let verdict = if doubtful { Err(Refusal::OtherContent) } else { self.judge(batch) };
        match verdict {
            Ok(apply) => {
                self.newest = Some((batch.name.clone(), batch.order.clone()));
                self.until = batch.until.clone();
                self.refused = None;
                self.planned.insert(batch.name.clone());
                Decision::Apply(apply)
            }
            // Where there is nothing yet, nothing that comes later builds on what was refused.
            Err(Refusal::NoFullBatch) => Decision::Refused(Refusal::NoFullBatch),
            Err(refusal) => {
                self.refused.get_or_insert_with(|| batch.name.clone());
                Decision::Refused(refusal)
            }
        }
    }

    /// Judges a batch that is newer than what was applied.
    fn judge(&self, batch: &Batch) -> Result<Apply, Refusal> {
        if let Some(reason) = &batch.refused {
            return Err(Refusal::Unusable(reason.clone()));
        }
        match (batch.kind, &self.newest, &self.refused) {
            (BatchKind::Full, None, _) => Ok(Apply::First),
            (BatchKind::Full, Some(_), _) => Ok(Apply::Replace),
            (BatchKind::Unsaid, None, None) => Ok(Apply::First),
            (BatchKind::Delta, None, _) => Err(Refusal::NoFullBatch),
            (_, _, Some(refused)) => Err(Refusal::AfterRefused { refused: refused.clone() }),
            (_, Some(_), None) => match (&batch.from, &self.until) {
                (Some(from), Some(reached)) if from > reached => {
                    Err(Refusal::Gap { from: from.clone(), reached: reached.clone() })
                }
                _ => Ok(Apply::Follow),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as `<kind><number>`, with `,from-until` where it says so, then `@practice`, `!` if unusable, `#digest`.
    fn batch(text: &str) -> FoundBatch {
        let (text, digest) =
            text.split_once('#').map_or((text, None), |(text, digest)| (text, Some(digest.into())));
        let unusable = text.ends_with('!');
        let text = text.trim_end_matches('!');
        let (text, practice) =
            text.split_once('@').map_or((text, None), |(text, it)| (text, Some(it.into())));
        let (name, reach) = text.split_once(',').map_or((text, None), |(name, reach)| (name, Some(reach)));
        let (from, until) = reach.and_then(|reach| reach.split_once('-')).unzip();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let kind = match &name[..1] {
            "F" => BatchKind::Full,
            "D" => BatchKind::Delta,
            _ => BatchKind::Unsaid,
        };
        let batch = Batch {
            name: name.to_owned(),
            order: name[1..].to_owned(),
            kind,
            from: from.and_then(some),
            until: until.and_then(some),
            practice,
            exported: None,
            tables: vec![],
            problems: vec![],
            refused: unusable.then(|| Reason::MissingTable("T".to_owned())),
        };
        FoundBatch { batch, digest }
    }

    fn word(decision: &Decision) -> &'static str {
        match decision {
            Decision::Apply(Apply::First) => "first",
            Decision::Apply(Apply::Replace) => "replace",
            Decision::Apply(Apply::Follow) => "follow",
            Decision::Repeated => "repeated",
            Decision::Refused(refusal) => match refusal {
                Refusal::Unusable(_) => "unusable",
                Refusal::OutOfOrder { .. } => "late",
                Refusal::Gap { .. } => "gap",
                Refusal::AfterRefused { .. } => "after",
                Refusal::NoFullBatch => "no-full",
                Refusal::OtherPractice { .. } => "other-practice",
                Refusal::SeveralPractices { .. } => "several-practices",
                Refusal::OtherContent => "other-content",
            },
        }
    }

    fn check(applied: &str, found: &str, expected: &str) {
        let applied: Vec<AppliedBatch> = applied
            .split_whitespace()
            .map(|text| {
                let FoundBatch { batch: it, digest } = batch(text);
                AppliedBatch {
                    name: it.name,
                    order: it.order,
                    until: it.until,
                    practice: it.practice,
                    digest,
                }
            })
            .collect();
        let plan = plan_batches(&applied, found.split_whitespace().map(batch).collect());
        let shown: Vec<String> =
            plan.steps.iter().map(|step| format!("{}:{}", step.batch.name, word(&step.decision))).collect();
        assert_eq!(shown.join(" "), expected, "applied {applied:?}, found {found}");
        let refused = plan.steps.iter().filter(|step| matches!(step.decision, Decision::Refused(_))).count();
        assert_eq!(plan.problems().len(), refused);
        assert_eq!(plan.to_string().lines().count(), plan.steps.len());
    }

    #[test]
    fn batches_apply_in_their_order_from_a_full_one_on() {
        check("", "", "");
        check("", "D3 F1 D2", "F1:first D2:follow D3:follow");
        check("F1", "F1 D2 D3", "F1:repeated D2:follow D3:follow");
        check("F1 D2 D3", "F1 D2 D3", "F1:repeated D2:repeated D3:repeated");
        check("", "F1 D2 F3 D4", "F1:first D2:follow F3:replace D4:follow");
        check("F1 D2", "F3 D4", "F3:replace D4:follow");
        check("", "D1 D2 F3 D4", "D1:no-full D2:no-full F3:first D4:follow");
    }

    #[test]
    fn where_the_feed_does_not_say_the_first_batch_is_full() {
        check("", "D0 U1 D2 U3", "D0:no-full U1:first D2:follow U3:follow");
        check("", "U1 U2", "U1:first U2:follow");
        check("U1", "U2", "U2:follow");
        check("", "U1! U2 F3 U4", "U1:unusable U2:after F3:first U4:follow");
    }

    #[test]
    fn what_comes_late_is_refused_by_itself() {
        check("F1 D3", "D2 D4", "D2:late D4:follow");
        check("F2", "F1 D3", "F1:late D3:follow");
        check("F2", "U2 D3", "U2:late D3:follow");
    }

    #[test]
    fn a_gap_refuses_everything_up_to_the_next_full_batch() {
        check("", "F1,-10 D2,10-20 D3,15-30 D4,30-40", "F1:first D2:follow D3:follow D4:follow");
        check("F1,-10", "D3,20-30 D4,30-40 F5,-50 D6,50-60", "D3:gap D4:after F5:replace D6:follow");
        check("F1,-10", "D2,10-20! D3,20-30", "D2:unusable D3:after");
        check("F1,-10", "F2,-20! D3,20-30", "F2:unusable D3:after");
        check("F1", "D2,10-20", "D2:follow");
    }

    #[test]
    fn another_practices_batches_are_refused() {
        check("F1@A", "D2@A D3@B D4@A D5", "D2:follow D3:other-practice D4:follow D5:follow");
        check("", "F1@A D2@B", "F1:several-practices D2:several-practices");
        check("", "F1 D2@B", "F1:first D2:follow");
        check("F1", "F2@A D3@A", "F2:replace D3:follow");
    }

    #[test]
    fn one_name_with_two_contents_is_refused_and_with_one_content_taken_once() {
        check("", "F1#a F1#a D2", "F1:first F1:repeated D2:follow");
        check("", "F1#a F1#b D2", "F1:other-content F1:other-content D2:no-full");
        check("F1#a", "F1#b D2", "F1:other-content D2:follow");
        check("F1#a", "F1 D2#a D2#b D3", "F1:repeated D2:other-content D2:other-content D3:after");
    }
}
