//! The text of a clinical document that people read: tables, lists and paragraphs as plain lines.

use std::cell::Cell;
use std::collections::HashMap;

use super::xml::{Element, Node};

/// The longest text of one section.
pub(super) const SECTION_BYTES_MAX: usize = 1 << 20;
/// The longest text that an entry refers to.
const REFERRED_BYTES_MAX: usize = 8 << 10;
/// How much text one document may yield, so that entries cannot multiply what they refer to.
const DOCUMENT_BYTES_MAX: usize = 32 << 20;
/// The longest heading that is repeated in every row of its table.
const HEADING_BYTES_MAX: usize = 80;
/// The most columns of a table.
const COLUMNS_MAX: usize = 64;

/// The texts of one document.
pub(super) struct Narratives<'d> {
    by_id: HashMap<&'d str, &'d Element>,
    left: Cell<usize>,
}

/// One block of text.
pub(super) enum Block<'d> {
    /// A heading (`h1` to `h6`) with the id by which it is known.
    Heading {
        /// Its id.
        id: Option<&'d str>,
        /// Its text.
        text: String,
    },
    /// A table.
    Table(Table),
    /// Anything else.
    Text {
        /// Its id.
        id: Option<&'d str>,
        /// Its text.
        text: String,
    },
}

/// A table, every row as long as it is written.
#[derive(Default)]
pub(super) struct Table {
    /// The headings of its columns.
    pub(super) headings: Vec<String>,
    /// The texts of its cells; a cell that spans columns is followed by empty ones.
    pub(super) rows: Vec<Vec<String>>,
}

impl<'d> Narratives<'d> {
    /// Finds everything in a document that entries may refer to.
    pub(super) fn of(root: &'d Element) -> Self {
        let mut by_id = HashMap::new();
        root.visit(&mut |element| {
            if let Some(id) = element.attribute("ID") {
                by_id.entry(id).or_insert(element);
            }
        });
        Self { by_id, left: Cell::new(DOCUMENT_BYTES_MAX) }
    }

    /// Returns the text that `#id` means.
    pub(super) fn referred(&self, reference: &str) -> Option<String> {
        let id = reference.strip_prefix('#').unwrap_or(reference);
        self.text(self.by_id.get(id)?, REFERRED_BYTES_MAX)
    }

    /// Returns what an element that may be text, or a reference to text, says.
    pub(super) fn words(&self, element: Option<&Element>) -> Option<String> {
        let element = element?;
        let referred = element.child("reference").and_then(|reference| reference.attribute("value"));
        let referred = referred.and_then(|reference| self.referred(reference));
        referred.or_else(|| self.text(element, REFERRED_BYTES_MAX))
    }

    /// Returns the text of a section.
    pub(super) fn section(&self, text: Option<&Element>) -> Option<String> {
        self.text(text?, SECTION_BYTES_MAX)
    }

    fn text(&self, element: &Element, bytes_max: usize) -> Option<String> {
        let left = self.left.get();
        if left == 0 {
            return None;
        }
        let mut writer = Writer { text: String::new(), bytes_max: bytes_max.min(left), is_cut: false };
        writer.write(element);
        let text = writer.finish();
        self.left.set(left.saturating_sub(text.len()));
        (!text.is_empty()).then_some(text)
    }

    /// Returns the blocks of a text, in order.
    pub(super) fn blocks(&self, text: &'d Element) -> Vec<Block<'d>> {
        let mut blocks = Vec::new();
        self.blocks_of(text, &mut blocks);
        blocks
    }

    fn blocks_of(&self, parent: &'d Element, blocks: &mut Vec<Block<'d>>) {
        let mut loose = String::new();
        for node in parent.nodes() {
            let element = match node {
                Node::Text(text) => {
                    loose.push_str(text);
                    continue;
                }
                Node::Element(element) if is_inline(element) => {
                    loose.push_str(&self.text(element, SECTION_BYTES_MAX).unwrap_or_default());
                    continue;
                }
                Node::Element(element) => element,
            };
            self.loose(&mut loose, blocks);
            let id = element.attribute("id").or_else(|| element.attribute("ID"));
            match element.name() {
                "table" => blocks.push(Block::Table(self.table(element))),
                "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                    let text = self.text(element, REFERRED_BYTES_MAX).unwrap_or_default();
                    blocks.push(Block::Heading { id, text });
                }
                "list" | "ul" | "ol" | "div" | "body" | "html" => self.blocks_of(element, blocks),
                _ => {
                    let text = self.text(element, SECTION_BYTES_MAX);
                    blocks.extend(text.map(|text| Block::Text { id, text }));
                }
            }
        }
        self.loose(&mut loose, blocks);
    }

