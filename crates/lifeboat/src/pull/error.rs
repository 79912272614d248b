//! Why records could not be pulled, and what to do about it.
//!
//! A text here names the step, the server's origin, types of resources, numbers and limits: never a path below the base, a
//! query, an id or anything from an answer, for those can name patients.

use std::fmt;
use std::time::Duration;

use lifeboat_feeds::Problem;
use lifeboat_replica::{Cause, ErrorClass};
use reqwest::StatusCode;

use crate::keys::{SecretError, SecretSource};

/// What was being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reading what the server can do.
    Capabilities,
    /// Reading where tokens are to be had.
    Discovery,
    /// Getting a token.
    Token,
    /// Starting an export.
    StartExport,
    /// Asking how far an export is, and reading its manifest.
    AwaitExport,
    /// Reading a file of an export.
    ReadPart(String),
    /// Telling the server that an export is no longer needed.
    EndExport,
    /// Searching for resources of a type.
    Search(String),
    /// Fetching one patient by an operation.
    FetchPatient(&'static str),
    /// Searching for a day window's appointments.
    Appointments,
    /// Reading what was deleted.
    History,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Capabilities => f.write_str("reading what the server can do (/metadata)"),
            Step::Discovery => f.write_str("reading .well-known/smart-configuration"),
            Step::Token => f.write_str("getting an access token"),
            Step::StartExport => f.write_str("starting the export ($export)"),
            Step::AwaitExport => f.write_str("asking for the export's result"),
            Step::ReadPart(kind) => write!(f, "reading the export's {kind} file"),
            Step::EndExport => f.write_str("ending the export"),
            Step::Search(kind) => write!(f, "searching for {kind}"),
            Step::FetchPatient(how) => write!(f, "fetching a patient ({how})"),
            Step::Appointments => f.write_str("searching for appointments"),
            Step::History => f.write_str("reading what was deleted (/_history)"),
        }
    }
}

