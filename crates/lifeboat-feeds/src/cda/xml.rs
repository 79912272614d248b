//! A small tree of an XML document, of bounded size.
//!
//! Only what clinical documents need: elements by their local names, attributes by theirs (`xsi:type` is `type`), text.
//! Character references and XML's own five entities are resolved and nothing else: a document with a document type
//! declaration is refused, so that there is nothing to expand and nothing to fetch.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use crate::problem::{Problem, Reason};

/// The longest document.
const DOCUMENT_BYTES_MAX: usize = 64 << 20;
/// How deep elements may lie in elements.
const DEPTH_MAX: usize = 100;
/// How many elements and pieces of text a document may have.
const NODES_MAX: u64 = 1_000_000;
/// How many attributes an element may have.
const ATTRIBUTES_MAX: usize = 64;
/// The longest attribute.
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// An element.
#[derive(Default)]
pub(super) struct Element {
    name: Box<str>,
    attributes: Vec<(Box<str>, Box<str>)>,
    nodes: Vec<Node>,
}

/// What an element holds.
pub(super) enum Node {
    /// Another element.
    Element(Element),
    /// Text, with references resolved.
    Text(String),
}

impl Element {
    /// Returns the name without its prefix.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns an attribute that is not blank, without the space around it.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known.as_ref() == name)?;
        let value = value.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Says whether an attribute has this value.
    pub(super) fn is(&self, attribute: &str, value: &str) -> bool {
        self.attribute(attribute) == Some(value)
    }

    /// Returns everything within, in order.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the elements within, in order.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Returns the elements of this name within.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.elements().filter(move |element| element.name() == name)
    }

    /// Returns the first element of this name within.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name() == name)
    }

    /// Follows names from element to element.
    pub(super) fn path(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// Returns the first element of this name at any depth, itself included.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        if self.name() == name {
            return Some(self);
        }
        self.elements().find_map(|element| element.find(name))
    }

    /// Calls `each` for every element within, at any depth, itself included.
    pub(super) fn visit<'e>(&'e self, each: &mut dyn FnMut(&'e Self)) {
        each(self);
        self.elements().for_each(|element| element.visit(each));
    }

    /// Returns the text directly within, without the space around it; `None` when there is none.
    pub(super) fn own_text(&self) -> Option<String> {
        let text: String = self
            .nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    }
}

/// A document being read.
struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    nodes: u64,
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Element, Problem> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(too_many("bytes in a document", DOCUMENT_BYTES_MAX as u64));
    }
    let mut reader = Reader::from_str(text);
    let mut builder = Builder { open: Vec::new(), root: None, nodes: 0 };
    loop {
        let position = reader.buffer_position();
        let event = reader.read_event().map_err(|_| at_line(text, position, ill_formed()))?;
        if matches!(event, Event::Eof) {
            break;
        }
        builder.take(event).map_err(|problem| at_line(text, position, problem))?;
    }
    match (builder.root, builder.open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Problem::whole(Reason::Malformed("the document ends before it is complete".to_owned()))),
    }
}

fn ill_formed() -> Problem {
    Problem::whole(Reason::Malformed("the document is not well-formed XML".to_owned()))
}

fn too_many(what: &str, limit: u64) -> Problem {
    Problem::whole(Reason::TooMany { what: what.to_owned(), limit })
}

