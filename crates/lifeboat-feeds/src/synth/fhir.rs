//! The made-up practice in FHIR R4: Bundles, one per patient, or Bulk Data files, one per type.

use std::collections::BTreeMap;
use std::io::{self, Write};

use lifeboat_clinical::synth::Practice;
use serde_json::{Value, json};

use super::{Order, Sink};

const BASE: &str = "https://demonstration.example/fhir/R4";

/// How FHIR R4 lies in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FhirLayout {
    /// A Bundle per patient, one of what patients share, and one of each day's appointments.
    Bundles,
    /// Bulk Data: one file of lines per type, and a manifest.
    Bulk,
}

/// Writes an extract.
///
/// A later extract in Bundles holds those of patients of whom something changed, each whole. Bulk Data comes whole every
/// time: an export of changes would have to say what was deleted in files of their own, and a reader of
/// files that replace each other has no use for these.
///
/// # Errors
/// A file cannot be written.
pub fn write(order: &Order, sink: &mut dyn Sink, layout: FhirLayout) -> io::Result<()> {
    match layout {
        FhirLayout::Bundles => bundles(order, sink),
        FhirLayout::Bulk => bulk(order, sink),
    }
}

fn bundles(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let practice = order.practice();
    if order.delta == 0 {
        let (stem, shared) = practice.shared();
        write_json(sink, &format!("{stem}.json"), &shared)?;
    }
    for index in (0..order.patients).filter(|index| order.holds(&practice, *index)) {
        let bundle = collection(order.chart(&practice, index, order.delta));
        write_json(sink, &format!("patient-{index:07}.json"), &bundle)?;
    }
    if order.delta == 0 {
        for (stem, appointments) in practice.appointments() {
            write_json(sink, &format!("{stem}.json"), &appointments)?;
        }
    }
    Ok(())
}

/// Returns a collection of resources, each under its RESTful address.
fn collection(resources: Vec<Value>) -> Value {
    let entry = |resource: Value| {
        let url = format!("{BASE}/{}/{}", said(&resource, "resourceType"), said(&resource, "id"));
        json!({"fullUrl": url, "resource": resource})
    };
    let entries: Vec<Value> = resources.into_iter().map(entry).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

fn said<'v>(resource: &'v Value, name: &str) -> &'v str {
    resource[name].as_str().unwrap_or_default()
}

/// Writes a document as a file.
pub(super) fn write_json(sink: &mut dyn Sink, path: &str, document: &Value) -> io::Result<()> {
    let mut file = sink.file(path)?;
    file.write_all(&serde_json::to_vec(document)?)?;
    file.flush()
}

/// The files of a Bulk Data export, by type.
#[derive(Default)]
struct Lines {
    files: BTreeMap<String, (Box<dyn Write>, u64)>,
}

fn bulk(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let practice = order.practice();
    let mut lines = Lines::default();
    let (_, shared) = practice.shared();
    for entry in shared["entry"].as_array().into_iter().flatten() {
        lines.add(sink, &entry["resource"])?;
    }
    for index in 0..order.patients {
        for resource in order.chart(&practice, index, order.delta) {
            lines.add(sink, &resource)?;
        }
    }
    for day in practice.days() {
        for appointment in practice.appointments_on(day) {
            lines.add(sink, &appointment)?;
        }
    }
    lines.finish(sink, &practice)
}

fn file_name(kind: &str) -> String {
    format!("{kind}.000.ndjson")
}

impl Lines {
    fn add(&mut self, sink: &mut dyn Sink, resource: &Value) -> io::Result<()> {
        let kind = said(resource, "resourceType");
        if !self.files.contains_key(kind) {
            self.files.insert(kind.to_owned(), (sink.file(&file_name(kind))?, 0));
        }
        if let Some((file, count)) = self.files.get_mut(kind) {
            serde_json::to_writer(&mut *file, resource)?;
            file.write_all(b"\n")?;
            *count += 1;
        }
        Ok(())
    }

    fn finish(self, sink: &mut dyn Sink, practice: &Practice) -> io::Result<()> {
        let mut output = Vec::new();
        for (kind, (mut file, count)) in self.files {
            file.flush()?;
            output.push(json!({"type": kind, "url": file_name(&kind), "count": count}));
        }
        let manifest = json!({
            "transactionTime": format!("{}T02:00:00Z", practice.today()),
            "request": format!("{BASE}/Patient/$export"),
            "requiresAccessToken": false,
            "output": output,
            "deleted": [],
            "error": []
        });
        write_json(sink, "manifest.json", &manifest)
    }
}
