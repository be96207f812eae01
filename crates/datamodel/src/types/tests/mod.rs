//! The types as tables, and their properties on random values.

mod compare;

use std::borrow::Cow;

use proptest::prelude::*;

use super::{list, *};
use crate::limits::{DECIMAL_DIGITS_MAX, VALUE_BYTES_MAX};

fn spelled(value_type: &ValueType, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let canonical = value_type
            .canonical(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(canonical, *expected, "{text}");
        let again = value_type.canonical(expected).unwrap();
        assert!(
            matches!(again, Cow::Borrowed(same) if same == *expected),
            "{expected} is copied"
        );
    }
}

fn refused(value_type: &ValueType, texts: &[&str]) {
    for text in texts {
        assert!(
            value_type.canonical(text).is_err(),
            "{text:?} is no {}",
            value_type.base.name()
        );
    }
}

/// Proves: R-ENC.6
#[test]
fn booleans_have_four_spellings() {
    spelled(
        &BOOLEAN,
        &[
            ("true", "true"),
            ("1", "true"),
            ("false", "false"),
            ("0", "false"),
        ],
    );
    refused(
        &BOOLEAN,
        &["", "True", "TRUE", "yes", "2", "01", " true", "true "],
    );
}

#[test]
fn integers_keep_to_their_width() {
    spelled(
        &INT,
        &[
            ("+07", "7"),
            ("-007", "-7"),
            ("-0", "0"),
            ("000", "0"),
            ("-2147483648", "-2147483648"),
        ],
    );
    refused(
        &INT,
        &[
            "2147483648",
            "-2147483649",
            "",
            "+",
            "-",
            "--1",
            "1.0",
            "1e3",
            "0x1",
            "٣",
            " 1",
            "1 ",
        ],
    );
    spelled(
        &UNSIGNED_INT,
        &[("4294967295", "4294967295"), ("+1", "1"), ("-0", "0")],
    );
    refused(&UNSIGNED_INT, &["4294967296", "-1"]);
    spelled(
        &LONG,
        &[
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
        ],
    );
    refused(&LONG, &["9223372036854775808", "-9223372036854775809"]);
    spelled(
        &UNSIGNED_LONG,
        &[("18446744073709551615", "18446744073709551615")],
    );
    refused(&UNSIGNED_LONG, &["18446744073709551616", "-1"]);
    let zeros = "0".repeat(1000);
    assert_eq!(INT.canonical(&format!("-{zeros}12")).unwrap(), "-12");
    refused(&LONG, &[&"9".repeat(1000), &format!("1{zeros}")]);
}

#[test]
fn ranges_are_inclusive_and_named_in_the_message() {
    let port = UNSIGNED_INT.range(1, 65535);
    spelled(&port, &[("1", "1"), ("65535", "65535")]);
    assert_eq!(
        port.canonical("0").unwrap_err().to_string(),
        "\"0\" is out of range, 1 to 65535 is allowed"
    );
    let shown = UNSIGNED_INT
        .at_least(1)
        .canonical("-5")
        .unwrap_err()
        .to_string();
    assert_eq!(shown, "\"-5\" is out of range, 0 to 4294967295 is allowed");
    assert_eq!(
        INT.at_most(-1).canonical("0").unwrap_err().to_string(),
        "\"0\" is out of range, -2147483648 to -1 is allowed"
    );
    let degrees = DECIMAL.range(-90, 90);
    spelled(
        &degrees,
        &[
            ("-90.0", "-90"),
            ("90", "90"),
            ("89.9999999999999999999", "89.9999999999999999999"),
        ],
    );
    refused(
        &degrees,
        &["90.00000000000000000001", "-90.1", "100", "-1000"],
    );
}

#[test]
fn decimals_lose_nothing_but_zeros() {
    spelled(
        &DECIMAL,
        &[
            ("+1.50", "1.5"),
            ("-.5", "-0.5"),
            ("3.", "3"),
            ("00.0", "0"),
            ("-0.0", "0"),
            ("007", "7"),
        ],
    );
    refused(
        &DECIMAL,
        &[
            "",
            ".",
            "-",
            "+.",
            "1e5",
            "1,5",
            "1.2.3",
            "NaN",
            "INF",
            "- 1",
            &"1".repeat(DECIMAL_DIGITS_MAX + 1),
        ],
    );
}

#[test]
fn decimals_are_bounded_by_their_significant_digits() {
    let most = "1".repeat(DECIMAL_DIGITS_MAX);
    spelled(
        &DECIMAL,
        &[
            (&most, &most),
            (&format!(".{most}"), &format!("0.{most}")),
            (&format!("-000{most}.000"), &format!("-{most}")),
        ],
    );
    refused(&DECIMAL, &[&format!("{most}.1"), &format!(".{most}1")]);
}

