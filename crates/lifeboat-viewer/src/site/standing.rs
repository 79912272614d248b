//! How the replicas compare, and which is read first: a pure function from what they answered.

use jiff::Timestamp;
use lifeboat_format::{Digest, ManifestId, Sequence};
use lifeboat_replica::ReplicaName;

use crate::age::show_instant;
use crate::pages::copy::ReplicaLine;
use crate::pages::strip::{Verification, VerificationLevel};

/// What one replica answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The replica.
    pub name: ReplicaName,
    /// What was found there.
    pub finding: Finding,
}

/// What was found at a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A signed history whose newest snapshot is known.
    Holds(Holding),
    /// It answered, and what it holds fails verification; the text says what.
    Damaged(String),
    /// It verified, and its index or keys could not be read; the text says what.
    Unusable(String),
    /// It did not answer; the text says why.
    Unreachable(String),
}

impl Finding {
    /// Returns what is wrong, in words; nothing for a replica that holds what it should.
    pub fn words(&self) -> &str {
        match self {
            Self::Holds(_) => "",
            Self::Damaged(why) | Self::Unusable(why) | Self::Unreachable(why) => why,
        }
    }
}

/// What a replica verifiably holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The size of the signed log.
    pub log_size: u64,
    /// The root of the signed log.
    pub log_root: Digest,
    /// The newest accepted snapshot.
    pub snapshot: ManifestId,
    /// Its number.
    pub sequence: Sequence,
    /// The signed instant that the snapshot shows.
    pub as_of: Timestamp,
}

/// Whose word the verification key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// It came with the kit or the command line.
    Given,
    /// It came from the replicas themselves, and proves only that a replica is consistent.
    Replica,
}

/// Returns the replicas that can be read, the one to read first at the front.
///
/// The longest signed log is freshest; among equals the order in which they were given decides.
pub fn reading_order(answers: &[Answer]) -> Vec<usize> {
    let size = |at: &usize| match &answers[*at].finding {
        Finding::Holds(holding) => Some(holding.log_size),
        _ => None,
    };
    let mut order: Vec<usize> = (0..answers.len()).filter(|at| size(at).is_some()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(size(at)));
    order
}

/// Says how whole the copy is whose snapshot is shown, and how the replicas compare with it.
pub fn verification(answers: &[Answer], shown: &Holding, key: KeyOrigin) -> Verification {
    let compared: Vec<_> = answers.iter().map(|answer| (answer, compare(&answer.finding, shown))).collect();
    let agreeing = compared.iter().filter(|(_, relation)| *relation == Relation::Agrees).count();
    let mut problems: Vec<String> =
        compared.iter().filter_map(|(answer, relation)| problem(answer, *relation)).collect();
    let mut level = if problems.is_empty() { VerificationLevel::Good } else { VerificationLevel::Warning };
    let mut sentence = match (agreeing, answers.len()) {
        (0, 1) => "NOT WHOLE: the only copy asked has a fault".to_owned(),
        (0, all) => format!("NOT WHOLE: none of {all} copies is without a fault"),
        (_, 1) => "Verified: the only copy asked".to_owned(),
        (_, all) => format!("Verified: {agreeing} of {all} copies agree"),
    };
    if compared.iter().any(|(_, relation)| *relation == Relation::Contradicts) {
        level = VerificationLevel::Bad;
        sentence = "THE COPIES CONTRADICT EACH OTHER".to_owned();
    }
    if key == KeyOrigin::Replica {
        level = level.max(VerificationLevel::Warning);
        problems.push(
            "Origin not proved: no verification key was given, so the copies were checked against the key that \
             they carry themselves."
                .to_owned(),
        );
    }
    Verification { level, sentence, problems }
}

/// Lists every replica with what it is to the reader, the one that is read first.
pub fn lines(answers: &[Answer], shown: &Holding, reading: usize) -> Vec<ReplicaLine> {
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.sort_by_key(|at| *at != reading);
    let line = |at: usize| {
        let answer = &answers[at];
        let role = match compare(&answer.finding, shown) {
            Relation::Agrees if at == reading => "Being read",
            Relation::Damaged if at == reading => "Being read, damaged",
            _ if at == reading => "Being read; its own newest snapshot is another",
            Relation::Agrees => "Agrees",
            Relation::Older => "Older",
            Relation::Newer => "Newer, and could not be opened",
            Relation::Contradicts => "CONTRADICTS the copy that is read",
            Relation::Damaged => "Damaged",
            Relation::Unreachable => "Cannot be reached",
        };
        let detail = match &answer.finding {
            Finding::Holds(holding) => {
                format!("Snapshot {} as of {}", holding.sequence, show_instant(holding.as_of))
            }
            wrong => wrong.words().to_owned(),
        };
        ReplicaLine { name: answer.name.to_string(), role: role.to_owned(), detail }
    };
    order.into_iter().map(line).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Agrees,
    Older,
    Newer,
    Contradicts,
    Damaged,
    Unreachable,
}

fn compare(finding: &Finding, shown: &Holding) -> Relation {
    match finding {
        Finding::Holds(other) if other.log_size == shown.log_size && other.log_root != shown.log_root => {
            Relation::Contradicts
        }
        Finding::Holds(other) if other.snapshot == shown.snapshot => Relation::Agrees,
        Finding::Holds(other) if other.sequence == shown.sequence => Relation::Contradicts,
        Finding::Holds(other) if other.log_size > shown.log_size => Relation::Newer,
        Finding::Holds(_) => Relation::Older,
        Finding::Damaged(_) | Finding::Unusable(_) => Relation::Damaged,
        Finding::Unreachable(_) => Relation::Unreachable,
    }
}

