//! XML: which document it is, from its beginning alone.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Kind;
use crate::format::Format;

/// More than this is not looked at to find out what a document is.
const EVENTS_MAX: usize = 3000;

/// The templates of C-CDA begin so.
const C_CDA: &str = "2.16.840.1.113883.10.20.22.";

/// Finds out what the XML is that begins so.
pub(super) fn kind(head: &[u8]) -> Kind {
    let text = String::from_utf8_lossy(head);
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    let mut found = Found::default();
    for _ in 0..EVENTS_MAX {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) => found.take(&start),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    found.kind()
}

#[derive(Default)]
struct Found {
    root: String,
    namespace: String,
    is_summary: bool,
    template: bool,
    realm_us: bool,
    elements: u32,
}

impl Found {
    fn take(&mut self, start: &BytesStart<'_>) {
        let local = start.local_name();
        let name = String::from_utf8_lossy(local.as_ref()).into_owned();
        let value = |wanted: &str| {
            let mut attributes = start.attributes();
            attributes.with_checks(false);
            let found = attributes.flatten().find(|attribute| attribute.key.as_ref() == wanted.as_bytes());
            found.map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned())
        };
        if self.elements == 0 {
            let full = start.name();
            let prefix = full.prefix().map(|prefix| String::from_utf8_lossy(prefix.as_ref()).into_owned());
            let declared = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
            self.namespace = value(&declared).unwrap_or_default();
            self.root.clone_from(&name);
        }
        self.elements += 1;
        match name.as_str() {
            "GPSummary" | "QUPC_IN210000UK04" | "REPC_MT150007UK05" => self.is_summary = true,
            "templateId" => self.template |= value("root").is_some_and(|root| root.starts_with(C_CDA)),
            "realmCode" => self.realm_us |= value("code").as_deref() == Some("US"),
            _ => {}
        }
    }

    fn kind(self) -> Kind {
        let other = |what: &str| Kind::Other(what.to_owned());
        match self.root.as_str() {
            "" => other("begins as XML does, and is none"),
            "ClinicalDocument" if self.template => {
                Kind::Of(Format::CCda, "a clinical document (CDA) with templates of C-CDA".to_owned())
            }
            "ClinicalDocument" if self.realm_us => {
                Kind::Of(Format::CCda, "a clinical document (CDA) of the realm that C-CDA is for".to_owned())
            }
            "ClinicalDocument" => {
                other("is a clinical document (CDA) without templates of C-CDA, which is not read")
            }
            _ if self.is_summary => {
                Kind::Of(Format::GpSummary, "a GP summary of the Summary Care Record".to_owned())
            }
            "OpenHealthRecord" => other("is an OpenHR record of EMIS, which is not read"),
            "MedicalRecord" => other("is a record of EMIS Open, which is not read"),
            _ if self.namespace == "http://hl7.org/fhir" => other("is FHIR as XML; it is read as JSON only"),
            root if root.eq_ignore_ascii_case("html") => other("is a web page, which no feed is read from"),
            _ => other("is XML of a kind that is not read"),
        }
    }
}