/// Proves: R-ENC.6
#[test]
fn times_need_a_real_day_and_an_offset() {
    spelled(
        &DATE_TIME,
        &[
            ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59Z"),
            ("2026-01-31T23:59:59.500Z", "2026-01-31T23:59:59.5Z"),
            ("2026-01-31T23:59:59.000+00:00", "2026-01-31T23:59:59Z"),
            (
                "2026-01-31T23:59:59.123456789-14:00",
                "2026-01-31T23:59:59.123456789-14:00",
            ),
            ("2024-02-29T00:00:00+05:30", "2024-02-29T00:00:00+05:30"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            (UNKNOWN_TIME, UNKNOWN_TIME),
            ("0003-04-05T06:07:08Z", "0003-04-05T06:07:08Z"),
        ],
    );
    refused(
        &DATE_TIME,
        &[
            "",
            "2026-01-31",
            "2026-01-31T23:59:59",
            "2026-01-31 23:59:59Z",
            "2026-01-31t23:59:59z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+14:01",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00ZZ",
            "0000-01-01T00:00:00Z",
            "-001-01-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "20260-01-01T00:00:00Z",
            "2026-01-01T00:00:0éZ",
            "éééééééééé",
        ],
    );
}

/// Proves: R-ENC.6
#[test]
fn binaries_are_sized_in_bytes() {
    spelled(&HEX_BINARY.max(2), &[("", ""), ("aB09", "AB09")]);
    refused(
        &HEX_BINARY.max(2),
        &["a", "0g", "010203", "0x01", "01 02", "é"],
    );
    spelled(
        &BASE64.size(1, 3),
        &[("aGk=", "aGk="), ("a G\nk =", "aGk="), ("TWFu", "TWFu")],
    );
    refused(
        &BASE64.size(1, 3),
        &["", "aGk", "aGl=", "a===", "TWFuTWFu", "-_8=", "é"],
    );
}

#[test]
fn strings_are_sized_in_characters() {
    spelled(&STRING, &[("", ""), (" as is ", " as is ")]);
    spelled(&STRING.size(1, 3), &[("äöü", "äöü")]);
    refused(&STRING.size(1, 3), &["", "äöü!"]);
    let error = STRING.max(64).canonical(&"x".repeat(71)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "\"{}…\" is 71 characters, at most 64 are allowed",
            "x".repeat(64)
        )
    );
    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    assert_eq!(
        STRING.canonical(&long),
        Err(ValueError::TooLong { bytes: long.len() })
    );
    assert!(STRING.canonical(&long[1..]).is_ok());
}

#[test]
fn choices_are_exact() {
    let kind = one_of(&["ValueChange", "Event"]);
    spelled(&kind, &[("Event", "Event")]);
    refused(&kind, &["", "event", "Event ", "ValueChange,Event"]);
    assert_eq!(
        kind.canonical("Nonsense").unwrap_err().to_string(),
        "\"Nonsense\" is none of ValueChange, Event"
    );
}

#[test]
fn patterns_take_what_tr_106_names() {
    let cases: &[(Pattern, &[&str], &[&str])] = &[
        (
            Pattern::Alias,
            &["a", "cpe-1", "Ä"],
            &["", "1a", "_a", "-", " a"],
        ),
        (Pattern::Digits, &["0", "007"], &["", "-1", "1a"]),
        (
            Pattern::Eui64,
            &["", "00:00:5E:ef:10:00:00:00"],
            &["00:00:5E:EF:10:00", "00-00-5E-EF-10-00-00-00"],
        ),
        (
            Pattern::IpAddress,
            &["", "192.0.2.1", "2001:db8::1"],
            &["localhost", "192.0.2", "::1%eth0"],
        ),
        (
            Pattern::IpPrefix,
            &["", "/24", "/128", "192.0.2.0/24", "::/0"],
            &["192.0.2.0", "192.0.2.0/33", "::/129", "/"],
        ),
        (
            Pattern::Ipv4Address,
            &["", "0.0.0.0", "255.255.255.255", "010.1.1.1"],
            &[
                "256.1.1.1",
                "1.1.1",
                "1.1.1.1.1",
                "1..1.1",
                "+1.1.1.1",
                "::1",
            ],
        ),
        (
            Pattern::Ipv4Prefix,
            &["", "/0", "10.0.0.0/8"],
            &["10.0.0.0/", "10.0.0.0/33", "10.0.0.0/8/8", "/+8"],
        ),
        (
            Pattern::Ipv6Address,
            &["", "::", "1080:0:0:800:ba98:3210:11aa:12dd", "::13.1.68.3"],
            &["fe80::1%1", ":", "1::2::3", "192.0.2.1"],
        ),
        (
            Pattern::Ipv6Prefix,
            &["", "/128", "2001:db8::/32"],
            &["2001:db8::", "2001:db8::/129", "/0128"],
        ),
        (
            Pattern::MacAddress,
            &["", "00:00:5e:00:53:AF"],
            &[
                "00:00:5e:00:53",
                "00-00-5e-00-53-af",
                "00:00:5e:00:53:0g",
                "0:000:5e:00:53:af",
            ],
        ),
        (
            Pattern::Oui,
            &["00256D"],
            &["", "00256d", "00256", "00256D0"],
        ),
        (Pattern::OuiOrEmpty, &["", "00256D"], &["00256d"]),
        (
            Pattern::TimeOfDay,
            &["00:00", "23:59"],
            &["24:00", "12:60", "1:00", "12:0", "12", "+1:00"],
        ),
        (
            Pattern::Urn,
            &["urn:bbf:usp"],
            &["urn:b:usp", "urn:-b:x", "urn:bbf:", "urn:bbf", "URN:bbf:x"],
        ),
        (
            Pattern::Uuid,
            &["f81d4fae-7dec-11D0-a765-00a0c91e6bf6"],
            &[
                "",
                "f81d4fae7dec11d0a76500a0c91e6bf6",
                "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
                "f81d4fae-7dec-11d0-a76-500a0c91e6bf6",
            ],
        ),
        (
            Pattern::Version,
            &["1", "1.20.3"],
            &["", ".", "1.", "1..2", "v1"],
        ),
    ];
    for (pattern, good, bad) in cases {
        good.iter().for_each(|text| {
            assert!(
                pattern.matches(text),
                "{text:?} is a {}",
                pattern.expected()
            )
        });
        bad.iter().for_each(|text| {
            assert!(
                !pattern.matches(text),
                "{text:?} is no {}",
                pattern.expected()
            )
        });
    }
    assert_eq!(
        ALIAS.canonical("1").unwrap_err().to_string(),
        "\"1\" is no alias, which starts with a letter"
    );
    refused(&ALIAS, &["", &"a".repeat(65)]);
}

