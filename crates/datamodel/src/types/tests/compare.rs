//! Typed comparison, as tables and on random values.

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::*;
use crate::path::{
    Operator::{self, *},
    Path, Segment,
};

const OPERATORS: [Operator; 7] = [
    Contains,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
];
const ORDERS: [Operator; 4] = [Greater, GreaterOrEqual, Less, LessOrEqual];

fn holds(value_type: &ValueType, value: &str, operator: Operator, constant: &str) -> bool {
    value_type
        .matches(operator, value, constant)
        .unwrap_or_else(|error| {
            panic!("{value} {} {constant}: {error}", operator.text());
        })
}

/// Values are compared by what they mean, not by how they are spelled.
///
/// Proves: R-ARC.7
#[test]
fn values_are_compared_by_meaning() {
    let equal: &[(ValueType, &str, &str)] = &[
        (INT, "123", "+0123"),
        (UNSIGNED_INT, "0", "-0"),
        (DECIMAL, "1.50", "1.5"),
        (BOOLEAN, "true", "1"),
        (BOOLEAN, "0", "false"),
        (
            DATE_TIME,
            "2026-01-01T00:30:00+01:00",
            "2025-12-31T23:30:00Z",
        ),
        (
            DATE_TIME,
            "2026-01-01T00:00:00.10Z",
            "2026-01-01T00:00:00.1Z",
        ),
        (DATE_TIME, UNKNOWN_TIME, "0001-01-01T00:00:00+00:00"),
        (HEX_BINARY, "aB", "Ab"),
        (BASE64, "aGk=", "aG k="),
        (STRING, "x y", "x y"),
        (
            strong_reference("Device.A.{i}."),
            "Device.A.1",
            "Device.A.1.",
        ),
        (INT.list(), "1,02", " +1 , 2"),
        (STRING.list(), "", " "),
    ];
    for (value_type, value, constant) in equal {
        assert!(
            holds(value_type, value, Equal, constant),
            "{value} == {constant}"
        );
        assert!(
            !holds(value_type, value, NotEqual, constant),
            "{value} != {constant}"
        );
    }
    let different: &[(ValueType, &str, &str)] = &[
        (STRING, "a", "A"),
        (STRING, "1", "01"),
        (STRING, "a", "a "),
        (STRING, "Device.A.1", "Device.A.1."),
        (BOOLEAN, "true", "0"),
        (HEX_BINARY, "00", "0000"),
        (INT.list(), "1,2", "2,1"),
        (INT.list(), "1,2", "1"),
        (INT.list(), "1", "1,2"),
        (STRING.list(), "a%2Cb", "a,b"),
    ];
    for (value_type, value, constant) in different {
        assert!(
            !holds(value_type, value, Equal, constant),
            "{value} == {constant}"
        );
        assert!(
            holds(value_type, value, NotEqual, constant),
            "{value} != {constant}"
        );
    }
}

/// Numbers are in the order of their values and times in the order in which they come.
///
/// Proves: R-ARC.7
#[test]
fn numbers_and_times_have_an_order() {
    let less: &[(ValueType, &str, &str)] = &[
        (INT, "-10", "9"),
        (INT, "9", "10"),
        (UNSIGNED_LONG, "9999999999999999999", "18446744073709551615"),
        (DECIMAL, "-1.5", "-1.25"),
        (DECIMAL, "0.09", "0.1"),
        (DECIMAL, "9.9", "10"),
        (
            DATE_TIME,
            "2026-01-01T00:30:00+01:00",
            "2026-01-01T00:00:00Z",
        ),
        (
            DATE_TIME,
            "2026-01-01T00:00:00Z",
            "2025-12-31T23:00:00-02:00",
        ),
        (DATE_TIME, "2026-01-01T00:00:00.9Z", "2026-01-01T00:00:01Z"),
        (DATE_TIME, "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z"),
    ];
    for (value_type, one, two) in less {
        for (operator, forward, backward, same) in [
            (Less, true, false, false),
            (LessOrEqual, true, false, true),
            (Greater, false, true, false),
            (GreaterOrEqual, false, true, true),
        ] {
            assert_eq!(
                holds(value_type, one, operator, two),
                forward,
                "{one} {operator} {two}"
            );
            assert_eq!(
                holds(value_type, two, operator, one),
                backward,
                "{two} {operator} {one}"
            );
            assert_eq!(
                holds(value_type, one, operator, one),
                same,
                "{one} {operator} {one}"
            );
        }
    }
}

