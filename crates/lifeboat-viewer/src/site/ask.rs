//! Asks all replicas at once what they hold.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use lifeboat_format::log::Entry;
use lifeboat_format::{
    Manifest, ManifestId, ObjectKey, SITE_BYTES_MAX, SiteCode, SiteDescription, VerificationKey, VerifiedHead,
};
use lifeboat_replica::{Choice, ErrorClass, ReadError, Reader, ReplicaName, newest};
use tokio::time::Instant;

use super::source::NamedReplica;
use super::standing::{Answer, Finding, Holding};
use crate::age::{AgeLimits, CopyAge, show_instant};
use crate::pages::unlock::FoundReplica;

/// The longest that a replica is waited for.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// The longest that the others are waited for once one has answered well.
pub(crate) const OTHERS_TIME_MAX: Duration = Duration::from_secs(3);

/// What one replica answered, with what is needed to read on.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) answer: Answer,
    pub(crate) reader: Option<Reader>,
    pub(crate) head: Option<VerifiedHead>,
}

impl Asked {
    /// Describes what the replica holds as the reader chose to see it.
    pub(crate) fn see(&mut self, choice: Choice) {
        if let (Some(head), Finding::Holds(_)) = (&self.head, &self.answer.finding) {
            self.answer.finding = Finding::Holds(holding(head, choice));
        }
    }

    /// Makes the answer of a replica that the kit names in a way that this version cannot follow.
    pub(crate) fn not_understood(name: ReplicaName) -> Self {
        let why = "this version does not understand where the kit says that it is".to_owned();
        Self { answer: Answer { name, finding: Finding::Unreachable(why) }, reader: None, head: None }
    }
}

/// The snapshot that a head leads to: the newest accepted one, unless the reader chose the newest of all or none ever
/// was accepted.
pub(crate) fn shown(head: &VerifiedHead, choice: Choice) -> (ManifestId, &Manifest) {
    let newest = (head.manifest_id, &head.manifest);
    match choice {
        Choice::Accepted => head.accepted_snapshot().unwrap_or(newest),
        Choice::Newest => newest,
    }
}

/// Returns the signed instant as of which a head's shown snapshot holds: a heartbeat confirms it anew.
pub(crate) fn as_of(head: &VerifiedHead, choice: Choice) -> Timestamp {
    let (id, manifest) = shown(head, choice);
    match &head.entry {
        Entry::Heartbeat { time, manifest: named, source_time, .. } if *named == id => {
            source_time.unwrap_or(*time)
        }
        _ => manifest.source_time.unwrap_or(manifest.taken),
    }
}

/// Asks every replica; answers come in the order of the replicas, late ones as unreachable.
pub(crate) async fn all(
    replicas: &[NamedReplica],
    key: Option<&VerificationKey>,
    site: Option<&SiteCode>,
) -> Vec<Asked> {
    let mut asking: FuturesUnordered<_> = replicas
        .iter()
        .enumerate()
        .map(|(at, replica)| async move { (at, one(replica, key, site).await) })
        .collect();
    let mut answers: Vec<Option<Asked>> = replicas.iter().map(|_| None).collect();
    let mut until = Instant::now() + ANSWER_TIME_MAX;
    while let Ok(Some((at, asked))) = tokio::time::timeout_at(until, asking.next()).await {
        if asked.head.is_some() {
            until = until.min(Instant::now() + OTHERS_TIME_MAX);
        }
        answers[at] = Some(asked);
    }
    let late = |replica: &NamedReplica| Asked {
        answer: Answer {
            name: replica.name.clone(),
            finding: Finding::Unreachable("it did not answer in time".to_owned()),
        },
        reader: None,
        head: None,
    };
    replicas.iter().zip(answers).map(|(replica, asked)| asked.unwrap_or_else(|| late(replica))).collect()
}

/// Asks the replicas and describes each in words, for the page before unlocking.
pub(crate) async fn describe(
    replicas: &[NamedReplica],
    key: Option<&VerificationKey>,
    now: Timestamp,
) -> Vec<FoundReplica> {
    let describe = |asked: Asked| {
        let state = match asked.answer.finding {
            Finding::Holds(holding) => {
                let age = CopyAge::at(now, holding.as_of, &AgeLimits::default());
                format!("As of {} — {}", show_instant(holding.as_of), age.words)
            }
            Finding::Damaged(why) | Finding::Unusable(why) => format!("Damaged: {why}"),
            Finding::Unreachable(why) => format!("Cannot be reached: {why}"),
        };
        FoundReplica { name: asked.answer.name.to_string(), state }
    };
    all(replicas, key, None).await.into_iter().map(describe).collect()
}

