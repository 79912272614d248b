//! Hashes stored objects without holding them: files in large blocks on blocking threads, other objects as they come.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use futures::StreamExt as _;
use lifeboat_format::{Digest, ObjectKey};
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};

use crate::error::ReadError;
use crate::reader::{Reader, path_of};
use crate::store::{time_allowed, within};

/// How much of a file is read at once; it stays within a core's cache while it is hashed.
const BLOCK_BYTES: usize = 256 * 1024;

impl Reader {
    /// Returns the digest of an object that must have exactly the given size.
    pub async fn digest(&self, key: &ObjectKey, size: u64) -> Result<Digest, ReadError> {
        self.count_request();
        match self.file_of(key) {
            Some(path) => self.digest_of_file(key, path, size).await,
            None => {
                let time = time_allowed(size);
                within(time, self.digest_of_stream(key, size)).await.unwrap_or_else(|| {
                    Err(ReadError::ReadTimeout {
                        replica: self.name().clone(),
                        key: *key,
                        seconds: time.as_secs(),
                    })
                })
            }
        }
    }

    async fn digest_of_file(&self, key: &ObjectKey, path: PathBuf, size: u64) -> Result<Digest, ReadError> {
        let hashed = tokio::task::spawn_blocking(move || hash_file(&path, size)).await;
        match hashed {
            Ok(Ok(Hashed::Whole(digest))) => {
                self.count_bytes(size);
                Ok(digest)
            }
            Ok(Ok(Hashed::OtherSize(found))) => Err(self.short(key, found, size)),
            Ok(Err(error)) => Err(self.file_error(key, error)),
            Err(source) => Err(ReadError::Background { replica: self.name().clone(), source }),
        }
    }

    async fn digest_of_stream(&self, key: &ObjectKey, size: u64) -> Result<Digest, ReadError> {
        let failed = |source| self.read_error(key, source);
        let answer = self.objects().get(&path_of(key)).await.map_err(failed)?;
        if answer.meta.size != size {
            return Err(self.short(key, answer.meta.size, size));
        }
        let mut stream = answer.into_stream();
        let (mut hash, mut received) = (Sha256::new(), 0);
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(failed)?;
            received += chunk.len() as u64;
            hash.update(&chunk);
        }
        self.count_bytes(received);
        if received == size { Ok(finish(hash)) } else { Err(self.short(key, received, size)) }
    }
}

enum Hashed {
    Whole(Digest),
    OtherSize(u64),
}

fn hash_file(path: &std::path::Path, size: u64) -> io::Result<Hashed> {
    let mut file = File::open(path)?;
    let found = file.metadata()?.len();
    if found != size {
        return Ok(Hashed::OtherSize(found));
    }
    let block = usize::try_from(size).unwrap_or(BLOCK_BYTES).clamp(1, BLOCK_BYTES);
    let mut block = vec![0; block];
    let (mut hash, mut read) = (Sha256::new(), 0);
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(count) => {
                hash.update(&block[..count]);
                read += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(if read == size { Hashed::Whole(finish(hash)) } else { Hashed::OtherSize(read) })
}

fn finish(hash: Sha256) -> Digest {
    Digest::from_bytes(hash.finalize().into())
}