fn at_line(text: &str, position: u64, problem: Problem) -> Problem {
    let before = usize::try_from(position).ok().and_then(|end| text.as_bytes().get(..end));
    let lines = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1);
    Problem { row: lines, ..problem }
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), Problem> {
        match event {
            Event::Start(start) => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(too_many("elements inside each other", DEPTH_MAX as u64));
                }
                let element = self.element(&start)?;
                self.open.push(element);
                Ok(())
            }
            Event::Empty(start) => {
                let element = self.element(&start)?;
                self.close(element)
            }
            Event::End(_) => {
                let element = self.open.pop().ok_or_else(ill_formed)?;
                self.close(element)
            }
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|_| ill_formed())?;
                self.text(&text)
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|_| ill_formed())?;
                self.text(&text)
            }
            Event::GeneralRef(reference) => {
                let named = reference.decode().map_err(|_| ill_formed())?;
                let resolved = unescape(&format!("&{named};")).map(|text| text.into_owned());
                self.text(&resolved.map_err(|_| undefined())?)
            }
            Event::DocType(_) => Err(Problem::whole(Reason::Malformed(
                "the document has a document type declaration (DOCTYPE), which is refused".to_owned(),
            ))),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { Err(too_many("elements in a document", NODES_MAX)) } else { Ok(()) }
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<Element, Problem> {
        self.count()?;
        let mut element = Element { name: local(start.name().as_ref())?, ..Element::default() };
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| ill_formed())?;
            if element.attributes.len() >= ATTRIBUTES_MAX {
                return Err(too_many("attributes of an element", ATTRIBUTES_MAX as u64));
            }
            if attribute.value.len() > ATTRIBUTE_BYTES_MAX {
                return Err(too_many("bytes in an attribute", ATTRIBUTE_BYTES_MAX as u64));
            }
            let name = local(attribute.key.as_ref())?;
            let value = std::str::from_utf8(&attribute.value).map_err(|_| ill_formed())?;
            let value = unescape(value).map_err(|_| undefined())?;
            if !attribute.key.as_ref().starts_with(b"xmlns") {
                element.attributes.push((name, value.into()));
            }
        }
        Ok(element)
    }

    fn close(&mut self, element: Element) -> Result<(), Problem> {
        match self.open.last_mut() {
            Some(parent) => parent.nodes.push(Node::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(ill_formed()),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Problem> {
        match self.open.last_mut() {
            Some(parent) => {
                if let Some(Node::Text(before)) = parent.nodes.last_mut() {
                    before.push_str(text);
                    return Ok(());
                }
                parent.nodes.push(Node::Text(text.to_owned()));
                self.count()
            }
            None if text.trim().is_empty() => Ok(()),
            None => Err(ill_formed()),
        }
    }
}

fn undefined() -> Problem {
    Problem::whole(Reason::Malformed("the document uses an entity that XML does not define".to_owned()))
}

/// Returns a name without its prefix.
fn local(name: &[u8]) -> Result<Box<str>, Problem> {
    let name = std::str::from_utf8(name).map_err(|_| ill_formed())?;
    Ok(name.rsplit(':').next().unwrap_or(name).into())
}

#[cfg(test)]
mod tests {
    use super::{NODES_MAX, parse};

    #[test]
    fn a_document_becomes_a_tree_of_local_names() {
        let root = parse("<?xml version='1.0'?><!-- c --><x:a xmlns:x='u' x:type=' CD '><b>1 &amp; <![CDATA[<2>]]>&#233;</b></x:a>\n")
            .expect("well formed");
        assert_eq!((root.name(), root.attribute("type"), root.attribute("x")), ("a", Some("CD"), None));
        assert_eq!(root.child("b").and_then(|b| b.own_text()).as_deref(), Some("1 & <2>é"));
    }

    #[test]
    fn hostile_documents_are_refused_with_the_line_and_without_their_words() {
        let bomb = "<!DOCTYPE a [<!ENTITY a \"xx\"><!ENTITY b \"&a;&a;\">]>\n<a>&b;</a>";
        let external = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
        let deep = "<a>".repeat(5000);
        let long = format!("<a b=\"{}\"/>", "SECRET".repeat(20_000));
        let many = format!("<a {}/>", (0..5000).map(|at| format!("b{at}='SECRET' ")).collect::<String>());
        let wide = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX as usize + 1));
        let cases = [
            (bomb, "DOCTYPE"),
            (external, "DOCTYPE"),
            (&deep, "inside each other"),
            (&long, "bytes in an attribute"),
            (&many, "attributes of an element"),
            (&wide, "elements in a document"),
            ("<a>&SECRET;</a>", "entity"),
            ("<a b='&SECRET;'/>", "entity"),
            ("<a></b>", "well-formed"),
            ("<a/><b/>", "well-formed"),
            ("<a>SECRET", "complete"),
            ("SECRET", "well-formed"),
            ("", "complete"),
            ("<a>&#0;</a>", "entity"),
        ];
        for (text, expected) in cases {
            let problem = parse(text).err().expect("it is refused").to_string();
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("SECRET"), "{problem}");
        }
        assert_eq!(parse("<a>\n\n<b></a>").err().and_then(|problem| problem.row), Some(3));
    }
}
