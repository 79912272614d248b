//! The rows that others look up, held in memory while documents are made.
//!
//! They are kept in chunks, so that a change rewrites little and all of them load fast. Rows of a table with a key of
//! several columns are also looked up by its first column: they count as one group under that name.

use super::hash::{RowHasher, beginning, half};
use super::spec_of;
use lifeboat_feeds::{LookUp, RowRef, TableSpec, UnitRows};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Number of chunks.
const CHUNKS: usize = 256;

/// What is known of one shared row, or of a group of them, beside its values.
#[derive(Clone, Default, PartialEq, Eq)]
struct Facts {
    /// The digest of its values; of a group, the sum over its rows.
    digest: u128,
    /// The rows that it looks up itself.
    links: Vec<u64>,
    chunk: u8,
}

/// All shared rows.
#[derive(Clone)]
pub(crate) struct SharedRows {
    hasher: RowHasher,
    chunks: Vec<Arc<UnitRows>>,
    /// The names of the rows and groups of each chunk.
    names: Vec<Vec<u64>>,
    facts: HashMap<u64, Facts>,
}

impl SharedRows {
    pub(crate) fn new(hasher: RowHasher) -> Self {
        Self {
            hasher,
            chunks: vec![Arc::default(); CHUNKS],
            names: vec![Vec::new(); CHUNKS],
            facts: HashMap::new(),
        }
    }

    /// The rows of one chunk.
    pub(crate) fn chunk(&self, number: u8) -> &UnitRows {
        &self.chunks[usize::from(number)]
    }

    /// The chunk that holds the row of this name, if there is one.
    pub(crate) fn chunk_of(&self, name: u64) -> Option<u8> {
        self.facts.get(&name).map(|facts| facts.chunk)
    }

    /// Puts a chunk in place of another and returns the names of the rows and groups that changed.
    pub(crate) fn replace(&mut self, number: u8, rows: UnitRows, tables: &'static [TableSpec]) -> Vec<u64> {
        let facts = self.facts_of_chunk(number, &rows, tables);
        let at = usize::from(number);
        let mut changed = Vec::new();
        for former in std::mem::take(&mut self.names[at]) {
            if !facts.contains_key(&former) {
                self.facts.remove(&former);
                changed.push(former);
            }
        }
        self.names[at] = facts.keys().copied().collect();
        for (name, facts) in facts {
            if self.facts.get(&name) != Some(&facts) {
                self.facts.insert(name, facts);
                changed.push(name);
            }
        }
        self.chunks[at] = Arc::new(rows);
        changed
    }

    fn facts_of_chunk(
        &self,
        chunk: u8,
        rows: &UnitRows,
        tables: &'static [TableSpec],
    ) -> BTreeMap<u64, Facts> {
        let mut all: BTreeMap<u64, Facts> = BTreeMap::new();
        for (table, row) in rows.all() {
            let (digest, links) = self.digest_of(table, row, tables);
            if let Some(first) = beginning(row.key()) {
                let group = all.entry(self.group(table, first)).or_default();
                group.digest = group.digest.wrapping_add(digest);
                group.links.extend_from_slice(&links);
                group.chunk = chunk;
            }
            all.insert(half(&self.hasher.row(table, row.key())), Facts { digest, links, chunk });
        }
        all
    }

    fn digest_of(&self, table: &str, row: RowRef<'_>, tables: &'static [TableSpec]) -> (u128, Vec<u64>) {
        let mut bytes = Vec::with_capacity(128);
        let mut links = Vec::new();
        let mut add = |name: &str, text: &str| {
            for part in [name, text] {
                bytes.extend_from_slice(&part.len().to_le_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        add(table, row.key());
        for column in spec_of(tables, table).into_iter().flat_map(|spec| spec.columns) {
            let Some(text) = row.text(column.name) else { continue };
            add(column.name, text);
            if let Some(target) = column.looks_up {
                self.link(tables, target, text, &mut links);
            }
        }
        (u128::from_le_bytes(self.hasher.digest(&bytes)), links)
    }

    /// Adds the names under which a text finds rows of a table.
    fn link(&self, tables: &'static [TableSpec], target: &str, text: &str, links: &mut Vec<u64>) {
        links.push(half(&self.hasher.row(target, text)));
        if spec_of(tables, target).is_some_and(|spec| spec.key.len() > 1) {
            links.push(self.group(target, text));
        }
    }

    /// The name of the rows whose keys begin with `first`.
    fn group(&self, table: &str, first: &str) -> u64 {
        half(&self.hasher.row(table, &format!("{first}\0")))
    }

    /// The sorted names of all shared rows that these rows look up, directly or through others, found or not.
    pub(crate) fn looked_up_by(&self, rows: &UnitRows, tables: &'static [TableSpec]) -> Vec<u64> {
        let mut waiting = Vec::new();
        let mut seen: HashSet<(&str, &str)> = HashSet::new();
        for spec in tables {
            let columns = spec.columns.iter().filter_map(|column| Some((column.name, column.looks_up?)));
            for (column, target) in columns {
                for text in rows.rows(spec.name).filter_map(|row| row.text(column)) {
                    if seen.insert((target, text)) {
                        self.link(tables, target, text, &mut waiting);
                    }
                }
            }
        }
        let mut names = HashSet::new();
        while let Some(name) = waiting.pop() {
            if names.insert(name)
                && let Some(facts) = self.facts.get(&name)
            {
                waiting.extend_from_slice(&facts.links);
            }
        }
        let mut names: Vec<u64> = names.into_iter().collect();
        names.sort_unstable();
        names
    }

    /// The digest of what rows of these names say; that a row is missing is something said too.
    pub(crate) fn digest(&self, names: &[u64]) -> [u8; 16] {
        let mut bytes = Vec::with_capacity(names.len() * 24);
        for name in names {
            bytes.extend_from_slice(&name.to_le_bytes());
            bytes.extend_from_slice(&self.facts.get(name).map_or(0, |facts| facts.digest).to_le_bytes());
        }
        self.hasher.digest(&bytes)
    }
}

impl LookUp for SharedRows {
    fn row(&self, table: &str, key: &str) -> Option<RowRef<'_>> {
        self.chunk(self.hasher.chunk(table, key)).row(table, key)
    }

    fn rows_beginning<'a>(&'a self, table: &str, beginning_of_key: &str) -> Vec<RowRef<'a>> {
        if beginning(beginning_of_key).is_some() {
            let chunk = self.chunk(self.hasher.chunk(table, beginning_of_key));
            return chunk.rows_beginning(table, beginning_of_key);
        }
        let all = self.chunks.iter().flat_map(|chunk| chunk.rows_beginning(table, beginning_of_key));
        let mut all: Vec<RowRef<'a>> = all.collect();
        all.sort_by_key(|row| row.key());
        all
    }

    fn rows_of(&self, table: &str) -> Vec<RowRef<'_>> {
        let mut all: Vec<RowRef<'_>> = self.chunks.iter().flat_map(|chunk| chunk.rows(table)).collect();
        all.sort_by_key(|row| row.key());
        all
    }
}
