//! Path names back to text: what was parsed reads the same, blanks inside expressions apart (R-ARC.9b).

use std::fmt::{self, Display, Formatter, Write};

use super::{Comparison, End, Expression, Form, Operator, Path, RelativePath, Segment, Which};

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        segments(&self.segments, f)?;
        match &self.end {
            End::Object => Ok(()),
            End::Command(name) | End::Event(name) | End::Parameter(name) => f.write_str(name),
        }
    }
}

impl Display for RelativePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        segments(&self.segments, f)?;
        f.write_str(&self.parameter)
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Follow { parameter, which } => write!(f, "{parameter}{which}"),
            Self::Instance(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
            Self::Placeholder => f.write_str("{i}"),
            Self::Search(expression) => expression.fmt(f),
            Self::Wildcard => f.write_char('*'),
        }
    }
}

impl Display for Which {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("#*+"),
            Self::Index(item) => write!(f, "#{item}+"),
            Self::Only => f.write_char('+'),
        }
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, comparison) in self.comparisons.iter().enumerate() {
            if index > 0 {
                f.write_str("&&")?;
            }
            comparison.fmt(f)?;
        }
        f.write_char(']')
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, self.operator)?;
        match self.form {
            Form::Bare => f.write_str(&self.constant),
            Form::Quoted => quoted(&self.constant, f),
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

fn segments(segments: &[Segment], f: &mut Formatter<'_>) -> fmt::Result {
    for segment in segments {
        segment.fmt(f)?;
        f.write_char('.')?;
    }
    Ok(())
}

fn quoted(constant: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for character in constant.chars() {
        match character {
            '"' => f.write_str("%22")?,
            '%' => f.write_str("%25")?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}
