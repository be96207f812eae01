//! The grammar of path names, read in one pass over the bytes.
//!
//! A reader holds a position that only grows, and every loop consumes at least one byte per turn, so the work is
//! linear in the text. Names are ASCII, so slices always fall between characters.

use super::{
    Comparison, End, Expression, Form, Operator, Path, PathError, PathErrorKind, RelativePath,
    Segment, Which,
};
use crate::limits::{COMPARISONS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, SEGMENTS_MAX};

/// Reads a whole path name.
pub(super) fn path(text: &str) -> Result<Path, PathError> {
    let mut reader = Reader::new(text)?;
    let mut segments = Vec::with_capacity(8);
    let root = reader.name()?;
    reader.dot()?;
    segments.push(Segment::Name(root.into()));
    let end = loop {
        let Some(byte) = reader.peek() else {
            break End::Object;
        };
        if segments.len() == SEGMENTS_MAX {
            return Err(reader.error(PathErrorKind::TooManySegments));
        }
        if starts_instance(byte) {
            // The root is no table, and an instance is neither.
            if segments.len() < 2 || !matches!(segments.last(), Some(Segment::Name(_))) {
                return Err(reader.error(PathErrorKind::InstancePlace));
            }
            segments.push(reader.instance()?);
            if reader.peek().is_none() {
                break End::Object;
            }
            reader.dot()?;
        } else {
            match reader.step()? {
                Step::Segment(segment) => segments.push(segment),
                Step::End(end) => break end,
            }
        }
    };
    let path = Path { segments, end };
    if path.segments.contains(&Segment::Placeholder) && path.is_search() {
        return Err(PathError::new(PathErrorKind::Mixed, text, 0));
    }
    Ok(path)
}

/// Reads a whole relative parameter path, with instance numbers.
pub(super) fn relative(text: &str) -> Result<RelativePath, PathError> {
    let mut reader = Reader::new(text)?;
    let path = reader.relative(Tables::Allowed)?;
    match reader.peek() {
        None => Ok(path),
        Some(_) => Err(reader.error(PathErrorKind::Dot)),
    }
}

/// What begins with a name: a step on the way, or the end of it.
enum Step {
    End(End),
    Segment(Segment),
}

