//! Builds the byte store behind a replica, with its time limits.
//!
//! Folders are read through `object_store` and written through [`crate::durable`] alone, so that file systems
//! without hard links work and files are private. S3 requests carry SHA-256 checksums; creating is conditional.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};

use crate::error::ReadError;
use crate::location::{ReplicaLocation, ReplicaName, ReplicaOptions, ReplicaUrl};

/// How long an operation may take before a single byte counts.
const OPERATION_TIME_BASE: Duration = Duration::from_secs(45);

/// The slowest store that is waited for.
const STORE_SPEED_MIN_BYTES_PER_SECOND: u64 = 64 * 1024;

/// How long to wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a single HTTP request may take; the largest pack fits at the slowest speed.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(180);

/// How often a request is tried again within one operation; the callers' own retries have no such limit.
const RETRIES_MAX: usize = 4;

/// How long one operation keeps trying again.
const RETRY_TIME_MAX: Duration = Duration::from_secs(40);

/// The byte store of one replica.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// Reads all replicas and writes those that are not folders.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder of a local replica, which is written durably file by file.
    pub(crate) folder: Option<PathBuf>,
}

impl Store {
    /// Opens the store at a location; a folder must exist.
    pub(crate) fn open(replica: &ReplicaName, location: &ReplicaLocation) -> Result<Self, ReadError> {
        let setup = |source| ReadError::Setup { replica: replica.clone(), source: Box::new(source) };
        location.check().map_err(|source| ReadError::Location { replica: replica.clone(), source })?;
        match &location.url {
            ReplicaUrl::Folder(path) => {
                if !path.is_dir() {
                    return Err(ReadError::FolderMissing { replica: replica.clone(), path: path.clone() });
                }
                let objects = LocalFileSystem::new_with_prefix(path).map_err(setup)?.with_fsync(true);
                Ok(Self { objects: Arc::new(objects), folder: Some(path.clone()) })
            }
            ReplicaUrl::S3 { bucket, prefix } => {
                let s3 = s3_builder(bucket, &location.options).map_err(setup)?.build().map_err(setup)?;
                let objects: Arc<dyn ObjectStore> = if prefix.is_empty() {
                    Arc::new(s3)
                } else {
                    Arc::new(PrefixStore::new(s3, prefix.as_str()))
                };
                Ok(Self { objects, folder: None })
            }
        }
    }
}

fn s3_builder(bucket: &str, options: &ReplicaOptions) -> object_store::Result<AmazonS3Builder> {
    let mut client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIME_MAX)
        .with_timeout(REQUEST_TIME_MAX)
        .with_allow_http(options.allow_http.unwrap_or(false));
    if let Some(proxy) = &options.proxy {
        client = client.with_proxy_url(proxy.expose());
    }
    if let Some(pem) = &options.ca_pem {
        for certificate in Certificate::from_pem_bundle(pem.as_bytes())? {
            client = client.with_root_certificate(certificate);
        }
    }
    let mut s3 = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry())
        .with_bucket_name(bucket)
        .with_region(options.region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(!options.path_style.unwrap_or(true))
        .with_checksum_algorithm(Checksum::SHA256)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    if let Some(endpoint) = &options.endpoint {
        s3 = s3.with_endpoint(endpoint);
    }
    if let (Some(access), Some(secret)) = (&options.access_key, &options.secret_key) {
        s3 = s3.with_access_key_id(access.expose()).with_secret_access_key(secret.expose());
    }
    if let Some(token) = &options.session_token {
        s3 = s3.with_token(token.expose());
    }
    Ok(s3)
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIME_MAX,
    }
}

/// Returns how long an operation that moves some bytes may take.
pub(crate) fn time_allowed(bytes: u64) -> Duration {
    OPERATION_TIME_BASE + Duration::from_secs(bytes / STORE_SPEED_MIN_BYTES_PER_SECOND)
}

/// Runs an operation within its time; `None` when it took longer.
pub(crate) async fn within<T>(time: Duration, operation: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, operation).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_allowed_grows_with_the_object() {
        assert_eq!(time_allowed(0), OPERATION_TIME_BASE);
        assert_eq!(time_allowed(8 << 20), OPERATION_TIME_BASE + Duration::from_secs(128));
    }

    #[test]
    fn an_s3_location_makes_a_store_without_touching_the_network() {
        let location: ReplicaLocation = serde_json::from_str(
            r#"{"url":"s3://bucket/a","options":{"endpoint":"http://127.0.0.1:1","allow_http":true,
                "access_key":"a","secret_key":"b"}}"#,
        )
        .unwrap();
        let store = Store::open(&"cloud".parse().unwrap(), &location).unwrap();
        assert!(store.folder.is_none());
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error_of_the_operator() {
        let error =
            Store::open(&"usb".parse().unwrap(), &ReplicaLocation::folder("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.class(), crate::error::ErrorClass::Operator);
        assert_eq!(error.to_string(), "open replica usb: folder /nowhere/at/all does not exist");
    }
}