    fn loose(&self, loose: &mut String, blocks: &mut Vec<Block<'d>>) {
        let text = std::mem::take(loose);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            blocks.push(Block::Text { id: None, text });
        }
    }

    /// Returns a table.
    pub(super) fn table(&self, table: &Element) -> Table {
        let mut found = Table::default();
        table.visit(&mut |row| {
            if row.name() == "tr" {
                self.row(row, &mut found);
            }
        });
        found
    }

    fn row(&self, row: &Element, table: &mut Table) {
        let is_heading = |cell: &&Element| cell.name() == "th";
        let heads = row.elements().next().is_some() && row.elements().all(|cell| is_heading(&cell));
        let mut cells = Vec::new();
        for cell in row.elements().filter(|cell| matches!(cell.name(), "td" | "th")) {
            cells.push(self.text(cell, SECTION_BYTES_MAX).unwrap_or_default());
            let span: usize = cell.attribute("colspan").and_then(|span| span.parse().ok()).unwrap_or(1);
            cells.extend((1..span.min(COLUMNS_MAX)).map(|_| String::new()));
        }
        cells.truncate(COLUMNS_MAX.max(row.elements().count()));
        if heads && table.rows.is_empty() {
            table.headings = cells;
        } else if cells.iter().any(|cell| !cell.is_empty()) {
            table.rows.push(cells);
        }
    }
}

impl Table {
    /// Returns the text in the column of this heading (any of its spellings), in one of the rows.
    pub(super) fn cell<'t>(&self, row: &'t [String], headings: &[&str]) -> Option<&'t str> {
        let is_it = |heading: &String| headings.iter().any(|name| heading.trim().eq_ignore_ascii_case(name));
        let text = row.get(self.headings.iter().position(is_it)?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Returns a row as one line, each cell under its heading.
    pub(super) fn line(&self, row: &[String]) -> String {
        let cells = row.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty());
        let cells = cells.map(|(at, cell)| match self.headings.get(at).map(|heading| heading.trim()) {
            Some(heading) if !heading.is_empty() && heading.len() <= HEADING_BYTES_MAX => {
                format!("{heading}: {cell}")
            }
            _ => cell.clone(),
        });
        cells.collect::<Vec<_>>().join("; ")
    }
}

fn is_inline(element: &Element) -> bool {
    matches!(
        element.name(),
        "content" | "span" | "b" | "i" | "u" | "em" | "strong" | "sub" | "sup" | "linkHtml" | "a" | "font"
    )
}

/// Writes elements as plain lines, up to a limit.
struct Writer {
    text: String,
    bytes_max: usize,
    is_cut: bool,
}

impl Writer {
    fn push(&mut self, text: &str) {
        let room = self.bytes_max.saturating_sub(self.text.len());
        if text.len() <= room {
            self.text.push_str(text);
        } else if !self.is_cut {
            self.is_cut = true;
            let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            self.text.push_str(&text[..end]);
        }
    }

