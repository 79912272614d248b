//! What could not be read, where it stands, and why, in words that name no patient.
//!
//! A [`Problem`] never stops the reading of anything else. Its text holds places, sizes, FHIR type
//! names and codes from closed lists, never a value from a record, so that it may be logged and shown.

use std::fmt;
use std::io;

use serde::Serialize;

use crate::fhir::ResourceType;

/// Names the place of a document or of a resource inside an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line of the input on which the document begins, from 1, when the input holds several.
    pub line: Option<u64>,
    /// The entry of the Bundle (or of the list), from 1.
    pub entry: Option<u32>,
    /// The type of the resource.
    pub resource: Option<ResourceType>,
}

impl Place {
    /// Returns the place of a document that begins on `line`.
    pub fn at_line(line: u64) -> Self {
        Self { line: Some(line), ..Self::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            separator = ", ";
        }
        if let Some(entry) = self.entry {
            write!(f, "{separator}entry {entry}")?;
            separator = ", ";
        }
        if let Some(resource) = self.resource {
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}

/// Something in an input that could not be read, or could be read only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error, Serialize)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// Why it could not be read.
    pub reason: Reason,
}

impl Problem {
    /// Returns a problem of a whole input or document.
    pub fn whole(reason: Reason) -> Self {
        Self { place: Place::default(), reason }
    }

    /// Returns the same problem with the line of the document in which it was found.
    #[must_use]
    pub fn within(mut self, document: Place) -> Self {
        self.place.line = self.place.line.or(document.line);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place == Place::default() {
            return self.reason.fmt(f);
        }
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// A kind of file that is not read, and what it is called in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignKind {
    /// A zip archive, or an office document, which is one.
    Zip,
    /// A tar archive.
    Tar,
    /// A 7-Zip archive.
    SevenZip,
    /// A file encrypted with age.
    Age,
    /// A file encrypted with OpenPGP.
    Pgp,
    /// FHIR as XML.
    FhirXml,
    /// A CDA document.
    Cda,
    /// A web page.
    Html,
    /// Any other XML.
    Xml,
    /// A PDF document.
    Pdf,
    /// Columns separated by commas, tabs or bars.
    Csv,
    /// Text in UTF-16.
    Utf16,
    /// Other text.
    Text,
    /// Anything else.
    Binary,
}

impl fmt::Display for ForeignKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "a zip archive; unpack it first",
            Self::Tar => "a tar archive; unpack it first",
            Self::SevenZip => "a 7-Zip archive; unpack it first",
            Self::Age => "encrypted with age; decrypt it first",
            Self::Pgp => "encrypted with OpenPGP; decrypt it first",
            Self::FhirXml => "FHIR as XML; this feed reads FHIR as JSON",
            Self::Cda => "a CDA document; this feed reads FHIR as JSON",
            Self::Html => "a web page; this feed reads FHIR as JSON",
            Self::Xml => "XML; this feed reads FHIR as JSON",
            Self::Pdf => "a PDF document; this feed reads FHIR as JSON",
            Self::Csv => "a table in text form (CSV); this feed reads FHIR as JSON",
            Self::Utf16 => "text in UTF-16; FHIR as JSON is UTF-8",
            Self::Text => "text that is not JSON",
            Self::Binary => "not text",
        })
    }
}

/// Why something could not be read, or could be read only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Reading the bytes failed.
    Unreadable(#[serde(serialize_with = "kind_text")] IoKind),
    /// There are no bytes, or only white space.
    Empty,
    /// The compressed data is damaged or ends early.
    DamagedCompression,
    /// The input is of a kind that is not read.
    Foreign(ForeignKind),
    /// The document is larger than the limit in bytes.
    DocumentTooLarge(u64),
    /// The line is longer than the limit in bytes.
    LineTooLong(u64),
    /// The input expands to more than the limit in bytes.
    ExpandsTooFar(u64),
    /// The text is not JSON from this place in the document.
    NotJson {
        /// Line within the document, from 1.
        line: u64,
        /// Column within the line, from 1.
        column: u64,
    },
    /// The JSON ends in the middle.
    CutShort,
    /// Characters that are not UTF-8 were replaced; the rest was read.
    NotUtf8,
    /// The values are nested more deeply than the limit.
    TooDeep(u32),
    /// A number is out of the range that JSON readers take.
    NumberOutOfRange,
    /// The document holds more resources than the limit.
    TooManyResources(u32),
    /// Bundles lie in Bundles more deeply than the limit.
    BundlesTooDeep,
    /// JSON, but no FHIR resource.
    NotFhir,
    /// The manifest of a Bulk Data export, which holds no resource.
    BulkManifest,
    /// FHIR of another version.
    OtherVersion(OtherVersion),
    /// The source answered with an error; the code is from FHIR's closed list.
    SourceError(Option<&'static str>),
    /// The Bundle's entry asks for something and holds no resource.
    EntryWithoutResource,
    /// The value in the place of a resource is not one.
    NotAResource,
    /// The resource names no patient, so it belongs to no record.
    NoPatient,
    /// The resource names a patient by a reference that only its own document can resolve, and who is
    /// not in it.
    PatientNotHere,
    /// The resource names a patient in a way that fits several.
    AmbiguousPatient,
    /// Resources of this type belong to no patient's record.
    NotPatientData,
    /// Two copies of one resource differ and neither is known to be newer; both are kept.
    CopiesDiffer,
    /// The item is larger than the limit in bytes and is not held in this copy.
    ItemTooLarge(u64),
    /// The record is larger than the limit in bytes; its largest items are not held in this copy.
    RecordTooLarge(u64),
    /// Items for a patient came without the patient's own details.
    NoPatientDetails,
    /// An appointment's patient is in no record.
    UnknownPatient,
}

/// The kind of an input error, as the standard library names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IoKind(pub io::ErrorKind);

fn kind_text<S: serde::Serializer>(kind: &IoKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&kind.0)
}