/// Each type has the operators that TR-369 gives it, and no others.
///
/// Proves: R-ARC.7
#[test]
fn operators_are_those_of_the_type() {
    let unordered = [Equal, NotEqual];
    let ordered = [Equal, NotEqual, Greater, GreaterOrEqual, Less, LessOrEqual];
    let lists = [Equal, NotEqual, Contains];
    let time = "2026-01-01T00:00:00Z";
    let cases: &[(ValueType, &str, &[Operator])] = &[
        (STRING, "a", &unordered),
        (one_of(&["a"]), "a", &unordered),
        (weak_reference(""), "Device.", &unordered),
        (BOOLEAN, "true", &unordered),
        (BASE64, "", &unordered),
        (HEX_BINARY, "00", &unordered),
        (INT, "1", &ordered),
        (LONG, "1", &ordered),
        (UNSIGNED_INT, "1", &ordered),
        (UNSIGNED_LONG, "1", &ordered),
        (DECIMAL, "1", &ordered),
        (DATE_TIME, time, &ordered),
        (DATE_TIME, UNKNOWN_TIME, &unordered),
        (INT.list(), "1", &lists),
        (STRING.list(), "a", &lists),
        (DATE_TIME.list(), UNKNOWN_TIME, &lists),
    ];
    for (value_type, constant, allowed) in cases {
        for operator in OPERATORS {
            let expected = allowed.contains(&operator);
            let (base, value) = (value_type.base.name(), value_type.zero());
            assert_eq!(
                value_type.check_constant(operator, constant).is_ok(),
                expected,
                "{base} {operator}"
            );
            assert_eq!(
                value_type.matches(operator, value, constant).is_ok(),
                expected,
                "{base} {operator}"
            );
        }
    }
    let message = STRING
        .list()
        .check_constant(Less, "a")
        .unwrap_err()
        .to_string();
    assert_eq!(message, "< is not defined for a list of string");
}

/// `~=` finds an item of the list by its meaning and never a part of one.
///
/// Proves: R-ARC.7
#[test]
fn contains_finds_whole_items() {
    let words = "Normal, a b ,x%2Cy,50%25";
    for item in ["Normal", "a b", "x,y", "50%"] {
        assert!(holds(&STRING.list(), words, Contains, item), "{item}");
    }
    for item in ["", "norm", "Norm", "a", "x", "x%2Cy", "Normal,a b"] {
        assert!(!holds(&STRING.list(), words, Contains, item), "{item}");
    }
    assert!(holds(&UNSIGNED_INT.list(), "1, 05,10", Contains, "5"));
    assert!(!holds(&UNSIGNED_INT.list(), "1,55,10", Contains, "5"));
    assert!(!holds(&UNSIGNED_INT.list(), "", Contains, "0"));
    assert!(UNSIGNED_INT.list().matches(Contains, "1", "one").is_err());
    assert!(
        STRING
            .list()
            .matches(Contains, "", "")
            .is_ok_and(|found| !found)
    );
}

/// A row whose time is unknown is in no order with a known one, and no error either.
///
/// Proves: R-ARC.7
#[test]
fn the_unknown_time_is_in_no_order() {
    let known = "2026-01-01T00:00:00Z";
    for operator in ORDERS {
        assert!(
            !holds(&DATE_TIME, UNKNOWN_TIME, operator, known),
            "{operator}"
        );
        assert_eq!(
            DATE_TIME.matches(operator, known, UNKNOWN_TIME),
            Err(ValueError::UnknownTime)
        );
    }
    assert!(holds(&DATE_TIME, UNKNOWN_TIME, Equal, UNKNOWN_TIME));
    assert!(holds(&DATE_TIME, UNKNOWN_TIME, NotEqual, known));
}

#[test]
fn a_value_not_of_its_type_equals_nothing() {
    for operator in OPERATORS
        .into_iter()
        .filter(|operator| *operator != Contains)
    {
        assert_eq!(holds(&INT, "", operator, "0"), operator == NotEqual);
        assert_eq!(
            holds(&DATE_TIME, "soon", operator, "2026-01-01T00:00:00Z"),
            operator == NotEqual
        );
    }
    assert!(!holds(&INT.list(), "x,y", Contains, "0"));
}