/// Why records could not be pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The address is not that of a server.
    #[error("{origin} cannot be a FHIR server's base address: {why}")]
    Address {
        /// Scheme, host and port.
        origin: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Credentials and records would travel without encryption.
    #[error("{origin} is plain http: records and credentials would travel unencrypted")]
    PlainHttp {
        /// Scheme, host and port.
        origin: String,
    },
    /// The certificate authority or the proxy cannot be used.
    #[error("the connection cannot be prepared: the {what} cannot be used")]
    Client {
        /// Which setting.
        what: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// A credential cannot be read.
    #[error("a credential of the FHIR server cannot be used")]
    Credential(#[from] SecretError),
    /// The credential cannot be sent.
    #[error("the {what} holds characters that cannot be sent")]
    CredentialText {
        /// Which.
        what: &'static str,
    },
    /// The private key is not one that can be used.
    #[error("the client key in {from} cannot be used: {why}")]
    ClientKey {
        /// Where it comes from.
        from: SecretSource,
        /// Why.
        why: &'static str,
    },
    /// The assertion cannot be signed.
    #[error("the client assertion cannot be signed")]
    Sign,
    /// The token endpoint refuses us.
    #[error("the token endpoint refuses ({status}{})", .code.map(|code| format!(", {code}")).unwrap_or_default())]
    TokenRefused {
        /// The answer.
        status: StatusCode,
        /// The reason, from OAuth's closed list.
        code: Option<&'static str>,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("{step}: {origin} cannot be reached or broke off")]
    Connection {
        /// What was being done.
        step: Step,
        /// Scheme, host and port.
        origin: String,
        /// Why, without the address.
        source: reqwest::Error,
    },
    /// The server is busy or in trouble, and stayed so.
    #[error("{step}: the server answers {status}")]
    Busy {
        /// What was being done.
        step: Step,
        /// The answer.
        status: StatusCode,
    },
    /// The server does not take our credentials.
    #[error("{step}: the server does not accept the credentials (401)")]
    Unauthorised {
        /// What was being done.
        step: Step,
    },
    /// The server refuses.
    #[error("{step}: the server refuses ({status})")]
    Refused {
        /// What was being done.
        step: Step,
        /// The answer.
        status: StatusCode,
    },
    /// The server sends us to another place.
    #[error("{step}: the server sends us to {to}, which is not the configured server")]
    Elsewhere {
        /// What was being done.
        step: Step,
        /// Scheme, host and port.
        to: String,
    },
    /// Files of an export lie at another server that wants our token.
    #[error("{step}: {to} wants the access token, which only the configured server gets")]
    TokenElsewhere {
        /// What was being done.
        step: Step,
        /// Scheme, host and port.
        to: String,
    },
    /// The server sends us round and round.
    #[error("{step}: more than {limit} redirections")]
    Redirections {
        /// What was being done.
        step: Step,
        /// The limit.
        limit: u32,
    },
    /// The answer is not of the kind that was asked for.
    #[error("{step}: the answer is {found}, not {expected}")]
    ContentType {
        /// What was being done.
        step: Step,
        /// What came, in words from a closed list.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
    /// The answer is compressed in a way that was not asked for.
    #[error("{step}: the answer is compressed in a way that is not read")]
    Encoding {
        /// What was being done.
        step: Step,
    },
    /// The answer ends before it is complete.
    #[error("{step}: the answer ends before it is complete")]
    CutShort {
        /// What was being done.
        step: Step,
    },
    /// The answer is not what FHIR asks for.
    #[error("{step}: {what}")]
    Malformed {
        /// What was being done.
        step: Step,
        /// What is wrong.
        what: &'static str,
    },
    /// A limit was reached.
    #[error("{step}: more than the limit of {limit} {what}")]
    TooMuch {
        /// What was being done.
        step: Step,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The pages of a search lead back to each other.
    #[error("{step}: the pages lead round in a circle")]
    Circle {
        /// What was being done.
        step: Step,
    },
    /// The server is not one of FHIR R4.
    #[error("the server does not speak FHIR R4")]
    NotR4,
    /// The server does not offer something without which nothing can be pulled.
    #[error("the server does not offer {what}")]
    NotOffered {
        /// What.
        what: String,
    },
    /// The server would answer another question than the one that is asked.
    #[error(
        "{step}: the server leaves out the search parameter `{parameter}` and would answer for everybody"
    )]
    ParameterIgnored {
        /// What was being done.
        step: Step,
        /// The parameter.
        parameter: &'static str,
    },
    /// The answer about one patient holds another's resources.
    #[error("{step}: the answer about one patient holds what belongs to another")]
    OtherPatient {
        /// What was being done.
        step: Step,
    },
    /// The export has failed at the server.
    #[error("the export failed at the server ({status})")]
    ExportFailed {
        /// The answer.
        status: StatusCode,
    },
    /// The export does not get ready.
    #[error("the export is not ready after {} minutes", .limit.as_secs() / 60)]
    ExportTooSlow {
        /// The limit.
        limit: Duration,
    },
    /// The export says itself that it is not complete.
    #[error("the export reports {count} errors of its own, so that something may be missing from it")]
    ExportIncomplete {
        /// How many.
        count: u64,
    },
    /// More has vanished than is likely.
    #[error("{gone} of {of} resources of type {kind} have vanished from the server, which is not believed")]
    TooManyGone {
        /// The type.
        kind: String,
        /// How many.
        gone: usize,
        /// Of how many.
        of: usize,
    },
    /// A resource about one patient that decides who they are could not be read.
    #[error("{step}: a resource cannot be read")]
    Unreadable {
        /// What was being done.
        step: Step,
        /// Why.
        source: Box<Problem>,
    },
    /// A pull took too long.
    #[error("pulling took longer than {} minutes", .limit.as_secs() / 60)]
    TookTooLong {
        /// The limit.
        limit: Duration,
    },
    /// What is kept was written by a newer version of this program.
    #[error("the place reached was written by a newer version of this program")]
    NewerCursor,
    /// The rows cannot be kept.
    #[error("what was pulled cannot be kept")]
    Keep(#[source] Cause),
}

impl PullError {
    /// Returns what a caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            PullError::Connection { .. }
            | PullError::Busy { .. }
            | PullError::CutShort { .. }
            | PullError::ExportFailed { .. }
            | PullError::ExportTooSlow { .. }
            | PullError::TookTooLong { .. }
            | PullError::Keep(_) => ErrorClass::Transient,
            PullError::Malformed { .. }
            | PullError::Circle { .. }
            | PullError::OtherPatient { .. }
            | PullError::Unreadable { .. } => ErrorClass::Corrupt,
            PullError::Sign => ErrorClass::Bug,
            _ => ErrorClass::Operator,
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            PullError::Address { .. } | PullError::ContentType { .. } | PullError::NotR4 => {
                "is `source.fhir.url` the address below which the server's /metadata lies?"
            }
            PullError::PlainHttp { .. } => {
                "use an https address, or set `source.fhir.allow_http` if the network is trusted"
            }
            PullError::Client { .. } => {
                "check the files of `source.fhir.ca_file` (PEM) and `source.fhir.proxy_file`"
            }
            PullError::Connection { .. } => {
                "is the server up, is the address right, and is its certificate signed by an authority that this machine or `source.fhir.ca_file` trusts?"
            }
            PullError::ClientKey { .. } => {
                "give a private key as JWK or PEM, on the curve P-384 or RSA of 2048 bits or more"
            }
            PullError::TokenRefused { .. } => {
                "check the client's name, that the server has the public half of the key under the same key id, and the scope"
            }
            PullError::Unauthorised { .. } => {
                "check the credentials and, for a token from a file, that somebody renews it"
            }
            PullError::Refused { status, .. } if *status == StatusCode::FORBIDDEN => {
                "the client needs the right to read and search (SMART: system/*.rs)"
            }
            PullError::Elsewhere { .. } => {
                "if that is the same server under another name, correct the base address that it gives itself, or write that name into `source.fhir.url`"
            }
            PullError::TokenElsewhere { .. } => {
                "let the server keep exported files at its own address, or without tokens"
            }
            PullError::NotOffered { .. } => {
                "choose the other `source.fhir.mode` (bulk or search), or have the server offer it"
            }
            PullError::ParameterIgnored { .. } => {
                "the server has no such search parameter; load its search parameters into it, or set `source.fhir.mode = \"bulk\"`"
            }
            PullError::ExportIncomplete { .. } => {
                "look at the server's log and have the cause removed, or set `source.fhir.mode = \"search\"`; nothing was replaced"
            }
            PullError::TooManyGone { .. } => {
                "check that the client may still see everything; nothing was replaced"
            }
            PullError::NewerCursor => "use the newer version again",
            _ => return None,
        })
    }

    /// Says whether the server has answered that it does not do this.
    pub(super) fn is_not_offered(&self) -> bool {
        let PullError::Refused { status, .. } = self else { return false };
        matches!(status.as_u16(), 400 | 404 | 405 | 406 | 422 | 501)
    }

    /// Says whether the server has answered that there is no such thing any more.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, PullError::Refused { status, .. } if matches!(status.as_u16(), 404 | 410))
    }
}
