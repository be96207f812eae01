//! Named forms of strings, matched by hand: TR-106's named types and the patterns that TR-181 repeats.

use std::net::Ipv6Addr;

/// A form that a string has. Where TR-106 lets "unspecified" be empty, so does the pattern.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Pattern {
    /// Not empty, starts with a letter.
    Alias,
    /// `[0-9]+`
    Digits,
    /// Eight pairs of hexadecimal digits with colons, or empty.
    Eui64,
    /// An IPv4 or IPv6 address, or empty.
    IpAddress,
    /// An IPv4 or IPv6 prefix, with or without its address, or empty.
    IpPrefix,
    /// Four numbers with dots, or empty.
    Ipv4Address,
    /// `192.0.2.0/24`, `/24`, or empty.
    Ipv4Prefix,
    /// An IPv6 address without zone, or empty.
    Ipv6Address,
    /// `2001:db8::/32`, `/32`, or empty.
    Ipv6Prefix,
    /// Six pairs of hexadecimal digits with colons, or empty.
    MacAddress,
    /// Six hexadecimal digits, letters upper case.
    Oui,
    /// Six hexadecimal digits, letters upper case, or empty.
    OuiOrEmpty,
    /// `23:59`
    TimeOfDay,
    /// `urn:` with a namespace and a name.
    Urn,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Numbers with dots between.
    Version,
}

impl Pattern {
    /// Whether `text` has this form.
    pub fn matches(self, text: &str) -> bool {
        match self {
            Self::Alias => text.starts_with(|first: char| first.is_alphabetic()),
            Self::Digits => digits(text),
            Self::Eui64 => text.is_empty() || pairs(text, 8),
            Self::IpAddress => text.is_empty() || ipv4(text) || ipv6(text),
            Self::IpPrefix => text.is_empty() || prefix(text, ipv4, 32) || prefix(text, ipv6, 128),
            Self::Ipv4Address => text.is_empty() || ipv4(text),
            Self::Ipv4Prefix => text.is_empty() || prefix(text, ipv4, 32),
            Self::Ipv6Address => text.is_empty() || ipv6(text),
            Self::Ipv6Prefix => text.is_empty() || prefix(text, ipv6, 128),
            Self::MacAddress => text.is_empty() || pairs(text, 6),
            Self::Oui => oui(text),
            Self::OuiOrEmpty => text.is_empty() || oui(text),
            Self::TimeOfDay => time_of_day(text),
            Self::Urn => urn(text),
            Self::Uuid => uuid(text),
            Self::Version => text.split('.').all(digits),
        }
    }

    /// What `matches` looks for, in words.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Alias => "alias, which starts with a letter",
            Self::Digits => "sequence of digits",
            Self::Eui64 => "EUI-64 such as 00:00:5E:EF:10:00:00:00",
            Self::IpAddress => "IP address",
            Self::IpPrefix => "IP prefix such as 192.0.2.0/24 or 2001:db8::/32",
            Self::Ipv4Address => "IPv4 address",
            Self::Ipv4Prefix => "IPv4 prefix such as 192.0.2.0/24",
            Self::Ipv6Address => "IPv6 address without zone",
            Self::Ipv6Prefix => "IPv6 prefix such as 2001:db8::/32",
            Self::MacAddress => "MAC address such as 00:00:5E:00:53:01",
            Self::Oui | Self::OuiOrEmpty => "OUI of six hexadecimal digits in upper case",
            Self::TimeOfDay => "time of day such as 23:59",
            Self::Urn => "URN such as urn:namespace:name",
            Self::Uuid => "UUID such as f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            Self::Version => "version such as 1.2.3",
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn pairs(text: &str, count: usize) -> bool {
    text.len() == count * 3 - 1
        && text
            .split(':')
            .all(|pair| pair.len() == 2 && hexadecimal(pair))
}

fn octet(text: &str) -> bool {
    text.len() <= 3 && digits(text) && text.parse::<u8>().is_ok()
}

fn ipv4(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 3 && text.split('.').all(octet)
}

fn ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn prefix(text: &str, address: fn(&str) -> bool, most: u8) -> bool {
    let Some((start, bits)) = text.split_once('/') else {
        return false;
    };
    (start.is_empty() || address(start))
        && octet(bits)
        && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn oui(text: &str) -> bool {
    text.len() == 6
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

fn time_of_day(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else {
        return false;
    };
    let below = |part: &str, limit: u8| {
        part.len() == 2 && digits(part) && part.parse::<u8>().is_ok_and(|number| number < limit)
    };
    below(hours, 24) && below(minutes, 60)
}

fn urn(text: &str) -> bool {
    let Some((namespace, name)) = text
        .strip_prefix("urn:")
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    (2..=32).contains(&namespace.len())
        && namespace
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !namespace.starts_with('-')
        && !namespace.ends_with('-')
        && !name.is_empty()
}

fn uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    text.len() == 36
        && text.split('-').count() == lengths.len()
        && text
            .split('-')
            .zip(lengths)
            .all(|(part, length)| part.len() == length && hexadecimal(part))
}