fn problem(answer: &Answer, relation: Relation) -> Option<String> {
    let name = &answer.name;
    let as_of = match &answer.finding {
        Finding::Holds(holding) => show_instant(holding.as_of),
        _ => String::new(),
    };
    let why = answer.finding.words();
    match relation {
        Relation::Agrees => None,
        Relation::Older => Some(format!("Copy {name} is older: as of {as_of}.")),
        Relation::Newer => Some(format!("Copy {name} is newer, as of {as_of}, and could not be opened.")),
        Relation::Contradicts => Some(format!(
            "Copy {name} shows another history, signed with the same key. Tell IT before you rely on either."
        )),
        Relation::Damaged => Some(format!("Copy {name} is damaged: {why}.")),
        Relation::Unreachable => Some(format!("Copy {name} cannot be reached: {why}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(log_size: u64, history: &str) -> Finding {
        let sequence = Sequence::try_from(log_size).expect("a sequence");
        Finding::Holds(Holding {
            log_size,
            log_root: Digest::of(format!("{history} {log_size}").as_bytes()),
            snapshot: ManifestId::of(format!("{history} {log_size}").as_bytes()),
            sequence,
            as_of: Timestamp::from_second(1_795_000_000 + 600 * i64::try_from(log_size).expect("small"))
                .expect("in range"),
        })
    }

    fn answers(findings: Vec<Finding>) -> Vec<Answer> {
        let names = ["usb", "nas", "cloud", "spare"];
        let answer =
            |(name, finding): (&str, Finding)| Answer { name: name.parse().expect("a name"), finding };
        names.into_iter().zip(findings).map(answer).collect()
    }

    fn shown(answers: &[Answer], at: usize) -> &Holding {
        match &answers[at].finding {
            Finding::Holds(holding) => holding,
            other => panic!("{other:?} holds nothing"),
        }
    }

    #[test]
    fn the_freshest_replica_is_read_first() {
        let unreachable = || Finding::Unreachable("no answer".to_owned());
        let cases = [
            (vec![holds(3, "a"), holds(5, "a"), holds(4, "a")], vec![1, 2, 0]),
            (vec![holds(5, "a"), holds(5, "a")], vec![0, 1]),
            (vec![unreachable(), holds(1, "a"), Finding::Damaged("x".to_owned())], vec![1]),
            (vec![unreachable()], vec![]),
        ];
        for (findings, expected) in cases {
            assert_eq!(reading_order(&answers(findings.clone())), expected, "{findings:?}");
        }
    }

    #[test]
    fn what_verification_found_is_said_with_every_problem() {
        use VerificationLevel::{Bad, Good, Warning};
        let damaged = || Finding::Damaged("a digest is wrong".to_owned());
        let unreachable = || Finding::Unreachable("no answer within 10 seconds".to_owned());
        let cases: Vec<(Vec<Finding>, VerificationLevel, &str, Vec<&str>)> = vec![
            (vec![holds(5, "a"); 3], Good, "Verified: 3 of 3 copies agree", vec![]),
            (vec![holds(5, "a")], Good, "Verified: the only copy asked", vec![]),
            (
                vec![holds(5, "a"), unreachable(), holds(5, "a")],
                Warning,
                "Verified: 2 of 3 copies agree",
                vec!["Copy nas cannot be reached: no answer within 10 seconds."],
            ),
            (
                vec![holds(5, "a"), damaged(), holds(4, "a")],
                Warning,
                "Verified: 1 of 3 copies agree",
                vec!["Copy nas is damaged: a digest is wrong.", "Copy cloud is older: as of "],
            ),
            (
                vec![holds(5, "a"), holds(5, "b")],
                Bad,
                "THE COPIES CONTRADICT EACH OTHER",
                vec!["Copy nas shows another history"],
            ),
        ];
        for (findings, level, sentence, problems) in cases {
            let answers = answers(findings);
            let found = verification(&answers, shown(&answers, 0), KeyOrigin::Given);
            assert_eq!((found.level, found.sentence.as_str()), (level, sentence));
            assert_eq!(found.problems.len(), problems.len(), "{:?}", found.problems);
            for (found, expected) in found.problems.iter().zip(problems) {
                assert!(found.starts_with(expected), "{found}");
            }
        }
    }

    #[test]
    fn a_copy_in_which_a_fault_was_found_is_never_called_verified() {
        let found = answers(vec![holds(5, "a"), holds(5, "a")]);
        let shown = shown(&found, 0);
        let damaged = || Finding::Damaged("a digest is wrong".to_owned());
        for findings in [vec![damaged()], vec![damaged(), damaged()]] {
            let found = verification(&answers(findings), shown, KeyOrigin::Given);
            assert!(found.sentence.starts_with("NOT WHOLE"), "{}", found.sentence);
            assert_eq!(found.level, VerificationLevel::Warning);
        }
    }

    #[test]
    fn a_key_that_came_from_the_replica_never_looks_fully_verified() {
        let answers = answers(vec![holds(5, "a"); 2]);
        let found = verification(&answers, shown(&answers, 0), KeyOrigin::Replica);
        assert_eq!(found.level, VerificationLevel::Warning);
        assert!(found.problems[0].starts_with("Origin not proved"));
    }

    #[test]
    fn the_replica_that_is_read_is_listed_first() {
        let answers = answers(vec![holds(4, "a"), Finding::Damaged("x".to_owned()), holds(5, "a")]);
        let listed = lines(&answers, shown(&answers, 2), 2);
        let roles: Vec<_> = listed.iter().map(|line| (line.name.as_str(), line.role.as_str())).collect();
        assert_eq!(roles, [("cloud", "Being read"), ("usb", "Older"), ("nas", "Damaged")]);
    }
}
