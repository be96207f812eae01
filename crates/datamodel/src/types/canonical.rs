//! From a text to the one spelling of its value, all facets checked.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Base, ListBounds, ValueError, ValueType, calendar, calendar::Time, decimal::Decimal, list,
};
use crate::limits::{Clipped, VALUE_BYTES_MAX};

impl ValueType {
    /// The canonical spelling of `text`, which may be in any lexical form of TR-106 (`1` for `true`, `+07` for `7`).
    /// What is canonical already is borrowed. Fails where `text` is no such value or breaks a facet.
    pub fn canonical<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(ValueError::TooLong { bytes: text.len() });
        }
        match self.list {
            None => self.item(text),
            Some(bounds) => self.whole_list(text, bounds),
        }
    }

    fn whole_list<'a>(
        &self,
        text: &'a str,
        bounds: ListBounds,
    ) -> Result<Cow<'a, str>, ValueError> {
        let items = list::written_items(text).count();
        if items < bounds.items_min as usize
            || bounds.items_max.is_some_and(|most| items > most as usize)
        {
            let (least, most) = (bounds.items_min, bounds.items_max);
            return Err(ValueError::Items {
                value: Clipped::new(text),
                items,
                least,
                most,
            });
        }
        let mut canonical = String::with_capacity(text.len());
        for (index, item) in list::written_items(text).enumerate() {
            if index > 0 {
                canonical.push(',');
            }
            // The items of a string list stay as they are written, see `list::decode`.
            match self.item(&list::decode(item))? {
                _ if self.base == Base::String => canonical.push_str(item),
                spelling => canonical.push_str(&spelling),
            }
        }
        // One item without any bytes cannot be told from no item.
        if items > 0 && canonical.is_empty() {
            return Err(ValueError::Lexical {
                value: Clipped::new(text),
                base: self.base,
            });
        }
        check_size(
            &canonical,
            canonical.chars().count(),
            "characters",
            0,
            bounds.size_max,
        )?;
        Ok(if canonical == text {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(canonical)
        })
    }

    /// The canonical spelling of one value, or of one item of a list.
    fn item<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        let wrong = || ValueError::Lexical {
            value: Clipped::new(text),
            base: self.base,
        };
        match self.base {
            Base::Boolean => boolean(text)
                .map(|value| if value { "true" } else { "false" }.into())
                .ok_or_else(wrong),
            Base::DateTime => {
                Time::parse(text).ok_or_else(wrong)?;
                Ok(spelled(text, calendar::canonical(text)))
            }
            Base::Base64 => self.base64(text),
            Base::HexBinary => self.hexadecimal(text),
            Base::Decimal => self.decimal(text),
            Base::Int | Base::Long | Base::UnsignedInt | Base::UnsignedLong => self.integer(text),
            Base::String => self.string(text),
        }
    }

    fn string<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        if self.size_min > 0 || self.size_max.is_some() {
            check_size(
                text,
                text.chars().count(),
                "characters",
                self.size_min,
                self.size_max,
            )?;
        }
        if !self.choices.is_empty() && !self.choices.contains(&text) {
            return Err(ValueError::Choice {
                value: Clipped::new(text),
                choices: self.choices,
            });
        }
        match self.pattern {
            Some(pattern) if !pattern.matches(text) => Err(ValueError::Pattern {
                value: Clipped::new(text),
                pattern,
            }),
            _ => Ok(Cow::Borrowed(text)),
        }
    }

    fn integer<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        let number = integer(self.base, text)?;
        if self.range_min.is_some_and(|least| number < least)
            || self.range_max.is_some_and(|most| number > most)
        {
            return Err(self.out_of_range(text));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (number != 0 || text == "0")
            && (number == 0 || !digits.starts_with('0'));
        Ok(if canonical {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(number.to_string())
        })
    }

    fn decimal<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        let number = decimal(text)?;
        let beyond = |bound: Option<i128>, side| {
            bound.is_some_and(|bound| {
                let bound = bound.to_string();
                Decimal::parse(&bound).is_some_and(|bound| number.compare(&bound) == side)
            })
        };
        if beyond(self.range_min, std::cmp::Ordering::Less)
            || beyond(self.range_max, std::cmp::Ordering::Greater)
        {
            return Err(self.out_of_range(text));
        }
        Ok(spelled(text, number.canonical()))
    }

    fn base64<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        let bytes = base64(text)?;
        check_size(text, bytes.len(), "bytes", self.size_min, self.size_max)?;
        Ok(if text.contains(char::is_whitespace) {
            without_blanks(text).into()
        } else {
            text.into()
        })
    }

    fn hexadecimal<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
        if !is_hexadecimal(text) {
            return Err(ValueError::Lexical {
                value: Clipped::new(text),
                base: Base::HexBinary,
            });
        }
        check_size(text, text.len() / 2, "bytes", self.size_min, self.size_max)?;
        let lower = text.contains(|digit: char| digit.is_ascii_lowercase());
        Ok(if lower {
            text.to_ascii_uppercase().into()
        } else {
            text.into()
        })
    }

    fn out_of_range(&self, text: &str) -> ValueError {
        let (base_least, base_most) = self.base.integers().unzip();
        ValueError::Range {
            value: Clipped::new(text),
            least: self.range_min.or(base_least),
            most: self.range_max.or(base_most),
        }
    }
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// The number that `text` spells, in the range of `base`.
pub(super) fn integer(base: Base, text: &str) -> Result<i128, ValueError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::Lexical {
            value: Clipped::new(text),
            base,
        });
    }
    // Any number of leading zeros is lawful; what is too long for i128 without them is out of every range.
    let (least, most) = base.integers().unwrap_or((i128::MIN, i128::MAX));
    let number = text.parse::<i128>();
    number
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| ValueError::Range {
            value: Clipped::new(text),
            least: Some(least),
            most: Some(most),
        })
}

pub(super) fn decimal(text: &str) -> Result<Decimal<'_>, ValueError> {
    Decimal::parse(text).ok_or_else(|| ValueError::Lexical {
        value: Clipped::new(text),
        base: Base::Decimal,
    })
}

pub(super) fn time(text: &str) -> Result<Time, ValueError> {
    Time::parse(text).ok_or_else(|| ValueError::Lexical {
        value: Clipped::new(text),
        base: Base::DateTime,
    })
}

pub(super) fn base64(text: &str) -> Result<Vec<u8>, ValueError> {
    let decoded = if text.contains(char::is_whitespace) {
        STANDARD.decode(without_blanks(text))
    } else {
        STANDARD.decode(text)
    };
    decoded.map_err(|_| ValueError::Lexical {
        value: Clipped::new(text),
        base: Base::Base64,
    })
}

pub(super) fn is_hexadecimal(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn without_blanks(text: &str) -> String {
    text.split_ascii_whitespace().collect()
}

fn spelled(text: &str, canonical: String) -> Cow<'_, str> {
    if canonical == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(canonical)
    }
}

fn check_size(
    text: &str,
    size: usize,
    unit: &'static str,
    least: u32,
    most: Option<u32>,
) -> Result<(), ValueError> {
    if size < least as usize || most.is_some_and(|most| size > most as usize) {
        return Err(ValueError::Size {
            value: Clipped::new(text),
            size,
            unit,
            least,
            most,
        });
    }
    Ok(())
}