/// A version of FHIR that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherVersion {
    /// FHIR DSTU2 (1.0).
    Dstu2,
    /// FHIR STU3 (3.0), which GP Connect speaks.
    Stu3,
    /// FHIR R5 (5.0).
    R5,
}

impl fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dstu2 => "FHIR DSTU2",
            Self::Stu3 => "FHIR STU3",
            Self::R5 => "FHIR R5",
        })
    }
}

impl Reason {
    /// Says whether everything was read all the same and the reason only tells what was done.
    pub fn is_note(&self) -> bool {
        matches!(self, Self::NotUtf8 | Self::CopiesDiffer | Self::EntryWithoutResource | Self::BulkManifest)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(f, "could not be read ({})", kind.0),
            Self::Empty => f.write_str("empty"),
            Self::DamagedCompression => f.write_str("the compressed data is damaged or cut short"),
            Self::Foreign(kind) => kind.fmt(f),
            Self::DocumentTooLarge(limit) => {
                write!(f, "the document is larger than the limit of {limit} bytes")
            }
            Self::LineTooLong(limit) => {
                write!(f, "the line is longer than the limit of {limit} bytes")
            }
            Self::ExpandsTooFar(limit) => {
                write!(f, "expands to more than the limit of {limit} bytes")
            }
            Self::NotJson { line, column } => {
                write!(f, "not valid JSON at its line {line}, column {column}")
            }
            Self::CutShort => f.write_str("ends in the middle; it was cut short"),
            Self::NotUtf8 => f.write_str("some characters are not valid UTF-8 and are shown as \u{fffd}"),
            Self::TooDeep(limit) => write!(f, "nested more than {limit} levels deep"),
            Self::NumberOutOfRange => f.write_str("holds a number out of range"),
            Self::TooManyResources(limit) => {
                write!(f, "holds more than the limit of {limit} resources")
            }
            Self::BundlesTooDeep => f.write_str("too many Bundles inside Bundles"),
            Self::NotFhir => f.write_str("JSON, but not a FHIR resource"),
            Self::BulkManifest => f.write_str("the manifest of a Bulk Data export, which holds no resource"),
            Self::OtherVersion(version) => {
                write!(f, "{version} is not supported by this feed, which reads R4")
            }
            Self::SourceError(Some(code)) => {
                write!(f, "the source answered with an error instead of data (OperationOutcome: {code})")
            }
            Self::SourceError(None) => {
                f.write_str("the source answered with an error instead of data (OperationOutcome)")
            }
            Self::EntryWithoutResource => f.write_str("the entry holds no resource"),
            Self::NotAResource => f.write_str("not a FHIR resource"),
            Self::NoPatient => f.write_str("names no patient"),
            Self::PatientNotHere => f.write_str("names a patient who is not in the document"),
            Self::AmbiguousPatient => f.write_str("names a patient in a way that fits several"),
            Self::NotPatientData => f.write_str("such resources are part of no patient's record"),
            Self::CopiesDiffer => {
                f.write_str("two copies differ and neither is known to be newer; both are kept")
            }
            Self::ItemTooLarge(limit) => {
                write!(f, "larger than the limit of {limit} bytes; not held in this copy")
            }
            Self::RecordTooLarge(limit) => write!(
                f,
                "the record is larger than the limit of {limit} bytes; its largest items are not held in this copy"
            ),
            Self::NoPatientDetails => f.write_str("the patient's own details are missing"),
            Self::UnknownPatient => f.write_str("the appointment's patient is in no record"),
        }
    }
}