#[test]
fn lists_lose_their_blanks_and_check_each_item() {
    let numbers = UNSIGNED_INT.range(1, 9).list_of(0, 3);
    spelled(
        &numbers,
        &[("", ""), ("  ", ""), ("1", "1"), (" 1 , +2,\t03 ", "1,2,3")],
    );
    refused(&numbers, &["1,2,3,4", "1,,2", ",", "1,10", "1;2", "a"]);
    let words = one_of(&["a b", "c,d"]).list();
    spelled(&words, &[("a b , c%2Cd", "a b,c%2Cd")]);
    refused(&words, &["c,d", "a"]);
    refused(&STRING.list_max(5), &["abc,de"]);
    spelled(&STRING.list_max(5), &[("abc , d", "abc,d")]);
    let two = BOOLEAN
        .list_of(2, 2)
        .canonical("1")
        .unwrap_err()
        .to_string();
    assert_eq!(two, "\"1\" has 1 items, exactly 2 are allowed");
}

#[test]
fn a_missing_declaration_means_zero() {
    let types = [
        BASE64,
        BOOLEAN,
        DATE_TIME,
        DECIMAL,
        HEX_BINARY,
        INT,
        LONG,
        STRING,
        UNSIGNED_INT,
        UNSIGNED_LONG,
        INT.list(),
    ];
    for value_type in types {
        assert_eq!(
            value_type.canonical(value_type.zero()).unwrap(),
            value_type.zero()
        );
    }
}

/// Found by fuzzing (`path`, seed 1795393167729186787): a blank that belongs to an item is nothing in
/// Base64, and a list of that one item would have become a list of none.
#[test]
fn a_list_of_one_item_does_not_become_a_list_of_none() {
    refused(&BASE64.list(), &["%20", "%0A"]);
    spelled(&BASE64.list(), &[("aA==,%20", "aA==,"), ("", "")]);
}

#[test]
fn list_items_survive_their_commas_and_blanks() {
    let items = [
        "a,b",
        " a ",
        "100%",
        "%2C",
        "x y",
        r#"Device.A.[P=="%22"]."#,
    ];
    let joined = list::join(items);
    assert_eq!(
        joined,
        r#"a%2Cb,%20a%20,100%25,%252C,x y,Device.A.[P=="%2522"]."#
    );
    assert_eq!(list::items(&joined).collect::<Vec<_>>(), items);
    assert_eq!(list::items("").count(), 0);
    assert_eq!(list::items("a,,b,").collect::<Vec<_>>(), ["a", "", "b", ""]);
    assert_eq!(
        list::items(r#"[P=="%22"],%,%2,%é"#).collect::<Vec<_>>(),
        [r#"[P=="%22"]"#, "%", "%2", "%é"]
    );
}

proptest! {
    #[test]
    fn joined_items_come_apart_again(items in proptest::collection::vec("[ ,%2C05a\té]{1,6}", 0..5)) {
        let joined = list::join(items.iter().map(String::as_str));
        prop_assert_eq!(list::items(&joined).collect::<Vec<_>>(), items);
    }
}
