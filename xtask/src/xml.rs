//! An XML file as a tree of elements, attributes and text; entities within text are dropped.
//!
//! Enough for the two things read here: TR-181 components and the JUnit report of a test run. Both
//! lie on our own disk.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// Deeper nesting than this is refused.
const DEPTH_MAX: usize = 64;

/// One element with what it holds, in order.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    /// Reads a document; the result is its root element. `dropped` names elements to leave out whole.
    pub(crate) fn parse(text: &str, dropped: &[&str]) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            let event = reader
                .read_event()
                .map_err(|error| format!("not XML at byte {}: {error}", reader.error_position()))?;
            match event {
                Event::Start(start) if dropped.contains(&start.name().as_ref()) => {
                    reader
                        .read_to_end(start.name())
                        .map_err(|error| error.to_string())?;
                }
                Event::Start(start) => open.push(Self::from_tag(&start)?),
                Event::Empty(start) => {
                    let element = Self::from_tag(&start)?;
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(element);
                    }
                }
                Event::End(_) => {
                    let (Some(element), Some(parent)) = (open.pop(), open.last_mut()) else {
                        return Err("more elements end than begin".to_owned());
                    };
                    parent.children.push(element);
                }
                Event::Text(text) => {
                    if let Some(parent) = open.last_mut() {
                        parent.text += &text;
                    }
                }
                Event::Eof => break,
                _ => {}
            }
            if open.len() > DEPTH_MAX {
                return Err(format!("elements nest deeper than {DEPTH_MAX}"));
            }
        }
        let mut document = open.swap_remove(0);
        document
            .children
            .pop()
            .ok_or_else(|| "no element in it".to_owned())
    }

    /// The value of an attribute.
    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(name, _)| name == attribute)?;
        Some(value)
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn from_tag(tag: &BytesStart<'_>) -> Result<Self, String> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            // A value with an entity of the document's own stays as it is written.
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .unwrap_or_else(|_| attribute.value.clone());
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self {
            name: tag.name().as_ref().to_owned(),
            attributes,
            children: Vec::new(),
            text: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_attributes_and_order_are_kept_and_dropped_ones_are_gone() {
        let text = r#"<?xml version="1.0"?><!-- c --><a x="1 &amp; 2"><d>te<e/>xt</d><b y="&own;"/><c/><b/></a>"#;
        let root = Element::parse(text, &["d"]).unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.get("x"), Some("1 & 2"));
        let names: Vec<_> = root
            .children
            .iter()
            .map(|child| child.name.as_str())
            .collect();
        assert_eq!(names, ["b", "c", "b"]);
        assert_eq!(root.child("b").and_then(|b| b.get("y")), Some("&own;"));
        assert_eq!(root.all("b").count(), 2);
    }

    #[test]
    fn broken_documents_are_refused() {
        assert!(Element::parse("<a><b></a>", &[]).is_err());
        assert!(Element::parse("", &[]).is_err());
        assert!(Element::parse(&"<a>".repeat(100), &[]).is_err());
    }
}
