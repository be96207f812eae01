//! Typed comparison of a value with the constant of a search expression. (R-ARC.7, TR-369 "Searching with Expressions")

use std::cmp::Ordering;

use super::{
    Base, ValueError, ValueType,
    calendar::Time,
    canonical::{base64, boolean, decimal, integer, is_hexadecimal, time},
    list,
};
use crate::{
    limits::Clipped,
    path::{Comparison, Form, Operator},
};

impl ValueType {
    /// Whether `value <operator> constant` holds, by the meaning of the type. Facets play no part, so a constant
    /// outside of a range simply equals nothing.
    ///
    /// Strings and booleans, binaries, references and whole lists have `==` and `!=`; lists have `~=` with a
    /// constant of the item's type, and nothing else has it; numbers and times are ordered, the unknown time is
    /// not. A `value` that is not of its type (an owner's mistake) equals nothing and is in no order.
    ///
    /// Fails exactly where [`Self::check_constant`] does.
    pub fn matches(
        &self,
        operator: Operator,
        value: &str,
        constant: &str,
    ) -> Result<bool, ValueError> {
        if let (Base::String, None, None) = (self.base, self.list, self.reference) {
            // Unique keys are mostly strings, so this one has to be quick.
            match operator {
                Operator::Equal => return Ok(value == constant),
                Operator::NotEqual => return Ok(value != constant),
                _ => {}
            }
        }
        self.check_operator(operator)?;
        if self.list.is_none() {
            let constant = self.scalar(constant)?;
            return self.scalar_matches(operator, value, &constant);
        }
        if operator == Operator::Contains {
            let constant = self.scalar(constant)?;
            return Ok(list::items(value).any(|item| self.equal(&item, &constant)));
        }
        let equal = self.lists_equal(value, constant)?;
        Ok(equal == (operator == Operator::Equal))
    }

    /// Whether the type has this operator and this constant, for use when an expression is read.
    pub fn check_constant(&self, operator: Operator, constant: &str) -> Result<(), ValueError> {
        self.check_operator(operator)?;
        if self.list.is_some() && operator != Operator::Contains {
            return list::items(constant).try_for_each(|item| self.scalar(&item).map(drop));
        }
        match self.scalar(constant)? {
            Scalar::Time(Time::UNKNOWN) if is_order(operator) => Err(ValueError::UnknownTime),
            _ => Ok(()),
        }
    }

    /// [`Self::check_constant`], and that quotes stand where they must: always for strings and whole lists, never for
    /// booleans and numbers. Times and binaries may have them, since the grammar of TR-369 has them in quotes and its
    /// examples without.
    pub fn check_comparison(&self, comparison: &Comparison) -> Result<(), ValueError> {
        let whole_list = self.list.is_some() && comparison.operator != Operator::Contains;
        let form = match self.base {
            _ if whole_list => Form::Quoted,
            Base::String => Form::Quoted,
            Base::Base64 | Base::DateTime | Base::HexBinary => comparison.form,
            _ => Form::Bare,
        };
        // Which operator there is matters more to the reader than quotes.
        self.check_operator(comparison.operator)?;
        if form != comparison.form {
            let value = Clipped::new(&comparison.constant);
            return Err(ValueError::Form {
                value,
                base: self.base,
                form,
            });
        }
        self.check_constant(comparison.operator, &comparison.constant)
    }

    fn check_operator(&self, operator: Operator) -> Result<(), ValueError> {
        let list = self.list.is_some();
        let ordered = !matches!(
            self.base,
            Base::Base64 | Base::Boolean | Base::HexBinary | Base::String
        );
        let known = match operator {
            Operator::Equal | Operator::NotEqual => true,
            Operator::Contains => list,
            _ => ordered && !list,
        };
        if known {
            Ok(())
        } else {
            Err(ValueError::Operator {
                operator,
                base: self.base,
                list,
            })
        }
    }

