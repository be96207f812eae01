//! The protobuf wire format, field by field, without allocation.

/// Groups inside groups that are skipped over at most, whatever the limits say.
const GROUPS_MAX: usize = 16;

/// Reads the fields of one message.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    groups_max: usize,
    grouped_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireValue<'a> {
    Bytes(&'a [u8]),
    Fixed32(u32),
    Fixed64,
    /// A group, already skipped; the schema has none. It has so many fields.
    Group(usize),
    Varint(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireFault {
    Broken(&'static str),
    TooDeep,
    TooMany,
}

const TRUNCATED: WireFault = WireFault::Broken("ends in the middle of a field");

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], groups_max: usize) -> Self {
        Self {
            rest: bytes,
            groups_max: groups_max.min(GROUPS_MAX),
            grouped_max: usize::MAX,
        }
    }

    /// With at most so many fields in groups, all together.
    pub(crate) fn grouped_max(self, grouped_max: usize) -> Self {
        Self {
            grouped_max,
            ..self
        }
    }

    fn field(&mut self) -> Result<(u32, WireValue<'a>), WireFault> {
        let (number, wire_type) = self.key()?;
        let value = match wire_type {
            3 => WireValue::Group(self.skip_group(number)?),
            4 => return Err(WireFault::Broken("end of a group that did not start")),
            _ => self.value(wire_type)?,
        };
        Ok((number, value))
    }

    fn key(&mut self) -> Result<(u32, u8), WireFault> {
        let key = self.varint()?;
        match u32::try_from(key) {
            Ok(key) if key >> 3 > 0 => Ok((key >> 3, (key & 7) as u8)),
            _ => Err(WireFault::Broken("invalid field number")),
        }
    }

    fn value(&mut self, wire_type: u8) -> Result<WireValue<'a>, WireFault> {
        Ok(match wire_type {
            0 => WireValue::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                WireValue::Fixed64
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| TRUNCATED)?;
                WireValue::Bytes(self.take(length)?)
            }
            5 => match *self.take(4)? {
                [a, b, c, d] => WireValue::Fixed32(u32::from_le_bytes([a, b, c, d])),
                _ => return Err(TRUNCATED),
            },
            _ => return Err(WireFault::Broken("invalid wire type")),
        })
    }

    /// Skips to the end of a group, without recursion, and counts the fields in it.
    fn skip_group(&mut self, number: u32) -> Result<usize, WireFault> {
        let mut open = [number; GROUPS_MAX];
        let (mut depth, mut fields) = (1, 0);
        while let Some(innermost) = open[..depth].last().copied() {
            let (number, wire_type) = self.key()?;
            if wire_type == 4 {
                if number != innermost {
                    return Err(WireFault::Broken("end of a group that did not start"));
                }
                depth -= 1;
                continue;
            }
            fields += 1;
            self.grouped_max = self.grouped_max.checked_sub(1).ok_or(WireFault::TooMany)?;
            if wire_type != 3 {
                self.value(wire_type)?;
            } else if depth < self.groups_max {
                open[depth] = number;
                depth += 1;
            } else {
                return Err(WireFault::TooDeep);
            }
        }
        Ok(fields)
    }

    fn varint(&mut self) -> Result<u64, WireFault> {
        let mut value = 0;
        for (at, &byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            TRUNCATED
        } else {
            WireFault::Broken("invalid varint")
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireFault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u32, WireValue<'a>), WireFault>;

    /// The next field. After a fault there is no next one.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Writes fields in the canonical form: what is default is the caller's to leave out.
pub(crate) mod write {
    pub(crate) fn varint(out: &mut Vec<u8>, number: u32, value: u64) {
        key(out, number, 0);
        raw_varint(out, value);
    }

    pub(crate) fn fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
        key(out, number, 5);
        out.extend(value.to_le_bytes());
    }

    pub(crate) fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
        key(out, number, 2);
        raw_varint(out, value.len() as u64);
        out.extend(value);
    }

    fn key(out: &mut Vec<u8>, number: u32, wire_type: u32) {
        raw_varint(out, u64::from(number << 3 | wire_type));
    }

    fn raw_varint(out: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
}
