//! JSON: which FHIR it is, if it is FHIR, from its beginning alone.

use super::Kind;
use crate::format::Format;

/// Deeper than this nothing tells of a format.
const DEPTH_MAX: usize = 32;

/// Finds out what the JSON is that begins so.
pub(super) fn kind(head: &[u8]) -> Kind {
    let found = Found::read(head);
    let Some(resource) = &found.resource else {
        return if found.is_bulk_manifest() {
            Kind::Of(Format::FhirR4, "the manifest of a FHIR Bulk Data export".to_owned())
        } else {
            Kind::Other("is JSON and, as far as its beginning tells, not FHIR".to_owned())
        };
    };
    if found.dstu2 {
        return Kind::Other("is GP Connect Access Record: HTML (FHIR DSTU2), which is not read".to_owned());
    }
    let what = match (resource.as_str(), found.values > 1) {
        (_, true) => "lines of FHIR resources (NDJSON)".to_owned(),
        ("Bundle", _) => "a FHIR Bundle".to_owned(),
        _ => "a FHIR resource".to_owned(),
    };
    match (found.stu3, found.r4) {
        (Some(stu3), Some(r4)) => Kind::Tie(
            vec![Format::FhirR4, Format::GpConnect],
            format!("{what} with signs of STU3 ({stu3}) and of R4 ({r4})"),
        ),
        (Some(stu3), None) => Kind::Of(Format::GpConnect, format!("{what} of FHIR STU3 ({stu3})")),
        (None, Some(r4)) => Kind::Of(Format::FhirR4, format!("{what} of FHIR R4 ({r4})")),
        (None, None) => Kind::Fhir(format!("{what}, with no sign of a version other than R4")),
    }
}

/// What the beginning of a JSON text tells.
#[derive(Default)]
struct Found {
    /// The type of the outermost resource.
    resource: Option<String>,
    resource_depth: usize,
    stu3: Option<&'static str>,
    r4: Option<&'static str>,
    dstu2: bool,
    has_transaction_time: bool,
    has_output: bool,
    /// How many values stand one after the other.
    values: u32,
}

/// What follows a key.
enum Value<'a> {
    Text(&'a str),
    Opens(u8),
    Other,
}

impl Found {
    fn read(head: &[u8]) -> Self {
        let mut found = Self::default();
        let mut keys: Vec<String> = Vec::new();
        let mut depth = 0_usize;
        let mut at = 0;
        while at < head.len() {
            match head[at] {
                open @ (b'{' | b'[') => {
                    if depth == 0 {
                        found.values += 1;
                    }
                    if let Some(key) = keys.get(depth).filter(|key| !key.is_empty()) {
                        found.take(key, &Value::Opens(open), depth);
                    }
                    // The members of a list belong to the list's own key.
                    let inherited = if open == b'[' { keys.get(depth).cloned() } else { None };
                    depth += 1;
                    keys.truncate(depth.min(DEPTH_MAX));
                    if depth < DEPTH_MAX {
                        keys.resize(depth, String::new());
                        keys.push(inherited.unwrap_or_default());
                    }
                    at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    keys.truncate((depth + 1).min(DEPTH_MAX));
                    at += 1;
                }
                b'"' => {
                    let Some(end) = string_end(head, at + 1) else { break };
                    let text = std::str::from_utf8(&head[at + 1..end]).unwrap_or_default();
                    at = end + 1;
                    let next = head[at..].iter().position(|byte| !byte.is_ascii_whitespace());
                    if next.is_some_and(|next| head[at + next] == b':') {
                        if depth < DEPTH_MAX {
                            keys.resize(depth, String::new());
                            keys.push(text.to_owned());
                            found.take(text, &Value::Other, depth);
                        }
                    } else if let Some(key) = keys.get(depth) {
                        found.take(key, &Value::Text(text), depth);
                    }
                }
                _ => at += 1,
            }
        }
        found
    }

    fn take(&mut self, key: &str, value: &Value<'_>, depth: usize) {
        match (key, value) {
            ("resourceType", Value::Text(name)) if self.resource.is_none() || depth < self.resource_depth => {
                self.resource = Some((*name).to_owned());
                self.resource_depth = depth;
            }
            ("profile" | "url", Value::Text(url)) => self.take_url(key, url),
            ("clinicalStatus", Value::Text(_)) => {
                self.stu3 = self.stu3.or(Some("a clinical status as a code"))
            }
            ("clinicalStatus", Value::Opens(b'{')) => {
                self.r4 = self.r4.or(Some("a clinical status as a concept"))
            }
            ("taken", Value::Text(_)) => self.stu3 = self.stu3.or(Some("whether a medicine is taken")),
            ("transactionTime", _) if depth == 1 => self.has_transaction_time = true,
            ("output", _) if depth == 1 => self.has_output = true,
            _ => {}
        }
    }

    fn take_url(&mut self, key: &str, url: &str) {
        if url.contains("gpconnect-carerecord-composition-1") {
            self.dstu2 = true;
        } else if url.contains("GPConnect-StructuredRecord-Bundle") {
            self.stu3 = Some("the profile of GP Connect's structured record");
        } else if url.contains("/STU3/") || url.contains("/CareConnect-") {
            self.stu3 = self.stu3.or(Some("a profile or extension of the NHS for STU3"));
        } else if key == "profile" {
            let r4 = ["/uv/ips/", "/us/core/", "/UKCore-", "/4.0"];
            if r4.iter().any(|part| url.contains(part)) {
                self.r4 = self.r4.or(Some("a profile for R4"));
            }
        }
    }

    fn is_bulk_manifest(&self) -> bool {
        self.has_transaction_time && self.has_output
    }
}

/// Returns the place of the quote that ends the string whose text begins at `from`.
fn string_end(head: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', head.get(at..)?)?;
        if head[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}