/// A constant is written as its type asks, so that a quoted `"true"` is no boolean.
///
/// Proves: R-ARC.7
#[test]
fn quotes_belong_to_strings() {
    let check = |value_type: &ValueType, comparison: &str| {
        let path = Path::parse(&format!("Device.T.[P{comparison}].")).unwrap();
        let Some(Segment::Search(search)) = path.segments.last() else {
            panic!("{path} is no search")
        };
        value_type.check_comparison(&search.comparisons[0])
    };
    let good = [
        (STRING, r#"=="1""#),
        (BOOLEAN, "==true"),
        (BOOLEAN, "==1"),
        (INT, ">-5"),
        (DECIMAL, "<=1.5"),
        (DATE_TIME, "<2021-06-06T08:00:00Z"),
        (DATE_TIME, r#"<"2021-06-06T08:00:00Z""#),
        (HEX_BINARY, "==08"),
        (HEX_BINARY, r#"=="08""#),
        (BASE64, "==aGk="),
        (INT.list(), "~=5"),
        (INT.list(), r#"=="1,2""#),
        (STRING.list(), r#"~="a""#),
    ];
    for (value_type, comparison) in good {
        assert_eq!(check(&value_type, comparison), Ok(()), "{comparison}");
    }
    let bad = [
        (STRING, "==1"),
        (STRING, r#"<"a""#),
        (BOOLEAN, r#"=="true""#),
        (BOOLEAN, "==yes"),
        (INT, r#"=="5""#),
        (INT, "==5.0"),
        (UNSIGNED_INT, "==-1"),
        (DATE_TIME, "<2021-06-06"),
        (INT.list(), r#"~="5""#),
        (INT.list(), "==5"),
        (STRING.list(), "~=a"),
    ];
    for (value_type, comparison) in bad {
        assert!(check(&value_type, comparison).is_err(), "{comparison}");
    }
    let message = check(&BOOLEAN, r#"=="true""#).unwrap_err().to_string();
    assert_eq!(
        message,
        "\"true\" is compared with a boolean, so it has to stand without quotes"
    );
}

fn ordered() -> impl Strategy<Value = (ValueType, String, String)> {
    let times = "(000[12]|2024|2026)-(01|02|12)-(01|28)T(00|01|23):00:0[01](\\.(0|1|10|999))?(Z|[+-](00|01|14):00)";
    let pair = |value_type: ValueType, texts: &'static str| {
        (texts, texts).prop_map(move |(one, two)| (value_type, one, two))
    };
    prop_oneof![
        pair(INT, "[+-]?0{0,2}[0-9]{1,4}"),
        pair(LONG, "[+-]?[0-9]{1,18}"),
        pair(UNSIGNED_LONG, "[+]?[0-9]{1,19}"),
        pair(DECIMAL, "[+-]?0{0,2}[0-9]{1,3}(\\.[0-9]{0,3})?"),
        pair(DATE_TIME, times),
    ]
}

fn anything() -> impl Strategy<Value = ValueType> {
    let bases = [
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
    ];
    prop::sample::select([bases, bases.map(|base| base.list())].concat())
}

proptest! {
    #[test]
    fn order_is_antisymmetric_and_total((value_type, one, two) in ordered()) {
        prop_assume!(![&one, &two].iter().any(|text| DATE_TIME.matches(Equal, text, UNKNOWN_TIME) == Ok(true)));
        let holds = |value: &str, operator, constant: &str| holds(&value_type, value, operator, constant);
        prop_assert_eq!(holds(&one, Less, &two), holds(&two, Greater, &one));
        prop_assert_eq!(holds(&one, Equal, &two), holds(&two, Equal, &one));
        prop_assert_eq!(holds(&one, Equal, &two), !holds(&one, NotEqual, &two));
        prop_assert_eq!(holds(&one, LessOrEqual, &two), !holds(&one, Greater, &two));
        prop_assert_eq!(holds(&one, GreaterOrEqual, &two), !holds(&one, Less, &two));
        let which = [Less, Equal, Greater].into_iter().filter(|operator| holds(&one, *operator, &two));
        prop_assert_eq!(which.count(), 1);
    }

    #[test]
    fn canonical_is_idempotent_and_equal((value_type, text, other) in ordered()) {
        let canonical = value_type.canonical(&text).unwrap();
        prop_assert_eq!(value_type.canonical(&canonical).unwrap(), canonical.clone());
        prop_assert!(holds(&value_type, &text, Equal, &canonical) && holds(&value_type, &canonical, Equal, &text));
        if value_type != DATE_TIME {
            let same = canonical == value_type.canonical(&other).unwrap();
            prop_assert_eq!(same, holds(&value_type, &text, Equal, &other));
        }
    }

    #[test]
    fn any_text_is_a_value_or_not(
        value_type in anything(), text in "\\PC{0,30}|[-+0-9.:TZ, %truefalsABC=\n]{0,30}", constant in "\\PC{0,10}|[0-9A-F,%]{0,10}",
    ) {
        if let Ok(canonical) = value_type.canonical(&text) {
            prop_assert_eq!(value_type.canonical(&canonical), Ok(Cow::Borrowed(&*canonical)));
        }
        for operator in OPERATORS {
            let checked = value_type.check_constant(operator, &constant);
            prop_assert_eq!(value_type.matches(operator, &text, &constant).map(drop), checked);
        }
    }
}
