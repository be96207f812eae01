//! Values of every type: canonical text and comparison, held against their own promises.

use usphere_datamodel::ValueType;
use usphere_datamodel::path::{Comparison, Operator};
use usphere_datamodel::types::*;

use crate::Tally;
use crate::random::{Random, Script};

const TYPES: [ValueType; 32] = [
    STRING,
    STRING.max(16),
    STRING.size(1, 4),
    STRING.list(),
    STRING.max(8).list_of(1, 3),
    BOOLEAN,
    BOOLEAN.list(),
    DATE_TIME,
    DATE_TIME.list(),
    BASE64,
    BASE64.max(6),
    BASE64.list(),
    HEX_BINARY,
    HEX_BINARY.size(2, 4),
    DECIMAL,
    DECIMAL.range(-3, 7),
    DECIMAL.list(),
    INT,
    INT.range(-128, 127),
    INT.list().list_max(12),
    LONG,
    UNSIGNED_INT,
    UNSIGNED_INT.at_least(2).list(),
    UNSIGNED_LONG,
    ALIAS,
    IP_ADDRESS,
    MAC_ADDRESS,
    UUID,
    one_of(&["true", "1", "cpe-1", ""]),
    strong_reference("Device.LocalAgent.Controller.{i}."),
    weak_reference("").list(),
    STRING.pattern(Pattern::IpPrefix).list(),
];

const PATTERNS: [Pattern; 16] = [
    Pattern::Alias,
    Pattern::Digits,
    Pattern::Eui64,
    Pattern::IpAddress,
    Pattern::IpPrefix,
    Pattern::Ipv4Address,
    Pattern::Ipv4Prefix,
    Pattern::Ipv6Address,
    Pattern::Ipv6Prefix,
    Pattern::MacAddress,
    Pattern::Oui,
    Pattern::OuiOrEmpty,
    Pattern::TimeOfDay,
    Pattern::Urn,
    Pattern::Uuid,
    Pattern::Version,
];

const OPERATORS: [Operator; 7] = [
    Operator::Contains,
    Operator::Equal,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Less,
    Operator::LessOrEqual,
    Operator::NotEqual,
];

const TEXTS: [&str; 40] = [
    "",
    "0",
    "-0",
    "+7",
    "007",
    "-1",
    "1",
    "true",
    "false",
    "2147483648",
    "-9223372036854775808",
    "18446744073709551616",
    "1.50",
    "-.5",
    "3.",
    ".",
    "1e3",
    "2026-01-31T23:59:59Z",
    "2026-01-31T23:59:59.500+02:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "aGVsbG8=",
    "aGVs\nbG8=",
    "aB",
    "0aFF",
    "a,b,c",
    " a , b ",
    "1,+2,003",
    "%2C,%25,%20",
    ",",
    ",,",
    "é,日本",
    "192.0.2.1",
    "2001:db8::/32",
    "00:00:5E:00:53:01",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "Device.LocalAgent.Controller.1",
    "Device.LocalAgent.Controller.1.,Device.A",
    "urn:ns:name",
];

/// Takes the script for a type and, with a line end between, a value and a constant.
pub(crate) fn value(script: &mut Script<'_>) -> Tally {
    let value_type = TYPES[script.below(TYPES.len())];
    let rest = String::from_utf8_lossy(script.rest());
    let (value, constant) = rest.split_once('\n').unwrap_or((&rest, "1"));
    for pattern in PATTERNS {
        pattern.matches(value);
    }
    let decoded = check_canonical(&value_type, value);
    check_canonical(&value_type, constant);
    for operator in OPERATORS {
        check_matches(&value_type, operator, value, constant);
    }
    check_order(&value_type, value, constant);
    Tally::one(decoded)
}

/// The next input, without the byte that chooses this kind.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![random.number() as u8];
    bytes.extend(format!("{}\n{}", text(random), text(random)).into_bytes());
    bytes
}

pub(crate) fn corpus() -> impl Iterator<Item = Vec<u8>> {
    (0..TYPES.len() as u8).flat_map(|index| {
        TEXTS
            .iter()
            .map(move |text| [&[3, index], text.as_bytes(), b"\n", text.as_bytes()].concat())
    })
}

/// A value that some type has.
pub(crate) fn text(random: &mut Random) -> String {
    let mut one = || TEXTS[random.below(TEXTS.len())];
    let (first, second) = (one(), one());
    match random.below(4) {
        0 => format!("{first},{second}"),
        1 => format!("{first}{second}"),
        _ => first.to_owned(),
    }
}

/// A comparison that was read is checked against every type, and then evaluated.
pub(crate) fn check_comparisons(comparison: &Comparison) {
    for value_type in TYPES {
        let checked = value_type.check_comparison(comparison);
        if checked.is_ok() {
            let zero = value_type.zero();
            let matched = value_type.matches(comparison.operator, zero, &comparison.constant);
            assert!(
                matched.is_ok(),
                "{comparison:?} was checked for {value_type:?}: {matched:?}"
            );
        }
    }
}

/// Whether it is a value of the type.
fn check_canonical(value_type: &ValueType, text: &str) -> bool {
    let Ok(canonical) = value_type.canonical(text) else {
        return false;
    };
    assert_eq!(
        value_type.canonical(&canonical).as_deref(),
        Ok(&*canonical),
        "{text:?} is spelled twice"
    );
    // A list of strings is compared item by item, and an item of any type by its meaning.
    let equal = value_type.matches(Operator::Equal, text, &canonical);
    assert_eq!(
        equal,
        Ok(true),
        "{text:?} is not {canonical:?} as {value_type:?}"
    );
    true
}

/// It fails exactly where the constant is no constant.
fn check_matches(value_type: &ValueType, operator: Operator, value: &str, constant: &str) {
    let checked = value_type.check_constant(operator, constant);
    let matched = value_type.matches(operator, value, constant);
    assert_eq!(
        checked.is_ok(),
        matched.is_ok(),
        "{value:?} {operator:?} {constant:?} as {value_type:?}: {checked:?}, {matched:?}"
    );
}

/// Not equal is not equal; of two numbers one is the greater, and which one does not depend on the side.
fn check_order(value_type: &ValueType, value: &str, constant: &str) {
    let holds =
        |operator, value: &str, constant: &str| value_type.matches(operator, value, constant);
    if let (Ok(equal), Ok(not_equal)) = (
        holds(Operator::Equal, value, constant),
        holds(Operator::NotEqual, value, constant),
    ) {
        assert_ne!(equal, not_equal);
    }
    let all = [Operator::Less, Operator::Equal, Operator::Greater]
        .map(|operator| holds(operator, value, constant));
    let is_value = value_type.check_constant(Operator::Less, value).is_ok();
    if let ([Ok(less), Ok(equal), Ok(greater)], true) = (&all, is_value) {
        let count = [less, equal, greater]
            .into_iter()
            .filter(|holds| **holds)
            .count();
        assert_eq!(count, 1, "{value:?} and {constant:?} as {value_type:?}");
        assert_eq!(holds(Operator::Greater, constant, value).as_ref(), Ok(less));
        assert_eq!(holds(Operator::LessOrEqual, value, constant), Ok(!greater));
        assert_eq!(holds(Operator::GreaterOrEqual, value, constant), Ok(!less));
    }
}