    fn scalar_matches(
        &self,
        operator: Operator,
        value: &str,
        constant: &Scalar<'_>,
    ) -> Result<bool, ValueError> {
        if *constant == Scalar::Time(Time::UNKNOWN) && is_order(operator) {
            return Err(ValueError::UnknownTime);
        }
        let value = self.scalar(value).ok();
        let order = value.as_ref().and_then(|value| value.compare(constant));
        Ok(match operator {
            Operator::NotEqual => order != Some(Ordering::Equal),
            Operator::Equal => order == Some(Ordering::Equal),
            _ if value == Some(Scalar::Time(Time::UNKNOWN)) => false,
            Operator::Greater => order == Some(Ordering::Greater),
            Operator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Operator::Less => order == Some(Ordering::Less),
            Operator::LessOrEqual => order.is_some_and(Ordering::is_le),
            Operator::Contains => false,
        })
    }

    fn equal(&self, value: &str, constant: &Scalar<'_>) -> bool {
        self.scalar(value)
            .is_ok_and(|value| value.compare(constant) == Some(Ordering::Equal))
    }

    /// Whether both lists have the same items in the same order.
    fn lists_equal(&self, value: &str, constant: &str) -> Result<bool, ValueError> {
        let mut values = list::items(value);
        let mut equal = true;
        for item in list::items(constant) {
            let item = self.scalar(&item)?;
            equal &= values.next().is_some_and(|value| self.equal(&value, &item));
        }
        Ok(equal && values.next().is_none())
    }

    /// What `text` means as one value of this base.
    fn scalar<'a>(&self, text: &'a str) -> Result<Scalar<'a>, ValueError> {
        let wrong = || ValueError::Lexical {
            value: Clipped::new(text),
            base: self.base,
        };
        Ok(match self.base {
            Base::Base64 => Scalar::Bytes(base64(text)?),
            Base::Boolean => Scalar::Boolean(boolean(text).ok_or_else(wrong)?),
            Base::DateTime => Scalar::Time(time(text)?),
            Base::Decimal => Scalar::Decimal(decimal(text)?),
            Base::HexBinary if is_hexadecimal(text) => Scalar::Hexadecimal(text),
            Base::HexBinary => return Err(wrong()),
            Base::Int | Base::Long | Base::UnsignedInt | Base::UnsignedLong => {
                Scalar::Integer(integer(self.base, text)?)
            }
            Base::String if self.reference.is_some() => {
                Scalar::Text(text.strip_suffix('.').unwrap_or(text))
            }
            Base::String => Scalar::Text(text),
        })
    }
}

fn is_order(operator: Operator) -> bool {
    !matches!(
        operator,
        Operator::Contains | Operator::Equal | Operator::NotEqual
    )
}

/// A value by its meaning. Two of one type can be compared.
#[derive(Debug, PartialEq)]
enum Scalar<'a> {
    Boolean(bool),
    Bytes(Vec<u8>),
    Decimal(super::decimal::Decimal<'a>),
    Hexadecimal(&'a str),
    Integer(i128),
    Text(&'a str),
    Time(Time),
}

impl Scalar<'_> {
    fn compare(&self, other: &Scalar<'_>) -> Option<Ordering> {
        let equality = |equal: bool| equal.then_some(Ordering::Equal);
        match (self, other) {
            (Self::Boolean(one), Scalar::Boolean(two)) => equality(one == two),
            (Self::Bytes(one), Scalar::Bytes(two)) => equality(one == two),
            (Self::Decimal(one), Scalar::Decimal(two)) => Some(one.compare(two)),
            (Self::Hexadecimal(one), Scalar::Hexadecimal(two)) => {
                equality(one.eq_ignore_ascii_case(two))
            }
            (Self::Integer(one), Scalar::Integer(two)) => Some(one.cmp(two)),
            (Self::Text(one), Scalar::Text(two)) => equality(one == two),
            (Self::Time(one), Scalar::Time(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }
}
