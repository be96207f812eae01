//! The files of a data model and the names they import from each other. (TR-106 Annex A)
//!
//! A name means what its own file defines, else what its file imports under that name, else what a
//! file defines from which it imports anything at all. A component that
//! is marked `virtual` means what the root document says under its name, when it says anything.

use std::collections::HashMap;
use std::rc::Rc;

use crate::xml::Element;

/// More imports in a row than this is a circle.
const IMPORTS_MAX: usize = 32;

/// Elements that say nothing that is compared here.
const DROPPED: [&str; 3] = ["bibliography", "description", "template"];

/// Loaded files by name; `read` supplies the text of one.
pub(crate) struct Library<R> {
    read: R,
    files: HashMap<String, Rc<Element>>,
    root: String,
}

/// An element and the file whose names it uses.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) file: String,
    document: Rc<Element>,
    index: usize,
}

impl Found {
    pub(crate) fn element(&self) -> &Element {
        &self.document.children[self.index]
    }
}

impl<R: FnMut(&str) -> Result<String, String>> Library<R> {
    pub(crate) fn new(read: R) -> Self {
        Self {
            read,
            files: HashMap::new(),
            root: String::new(),
        }
    }

    /// Names the document that virtual components are looked up in.
    pub(crate) fn set_root(&mut self, file: &str) {
        self.root = file.to_owned();
    }

    /// The document in a file.
    pub(crate) fn document(&mut self, file: &str) -> Result<Rc<Element>, String> {
        if let Some(document) = self.files.get(file) {
            return Ok(Rc::clone(document));
        }
        let text = (self.read)(file)?;
        let document =
            Element::parse(&text, &DROPPED).map_err(|error| format!("{file}: {error}"))?;
        let document = Rc::new(document);
        self.files.insert(file.to_owned(), Rc::clone(&document));
        Ok(document)
    }

    /// What `name` means in `file`; `kind` is `component`, `dataType` or `model`.
    pub(crate) fn find(&mut self, file: &str, kind: &str, name: &str) -> Result<Found, String> {
        let found = self.follow(file, kind, name)?;
        if found.element().get("virtual") == Some("true") && file != self.root {
            let root = self.root.clone();
            if let Ok(real) = self.follow(&root, kind, name) {
                return Ok(real);
            }
        }
        Ok(found)
    }

    fn follow(&mut self, file: &str, kind: &str, name: &str) -> Result<Found, String> {
        let mut place = (file.to_owned(), name.to_owned());
        for _ in 0..IMPORTS_MAX {
            let (file, name) = place;
            let document = self.document(&file)?;
            let definition = document
                .children
                .iter()
                .position(|child| defines(child, kind, &name));
            if let Some(index) = definition {
                return Ok(Found {
                    file,
                    document,
                    index,
                });
            }
            place = match imported(&document, kind, &name) {
                Some(place) => place,
                None => self.defined_in_import(&file, &document, kind, name)?,
            };
        }
        Err(format!("{file}: {kind} `{name}` is imported in a circle"))
    }

    /// Some files use a name of a file that they import for other names.
    fn defined_in_import(
        &mut self,
        file: &str,
        document: &Element,
        kind: &str,
        name: String,
    ) -> Result<(String, String), String> {
        for import in document
            .all("import")
            .filter_map(|import| import.get("file"))
        {
            let children = &self.document(import)?.children;
            if children.iter().any(|child| defines(child, kind, &name)) {
                return Ok((import.to_owned(), name));
            }
        }
        Err(format!(
            "{file}: no {kind} `{name}`, neither defined nor imported"
        ))
    }
}

/// True for the top-level definition of `name`.
fn defines(child: &Element, kind: &str, name: &str) -> bool {
    child.name == kind && child.get("name") == Some(name)
}

/// The file that `name` is imported from, and its name there.
fn imported(document: &Element, kind: &str, name: &str) -> Option<(String, String)> {
    document.all("import").find_map(|import| {
        let item = import
            .all(kind)
            .find(|item| item.get("name") == Some(name))?;
        Some((
            import.get("file")?.to_owned(),
            item.get("ref").unwrap_or(name).to_owned(),
        ))
    })
}
