//! Writes damaged or missing objects again, from any replica that has them whole.
//!
//! A verification says what an object should be: its digest, as signed bytes name it. Only an object that matches is
//! written, whoever delivers it, so no source needs to be trusted.

use lifeboat_format::{Digest, ObjectKey};

use crate::error::{ReadError, WriteError};
use crate::newest::from_first;
use crate::reader::Reader;
use crate::replicate::ReplicateFailure;
use crate::replicate::copy::read_checked;
use crate::verify::Finding;
use crate::writer::Writer;

/// What a repair did.
#[derive(Debug, Default)]
pub struct RepairReport {
    /// Objects that were written again.
    pub repaired: Vec<ObjectKey>,
    /// Objects that could not be.
    pub failures: Vec<ReplicateFailure>,
    /// Objects of which no signed bytes say what they should be; copying with a full listing puts `HEAD` and tiles
    /// right.
    pub left: Vec<ObjectKey>,
}

/// Repairs what a verification found damaged or missing, from the first source that has it whole.
pub async fn repair(to: &Writer, sources: &[Reader], findings: &[Finding]) -> RepairReport {
    let mut report = RepairReport::default();
    for Finding { object, expected, .. } in findings {
        let Some(key) = *object else { continue };
        let Some(expected) = expected else {
            report.left.push(key);
            continue;
        };
        match repair_object(to, sources, key, *expected).await {
            Ok(()) => report.repaired.push(key),
            Err(source) => report.failures.push(ReplicateFailure { key, source }),
        }
    }
    report
}

async fn repair_object(
    to: &Writer,
    sources: &[Reader],
    key: ObjectKey,
    expected: Digest,
) -> Result<(), WriteError> {
    let sources: Vec<&Reader> = sources.iter().collect();
    if sources.is_empty() {
        return Err(ReadError::Missing { replica: to.name().clone(), key }.into());
    }
    let bytes = from_first(&sources, |source| async move {
        // The digest alone decides; the size is only asked in order to read no more than there is.
        let size = source.size(&key).await?.ok_or_else(|| source.missing(&key))?;
        read_checked(source, key, size, expected).await
    });
    to.overwrite(&key, bytes.await?).await
}
