//! Why a text is no value of a type.

use thiserror::Error;

use super::{Base, Pattern};
use crate::{
    limits::{Clipped, DECIMAL_DIGITS_MAX, VALUE_BYTES_MAX},
    path::{Form, Operator},
};

/// A text that is no value of the type, or a comparison that the type does not have.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ValueError {
    /// Not one of the texts allowed.
    #[error("{value} is none of {}", .choices.join(", "))]
    Choice {
        /// What was given.
        value: Clipped,
        /// What may be given.
        choices: &'static [&'static str],
    },
    /// A constant of an expression that is quoted and should not be, or the other way round.
    #[error("{value} is compared with a {}, so it has to stand {} quotes", .base.name(), if *.form == Form::Bare { "without" } else { "in" })]
    Form {
        /// The constant.
        value: Clipped,
        /// What it is compared with.
        base: Base,
        /// How it has to be written.
        form: Form,
    },
    /// Too few or too many items.
    #[error("{value} has {items} items, {} are allowed", count(*.least, *.most))]
    Items {
        /// What was given.
        value: Clipped,
        /// The items it has.
        items: usize,
        /// The fewest.
        least: u32,
        /// The most.
        most: Option<u32>,
    },
    /// Not a text of the base type.
    #[error("{value} is no {}, expected {}", .base.name(), expected(*.base))]
    Lexical {
        /// What was given.
        value: Clipped,
        /// What it should be.
        base: Base,
    },
    /// An operator that the type does not have.
    #[error("{} is not defined for {}{}", .operator.text(), if *.list { "a list of " } else { "" }, .base.name())]
    Operator {
        /// The operator.
        operator: Operator,
        /// The type, or that of the items.
        base: Base,
        /// Whether it is a list.
        list: bool,
    },
    /// Not of the form asked for.
    #[error("{value} is no {}", .pattern.expected())]
    Pattern {
        /// What was given.
        value: Clipped,
        /// What it should be.
        pattern: Pattern,
    },
    /// A number out of range.
    #[error("{value} is out of range, {} is allowed", between(*.least, *.most))]
    Range {
        /// What was given.
        value: Clipped,
        /// The least number.
        least: Option<i128>,
        /// The greatest number.
        most: Option<i128>,
    },
    /// Too few or too many characters or bytes.
    #[error("{value} is {size} {unit}, {} are allowed", count(*.least, *.most))]
    Size {
        /// What was given.
        value: Clipped,
        /// Its size.
        size: usize,
        /// `characters` or `bytes`.
        unit: &'static str,
        /// The smallest size.
        least: u32,
        /// The largest size.
        most: Option<u32>,
    },
    /// More text than any value may have.
    #[error("the value is {bytes} bytes long, at most {VALUE_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// An order asked of the unknown time.
    #[error("the unknown time can be compared by == and != only")]
    UnknownTime,
}

fn count(least: u32, most: Option<u32>) -> String {
    between(
        (least > 0 || most.is_none()).then(|| least.into()),
        most.map(i128::from),
    )
}

fn between(least: Option<i128>, most: Option<i128>) -> String {
    match (least, most) {
        (Some(least), Some(most)) if least == most => format!("exactly {most}"),
        (None, Some(most)) => format!("at most {most}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, None) => "any".into(),
    }
}

fn expected(base: Base) -> String {
    match base {
        Base::Base64 => "Base64 text".into(),
        Base::Boolean => "true, false, 1 or 0".into(),
        Base::DateTime => "a time such as 2026-01-31T23:59:59Z or …+02:00".into(),
        Base::Decimal => format!("a number of at most {DECIMAL_DIGITS_MAX} digits"),
        Base::HexBinary => "pairs of hexadecimal digits".into(),
        Base::Int | Base::Long | Base::UnsignedInt | Base::UnsignedLong => "a whole number".into(),
        Base::String => "text".into(),
    }
}