async fn one(replica: &NamedReplica, key: Option<&VerificationKey>, site: Option<&SiteCode>) -> Asked {
    let answer = |finding| Answer { name: replica.name.clone(), finding };
    let reader = match Reader::open(replica.name.clone(), &replica.location) {
        Ok(reader) => reader,
        Err(error) => return Asked { answer: answer(finding_of(&error)), reader: None, head: None },
    };
    let head = match key {
        Some(key) => newest(&reader, key).await,
        None => newest_by_own_word(&reader).await,
    };
    let (finding, head) = match head {
        Ok(head) if site.is_some_and(|site| *site != head.manifest.site) => {
            (Finding::Damaged("it belongs to another site".to_owned()), None)
        }
        Ok(head) => (Finding::Holds(holding(&head, Choice::Accepted)), Some(head)),
        Err(error) => (finding_of(&error), None),
    };
    Asked { answer: answer(finding), reader: Some(reader), head }
}

pub(crate) fn holding(head: &VerifiedHead, choice: Choice) -> Holding {
    let (snapshot, manifest) = shown(head, choice);
    Holding {
        log_size: head.checkpoint.size,
        log_root: head.checkpoint.root,
        snapshot,
        sequence: manifest.sequence,
        as_of: as_of(head, choice),
    }
}

/// Verifies a replica against the key that it carries itself.
async fn newest_by_own_word(reader: &Reader) -> Result<VerifiedHead, ReadError> {
    newest(reader, &description(reader).await?.verification_key).await
}

async fn description(reader: &Reader) -> Result<SiteDescription, ReadError> {
    let bytes = reader.object(&ObjectKey::Site, SITE_BYTES_MAX as u64).await?;
    SiteDescription::parse(&bytes).map_err(|source| ReadError::Invalid {
        replica: reader.name().clone(),
        key: ObjectKey::Site,
        source: Box::new(source),
    })
}

/// Returns the practice's name as a replica gives it; it is not signed, so it only ever stands beside the code.
pub(crate) async fn name(asked: &Asked, head: &VerifiedHead) -> Option<String> {
    let described = tokio::time::timeout(OTHERS_TIME_MAX, description(asked.reader.as_ref()?)).await;
    let description = described.ok()?.ok()?;
    (description.site == head.manifest.site).then_some(description.name)
}

/// Classes a failure for the reader of a page; the text names objects, never patients.
pub(crate) fn finding_of(error: &ReadError) -> Finding {
    match error {
        ReadError::FolderMissing { path, .. } => {
            Finding::Unreachable(format!("the folder {} is not there", path.display()))
        }
        ReadError::ReadTimeout { .. } | ReadError::ListTimeout { .. } => {
            Finding::Unreachable("it did not answer in time".to_owned())
        }
        ReadError::Missing { key, .. } => Finding::Damaged(format!("{key} is missing")),
        ReadError::NoSnapshot { .. } => Finding::Damaged("it holds no snapshot yet".to_owned()),
        ReadError::NoCheckpoint { .. } => {
            Finding::Damaged("it holds nothing that this site's key has signed".to_owned())
        }
        ReadError::Digest { key, .. } => {
            Finding::Damaged(format!("the bytes of {key} are not the right ones"))
        }
        ReadError::Short { key, .. } => Finding::Damaged(format!("{key} is cut short")),
        ReadError::Invalid { key, source, .. } => {
            Finding::Damaged(format!("{key} fails its check ({source})"))
        }
        ReadError::Contradiction { key, problem, .. } => Finding::Damaged(format!("{key}: {problem}")),
        ReadError::Unlock { .. } => Finding::Damaged("its keys do not open with what was given".to_owned()),
        error => match error.class() {
            ErrorClass::Corrupt => Finding::Damaged(error.to_string()),
            _ => Finding::Unreachable(error.to_string()),
        },
    }
}