/// Whether a relative path may go through rows of tables.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Tables {
    Allowed,
    Refused,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Result<Self, PathError> {
        let kind = match text.len() {
            0 => PathErrorKind::Empty,
            1..=PATH_BYTES_MAX => return Ok(Self { text, at: 0 }),
            bytes => PathErrorKind::TooLong(bytes),
        };
        Err(PathError::new(kind, text, 0))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `expected` if it stands here.
    fn take(&mut self, expected: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(expected.as_bytes());
        if found {
            self.at += expected.len();
        }
        found
    }

    fn error(&self, kind: PathErrorKind) -> PathError {
        PathError::new(kind, self.text, self.at)
    }

    fn dot(&mut self) -> Result<(), PathError> {
        if self.take(".") {
            Ok(())
        } else {
            Err(self.error(PathErrorKind::Dot))
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Steps over bytes while they are `wanted`, and gives them.
    fn run(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A name. Vendors' names (`X_EXAMPLE-COM_Thing`) may have hyphens, which TR-106 makes of the dots of a domain.
    fn name(&mut self) -> Result<&'a str, PathError> {
        let start = self.at;
        if !matches!(self.peek(), Some(b'A'..=b'Z' | b'a'..=b'z' | b'_')) {
            return Err(self.error(PathErrorKind::Name));
        }
        let mut name = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if self.peek() == Some(b'-') && name.starts_with("X_") {
            self.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            name = &self.text[start..self.at];
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(PathError::new(PathErrorKind::NameTooLong, self.text, start));
        }
        Ok(name)
    }

    /// A name and what its end makes of it.
    fn step(&mut self) -> Result<Step, PathError> {
        let start = self.at;
        let name = self.name()?;
        match self.peek() {
            None => Ok(Step::End(End::Parameter(name.into()))),
            Some(b'.') => {
                self.at += 1;
                Ok(Step::Segment(Segment::Name(name.into())))
            }
            Some(b'+' | b'#') => {
                let which = self.follow()?;
                self.dot()?;
                Ok(Step::Segment(Segment::Follow {
                    parameter: name.into(),
                    which,
                }))
            }
            Some(b'(') if self.text.len() == self.at + 2 && self.take("()") => {
                Ok(Step::End(End::Command(self.text[start..].into())))
            }
            Some(b'!') if self.text.len() == self.at + 1 => {
                self.at += 1;
                Ok(Step::End(End::Event(self.text[start..].into())))
            }
            Some(b'(' | b'!') => Err(self.error(PathErrorKind::CommandOrEvent)),
            Some(_) => Err(self.error(PathErrorKind::Dot)),
        }
    }

    /// `+`, `#N+` or `#*+`.
    fn follow(&mut self) -> Result<Which, PathError> {
        let which = if !self.take("#") {
            Which::Only
        } else if self.take("*") {
            Which::All
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            Which::Index(self.number()?)
        } else {
            return Err(self.error(PathErrorKind::Follow));
        };
        if self.take("+") {
            Ok(which)
        } else {
            Err(self.error(PathErrorKind::Follow))
        }
    }

    fn instance(&mut self) -> Result<Segment, PathError> {
        match self.peek() {
            Some(b'[') => self.expression().map(Segment::Search),
            Some(b'*') => {
                self.at += 1;
                Ok(Segment::Wildcard)
            }
            Some(b'{') if self.take("{i}") => Ok(Segment::Placeholder),
            Some(b'{') => Err(self.error(PathErrorKind::Placeholder)),
            _ => self.number().map(Segment::Instance),
        }
    }

    /// A positive number of 32 bits.
    fn number(&mut self) -> Result<u32, PathError> {
        let start = self.at;
        let digits = self.run(|byte| byte.is_ascii_digit());
        match digits.parse() {
            Ok(number) if !digits.starts_with('0') => Ok(number),
            _ => Err(PathError::new(PathErrorKind::Instance, self.text, start)),
        }
    }

    fn expression(&mut self) -> Result<Expression, PathError> {
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b']') {
            return Err(self.error(PathErrorKind::EmptyExpression));
        }
        let mut comparisons = Vec::with_capacity(1);
        loop {
            if comparisons.len() == COMPARISONS_MAX {
                return Err(self.error(PathErrorKind::TooManyComparisons));
            }
            self.blanks();
            comparisons.push(self.comparison()?);
            self.blanks();
            if self.take("]") {
                return Ok(Expression { comparisons });
            }
            if !self.take("&&") {
                let or = self.peek() == Some(b'|');
                return Err(self.error(if or {
                    PathErrorKind::Or
                } else {
                    PathErrorKind::ExpressionEnd
                }));
            }
        }
    }

    fn comparison(&mut self) -> Result<Comparison, PathError> {
        let path = self.relative(Tables::Refused)?;
        self.blanks();
        let operator = self.operator()?;
        self.blanks();
        let (constant, form) = if self.take("\"") {
            (self.quoted()?, Form::Quoted)
        } else {
            (self.bare()?.into(), Form::Bare)
        };
        Ok(Comparison {
            path,
            operator,
            constant,
            form,
        })
    }

    fn relative(&mut self, tables: Tables) -> Result<RelativePath, PathError> {
        let mut segments = Vec::new();
        loop {
            if segments.len() == SEGMENTS_MAX {
                return Err(self.error(PathErrorKind::TooManySegments));
            }
            if self.peek().is_some_and(starts_instance) {
                segments.push(self.relative_instance(tables, segments.last())?);
                self.dot()?;
                continue;
            }
            let name = self.name()?;
            match self.peek() {
                Some(b'+' | b'#') => {
                    let which = self.follow()?;
                    self.dot()?;
                    segments.push(Segment::Follow {
                        parameter: name.into(),
                        which,
                    });
                }
                Some(b'.') => {
                    self.at += 1;
                    segments.push(Segment::Name(name.into()));
                }
                _ => {
                    return Ok(RelativePath {
                        segments,
                        parameter: name.into(),
                    });
                }
            }
        }
    }

    fn relative_instance(
        &mut self,
        tables: Tables,
        before: Option<&Segment>,
    ) -> Result<Segment, PathError> {
        match before {
            _ if tables == Tables::Refused => Err(self.error(PathErrorKind::ChildTable)),
            Some(Segment::Name(_)) => self.number().map(Segment::Instance),
            _ => Err(self.error(PathErrorKind::InstancePlace)),
        }
    }

    fn operator(&mut self) -> Result<Operator, PathError> {
        // Of two that begin alike, the longer first.
        const OPERATORS: [Operator; 7] = [
            Operator::Equal,
            Operator::NotEqual,
            Operator::Contains,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::Less,
            Operator::Greater,
        ];
        match OPERATORS
            .into_iter()
            .find(|operator| self.take(operator.text()))
        {
            Some(operator) => Ok(operator),
            None => Err(self.error(PathErrorKind::Operator)),
        }
    }

    /// The rest of a string whose first quote was read.
    fn quoted(&mut self) -> Result<Box<str>, PathError> {
        let start = self.at;
        let Some(length) = self.text[start..].find('"') else {
            return Err(PathError::new(PathErrorKind::Quote, self.text, start - 1));
        };
        self.at += length + 1;
        let literal = &self.text[start..start + length];
        if !literal.contains('%') {
            return Ok(literal.into());
        }
        unescape(literal).map_err(|at| PathError::new(PathErrorKind::Escape, self.text, start + at))
    }

    /// A constant without quotes. The grammar has only integers; the text of TR-369 also has booleans, times and
    /// hexadecimal, so whatever a type other than string can look like is taken, and the type decides later.
    fn bare(&mut self) -> Result<&'a str, PathError> {
        let start = self.at;
        let constant = self.run(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'-' | b'.' | b':' | b'/' | b'=' | b'_')
        });
        if constant.is_empty() || constant.starts_with('=') {
            return Err(PathError::new(PathErrorKind::Constant, self.text, start));
        }
        Ok(constant)
    }
}

fn starts_instance(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'*' | b'[' | b'{')
}

/// Replaces each `%` and two hexadecimal digits by their byte, or says where one is malformed. (`%22` and `%25` are
/// the ones that have to be written so; the others mean the same as in any percent-encoded text.)
fn unescape(literal: &str) -> Result<Box<str>, usize> {
    let bytes = literal.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            plain.push(byte);
            at += 1;
            continue;
        }
        let digit = |offset: usize| {
            bytes
                .get(at + offset)
                .and_then(|byte| (*byte as char).to_digit(16))
        };
        let (Some(high), Some(low)) = (digit(1), digit(2)) else {
            return Err(at);
        };
        plain.push((high * 16 + low) as u8);
        at += 3;
    }
    String::from_utf8(plain)
        .map(String::into_boxed_str)
        .map_err(|_| 0)
}
