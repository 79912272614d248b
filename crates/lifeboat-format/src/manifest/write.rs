//! Writing a manifest: the same manifest always gives the same bytes, one field per line.

use super::Manifest;
use serde::Serialize;

impl Manifest {
    /// Returns the manifest's bytes: one top-level field per line, one dictionary, pack or index part per line,
    /// packs in ascending order of their ids.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Text(String::with_capacity(4096 + self.packs.len() * 96));
        text.field("format", &self.format);
        text.field("site", &self.site);
        text.field("sequence", &self.sequence);
        text.field("previous", &self.previous);
        text.field("epoch", &self.epoch);
        text.field("source_time", &self.source_time.map(|time| time.to_string()));
        text.field("taken", &self.taken.to_string());
        text.field("next_by", &self.next_by.to_string());
        text.field("feed", &self.feed);
        text.name("dicts");
        text.list(&self.dicts);
        text.name("packs");
        let mut packs: Vec<_> = self.packs.iter().collect();
        packs.sort_by_key(|pack| pack.sha256);
        text.list(&packs);
        text.name("indexes");
        text.push("{\"base\":");
        text.index(&self.indexes.base);
        text.push(",\"delta\":");
        match &self.indexes.delta {
            Some(delta) => text.index(delta),
            None => text.push("null"),
        }
        text.push("}");
        text.field("counts", &self.counts);
        text.field("quality", &self.quality);
        text.field("limits", &self.limits);
        text.field("gate", &self.gate);
        text.field("accepted", &self.accepted);
        text.push("}\n");
        text.0.into_bytes()
    }
}

struct Text(String);

impl Text {
    fn push(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn value(&mut self, value: &impl Serialize) {
        let json = serde_json::to_string(value).expect("a manifest's values are plain JSON");
        self.push(&json);
    }

    fn name(&mut self, name: &str) {
        self.push(if self.0.is_empty() { "{\"" } else { ",\n\"" });
        self.push(name);
        self.push("\":");
    }

    fn field(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        self.value(value);
    }

    fn list<T: Serialize>(&mut self, values: &[T]) {
        self.push("[");
        for (index, value) in values.iter().enumerate() {
            self.push(if index == 0 { "\n" } else { ",\n" });
            self.value(value);
        }
        self.push("]");
    }

    fn index(&mut self, index: &super::IndexEntry) {
        self.push("{\"sha256\":");
        self.value(&index.sha256);
        self.push(",\"size\":");
        self.value(&index.size);
        self.push(",\"parts\":");
        self.list(&index.parts);
        self.push("}");
    }
}
