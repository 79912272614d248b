//! A byte store in memory that fails when a test says so: before or after a put, in a get, or in a listing.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The put fails and nothing lands.
    PutNothing,
    /// The put fails and the object lands all the same.
    PutLandsUnconfirmed,
    /// The store says that the object exists although nothing landed.
    PutSaysExists,
    /// The store confirms a put of which it lost the second half.
    PutLosesHalf,
    /// The store knows no conditional put.
    CreateUnknown,
    /// The get fails.
    Get,
    /// The get ends early.
    GetTruncated,
    /// The object is missing from listings.
    Unlisted,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    keys: String,
    times: u32,
}

/// A store in memory with faults.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultStore {
    inner: Arc<InMemory>,
    plan: Arc<Mutex<Vec<Planned>>>,
}

impl FaultStore {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Plans a fault for the next `times` uses of keys that contain a text.
    pub(crate) fn plan(&self, fault: Fault, keys: &str, times: u32) {
        self.plan.lock().unwrap().push(Planned { fault, keys: keys.to_owned(), times });
    }

    /// Says whether every planned fault has happened.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.plan.lock().unwrap().iter().all(|planned| planned.times == 0)
    }

    /// Overwrites an object behind everybody's back.
    pub(crate) async fn tamper(&self, key: &str, bytes: &[u8]) {
        self.inner.put(&Path::from(key), PutPayload::from(bytes.to_vec())).await.unwrap();
    }

    /// Removes an object behind everybody's back.
    pub(crate) async fn lose(&self, key: &str) {
        self.inner.delete(&Path::from(key)).await.unwrap();
    }

    /// Reads an object behind everybody's back.
    pub(crate) async fn peek(&self, key: &str) -> Option<Bytes> {
        self.inner.get(&Path::from(key)).await.ok()?.bytes().await.ok()
    }

    fn strikes(&self, fault: Fault, location: &Path) -> bool {
        let mut plan = self.plan.lock().unwrap();
        let planned = plan.iter_mut().find(|planned| {
            planned.fault == fault && planned.times > 0 && location.as_ref().contains(&planned.keys)
        });
        match planned {
            Some(planned) => {
                planned.times -= 1;
                true
            }
            None => false,
        }
    }

    async fn put_with_faults(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode == object_store::PutMode::Create {
            if self.strikes(Fault::CreateUnknown, location) {
                return Err(object_store::Error::NotImplemented {
                    operation: "create".to_owned(),
                    implementer: self.to_string(),
                });
            }
            if self.strikes(Fault::PutSaysExists, location) {
                return Err(object_store::Error::AlreadyExists {
                    path: location.to_string(),
                    source: "planned".into(),
                });
            }
        }
        if self.strikes(Fault::PutNothing, location) {
            return Err(planned_failure());
        }
        if self.strikes(Fault::PutLosesHalf, location) {
            let whole: Bytes = payload.into();
            return self.inner.put_opts(location, whole.slice(..whole.len() / 2).into(), options).await;
        }
        let unconfirmed = self.strikes(Fault::PutLandsUnconfirmed, location);
        let result = self.inner.put_opts(location, payload, options).await;
        if unconfirmed { Err(planned_failure()) } else { result }
    }

    async fn get_with_faults(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.strikes(Fault::Get, location) {
            return Err(planned_failure());
        }
        let mut result = self.inner.get_opts(location, options).await?;
        if self.strikes(Fault::GetTruncated, location) {
            let (range, meta) = (result.range.clone(), result.meta.clone());
            let bytes = result.bytes().await?;
            let part = bytes.slice(..bytes.len() / 2);
            result = self.inner.get(location).await?;
            result.payload = GetResultPayload::Stream(futures::stream::iter([Ok(part)]).boxed());
            result.range = range;
            result.meta = meta;
        }
        Ok(result)
    }
}

fn planned_failure() -> object_store::Error {
    object_store::Error::Generic { store: "FaultStore", source: "planned failure".into() }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

// The trait is written with `async_trait`; these are the signatures that it makes.
impl ObjectStore for FaultStore {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'c, Result<PutResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.put_with_faults(location, payload, options))
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'c, Result<Box<dyn MultipartUpload>>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.inner.put_multipart_opts(location, options)
    }

    fn get_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: GetOptions,
    ) -> BoxFuture<'c, Result<GetResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.get_with_faults(location, options))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let shown = move |meta: &Result<ObjectMeta>| {
            let hidden = meta.as_ref().is_ok_and(|meta| store.strikes(Fault::Unlisted, &meta.location));
            futures::future::ready(!hidden)
        };
        self.inner.list(prefix).filter(shown).boxed()
    }

    fn list_with_delimiter<'a, 'b, 'c>(
        &'a self,
        prefix: Option<&'b Path>,
    ) -> BoxFuture<'c, Result<ListResult>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.inner.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'd, 'c>(
        &'a self,
        from: &'b Path,
        to: &'d Path,
        options: CopyOptions,
    ) -> BoxFuture<'c, Result<()>>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        self.inner.copy_opts(from, to, options)
    }
}