    fn words(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.space();
        }
        let mut words = text.split_whitespace();
        if let Some(first) = words.next() {
            self.push(first);
        }
        for word in words {
            // What no longer fits is not even looked at: many entries may refer to one long text.
            if self.is_cut {
                return;
            }
            self.push(" ");
            self.push(word);
        }
        if text.ends_with(char::is_whitespace) {
            self.space();
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
            self.push(" ");
        }
    }

    fn line(&mut self) {
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.push("\n");
        }
    }

    fn write(&mut self, element: &Element) {
        if self.is_cut {
            return;
        }
        match element.name() {
            "table" => return self.table(element),
            "tr" => return self.cells(element, &[]),
            "br" => return self.line(),
            "renderMultiMedia" | "reference" | "colgroup" | "col" => return,
            "item" | "li" => {
                self.line();
                self.push("- ");
            }
            _ if !is_inline(element) && !matches!(element.name(), "td" | "th") => self.line(),
            _ => {}
        }
        for node in element.nodes() {
            if self.is_cut {
                return;
            }
            match node {
                Node::Text(text) => self.words(text),
                Node::Element(inner) => self.write(inner),
            }
        }
        if !is_inline(element) && !matches!(element.name(), "td" | "th") {
            self.line();
        }
    }

    fn table(&mut self, table: &Element) {
        let mut headings: Vec<String> = Vec::new();
        for part in table.elements() {
            match part.name() {
                "tr" => self.row(part, &mut headings),
                "thead" | "tbody" | "tfoot" => {
                    for row in part.all("tr") {
                        if self.is_cut {
                            return;
                        }
                        self.row(row, &mut headings);
                    }
                }
                _ => self.write(part),
            }
            if self.is_cut {
                return;
            }
        }
    }

    fn row(&mut self, row: &Element, headings: &mut Vec<String>) {
        let is_heading = row.elements().next().is_some() && row.elements().all(|cell| cell.name() == "th");
        if is_heading && headings.is_empty() {
            for cell in row.elements() {
                let mut writer = Writer { text: String::new(), bytes_max: HEADING_BYTES_MAX, is_cut: false };
                writer.write(cell);
                headings.push(if writer.is_cut { String::new() } else { writer.finish() });
            }
            // Headings that are alone, or too long to be repeated, are a row of their own.
            if headings.iter().all(|heading| !heading.is_empty()) {
                return;
            }
        }
        self.cells(row, headings);
    }

    fn cells(&mut self, row: &Element, headings: &[String]) {
        if self.is_cut {
            return;
        }
        self.line();
        let mut at = 0;
        let mut separator = "";
        for cell in row.elements() {
            if self.is_cut {
                return;
            }
            let mut writer = Writer {
                text: String::new(),
                bytes_max: self.bytes_max.saturating_sub(self.text.len()),
                is_cut: false,
            };
            writer.write(cell);
            self.is_cut |= writer.is_cut;
            let text = writer.finish();
            let heading = headings.get(at).filter(|heading| !heading.is_empty() && cell.name() != "th");
            let span: usize = cell.attribute("colspan").and_then(|span| span.parse().ok()).unwrap_or(1);
            at = at.saturating_add(span);
            if text.is_empty() {
                continue;
            }
            self.push(separator);
            if let Some(heading) = heading {
                self.push(heading);
                self.push(": ");
            }
            self.push(&text);
            separator = "; ";
        }
        self.line();
    }

    fn finish(self) -> String {
        let mut text = self.text.trim().to_owned();
        if self.is_cut {
            text.push_str(" […]");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::xml::parse;
    use super::{Block, Narratives};

    #[test]
    fn tables_lists_and_paragraphs_become_lines() {
        let root = parse(
            "<text><paragraph>One <content ID='c'>two</content>.</paragraph><list><item>a</item><item>b</item></list>
            <table><thead><tr><th>Date</th><th>What</th></tr></thead><tbody><tr ID='r'><td>2020</td><td>x<br/>y</td></tr><tr><td colspan='2'>all</td></tr></tbody></table>tail</text>",
        )
        .expect("XML");
        let narratives = Narratives::of(&root);
        assert_eq!(
            narratives.section(Some(&root)).as_deref(),
            Some("One two.\n- a\n- b\nDate: 2020; What: x\ny\nDate: all\ntail")
        );
        assert_eq!(narratives.referred("#c").as_deref(), Some("two"));
        assert_eq!(narratives.referred("#r").as_deref(), Some("2020; x\ny"));
        assert_eq!(narratives.referred("#none"), None);
    }

    #[test]
    fn blocks_keep_their_order_ids_and_cells() {
        let root = parse(
            "<body><h2 id='A'>Head</h2><p id='p'>text</p><table><tr><th>X</th><th>Y</th></tr><tr><td colspan='2'>1</td></tr><tr><td/><td>2</td></tr></table></body>",
        )
        .expect("XML");
        let narratives = Narratives::of(&root);
        let blocks = narratives.blocks(&root);
        assert!(matches!(&blocks[0], Block::Heading { id: Some("A"), text } if text == "Head"));
        assert!(matches!(&blocks[1], Block::Text { id: Some("p"), text } if text == "text"));
        let Block::Table(table) = &blocks[2] else { panic!("a table") };
        assert_eq!(table.rows, [["1", ""], ["", "2"]]);
        assert_eq!(table.cell(&table.rows[1], &["y"]), Some("2"));
        assert_eq!(table.line(&table.rows[1]), "Y: 2");
    }
}
