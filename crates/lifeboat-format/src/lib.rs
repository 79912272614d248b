//! What the stored bytes of Lifeboat mean: ids and object keys, record blobs, packs, index, manifest, log,
//! checkpoint and `HEAD`, and how to seal and open them.
//!
//! `docs/FORMAT.md` is the normative description; this crate is its reference. Nothing here reads a clock, a file
//! or a network: bytes come in and go out. Everything that is read is taken to be hostile: sizes are compared with
//! limits before anything is allocated, and each of the format's own documents has one strict reading.

mod blob;
mod dictionary;
mod epoch;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod hex;
mod ids;
mod index;
mod json;
mod key;
mod kit;
pub mod log;
mod lookup;
mod manifest;
mod note;
mod pack;
mod padding;
mod person;
mod recover;
mod sealed;
mod site;
mod text;

pub use blob::{OpenError, Opener, RECORD_BYTES_MAX, RECORD_LEVEL, SealError, Sealer, blob_bytes_max};
pub use dictionary::{
    DICTIONARY_BYTES_MAX, DICTIONARY_SAMPLES_MIN, DICTIONARY_TRAINED_BYTES, Dictionary, DictionaryError,
    SEALED_DICTIONARY_BYTES_MAX, SealedDictionary,
};
pub use epoch::{
    EPOCH_RECIPIENTS_MAX, EPOCH_SECRET_BYTES_MAX, EpochError, EpochIdentity, EpochRecipient, EpochSecret,
    generate_epoch, open_epoch_secret, open_epoch_secret_with_passphrase, seal_epoch_secret,
    seal_epoch_secret_with_passphrase,
};
pub use frame::{FrameError, WINDOW_BYTES_MAX};
pub use head::{HEAD_BYTES_MAX, Head, HeadError, INCLUSION_HASHES_MAX, VerifiedHead};
pub use ids::{
    DictId, Digest, EpochNumber, IdError, IndexId, KeyPrefix, ManifestId, PackId, PackPrefix, RecordKey,
    Sequence, SiteCode,
};
pub use index::{
    BuildIndexError, DIRECTORY_ROW_BYTES_MAX, Died, DirectoryRoot, DirectoryRow, FinishedIndex,
    INDEX_PART_BYTES_MAX, INDEX_PART_CONTENT_BYTES_MAX, IndexBuilder, IndexContent, LocatorChange,
    LocatorPlace, LocatorRow, OpenPartError, PartEntry, PartKind, PartRows, RecordKind, build_index,
    directory_parts_for_name, find_locator, locator_part_for, merge_directory, merge_locators,
    open_directory_part, open_locator_part, open_part, open_root_part, sort_name,
};
pub use key::{KeyError, ObjectKey, TileId, WriteStage};
pub use kit::{
    KIT_BYTES_MAX, KIT_EXTENSION, KIT_REPLICAS_MAX, KIT_VERSION, Kit, KitError, KitOptions, KitReplica,
};
pub use lookup::{LookupKey, RandomnessError, RecordName};
pub use manifest::{
    AcceptedEntry, Counts, DictEntry, EpochEntry, FORMAT_VERSION, FeedEntry, FileEntry,
    GATE_DETAIL_BYTES_MAX, GATE_REASONS_MAX, Gate, GateReason, INDEX_PARTS_MAX, IndexEntry, Indexes, Limits,
    MANIFEST_BYTES_MAX, MANIFEST_DICTS_MAX, MANIFEST_PACKS_MAX, Manifest, ManifestError, PackEntry, Quality,
    RELEASED, SHORT_TEXT_BYTES_MAX, SectionCount, Verdict,
};
pub use note::{
    Checkpoint, KEY_NAME_BYTES_MAX, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteKeyError, SigningKey,
    SigningKeyError, VerificationKey, open_checkpoint, sign_checkpoint,
};
pub use pack::{BlobPlace, FinishedPack, PACK_BYTES_MAX, PackBuilder};
pub use padding::padded_length;
pub use person::{
    IDENTITY_FILE_BYTES_MAX, Identity, Passphrase, PersonKeyError, Recipient, WORK_FACTOR_DEFAULT,
    WORK_FACTOR_MAX,
};
pub use recover::recover_text;
pub use sealed::{AGE_OVERHEAD_BYTES_MAX, AgeOpenError, AgeSealError};
pub use site::{NAME_BYTES_MAX, SITE_BYTES_MAX, SiteDescription, SiteError};
