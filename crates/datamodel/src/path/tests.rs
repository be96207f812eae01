//! The grammar as tables, and its properties on random paths and random text.

use proptest::{collection::vec, prelude::*};

use super::{PathErrorKind as Kind, *};
use crate::limits::{COMPARISONS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, SEGMENTS_MAX};

fn name(text: &str) -> Segment {
    Segment::Name(text.into())
}

fn search(text: &str) -> Expression {
    let mut path = Path::parse(&format!("Device.T.{text}.")).unwrap();
    match path.segments.pop() {
        Some(Segment::Search(expression)) => expression,
        other => panic!("{text} is no expression but {other:?}"),
    }
}

fn compare(parameter: &str, operator: Operator, constant: &str, form: Form) -> Comparison {
    let path = RelativePath::parse(parameter).unwrap();
    Comparison {
        path,
        operator,
        constant: constant.into(),
        form,
    }
}

/// Each production of the grammar becomes what it means.
///
/// Proves: R-ARC.7
#[test]
fn every_production_is_read() {
    let follow = |parameter: &str, which| Segment::Follow {
        parameter: parameter.into(),
        which,
    };
    let table = || vec![name("Device"), name("A")];
    let with = |more: &[Segment]| [table(), more.to_vec()].concat();
    let only = Segment::Search(search("[P==1]"));
    let cases: &[(&str, Vec<Segment>, End)] = &[
        ("Device.", vec![name("Device")], End::Object),
        ("Device.A.", table(), End::Object),
        ("Device.P", vec![name("Device")], End::Parameter("P".into())),
        ("Device.A._p_2", table(), End::Parameter("_p_2".into())),
        (
            "Device.Boot!",
            vec![name("Device")],
            End::Event("Boot!".into()),
        ),
        ("Device.A.Reset()", table(), End::Command("Reset()".into())),
        (
            "Device.A.X_EXAMPLE-COM_B",
            table(),
            End::Parameter("X_EXAMPLE-COM_B".into()),
        ),
        ("Device.A.1.", with(&[Segment::Instance(1)]), End::Object),
        (
            "Device.A.4294967295.P",
            with(&[Segment::Instance(u32::MAX)]),
            End::Parameter("P".into()),
        ),
        ("Device.A.*.", with(&[Segment::Wildcard]), End::Object),
        (
            "Device.A.*.B.3.E!",
            with(&[Segment::Wildcard, name("B"), Segment::Instance(3)]),
            End::Event("E!".into()),
        ),
        (
            "Device.A.[P==1].C()",
            with(std::slice::from_ref(&only)),
            End::Command("C()".into()),
        ),
        ("Device.A.{i}.", with(&[Segment::Placeholder]), End::Object),
        (
            "Device.A.{i}.B.{i}.P",
            with(&[Segment::Placeholder, name("B"), Segment::Placeholder]),
            End::Parameter("P".into()),
        ),
        (
            "Device.A.2.B.{i}.",
            with(&[Segment::Instance(2), name("B"), Segment::Placeholder]),
            End::Object,
        ),
        (
            "Device.A.{i}.C()",
            with(&[Segment::Placeholder]),
            End::Command("C()".into()),
        ),
        (
            "Device.A.R+.",
            with(&[follow("R", Which::Only)]),
            End::Object,
        ),
        (
            "Device.A.1.R+.P",
            with(&[Segment::Instance(1), follow("R", Which::Only)]),
            End::Parameter("P".into()),
        ),
        (
            "Device.A.R#2+.B.P",
            with(&[follow("R", Which::Index(2)), name("B")]),
            End::Parameter("P".into()),
        ),
        (
            "Device.A.R#*+.S+.C()",
            with(&[follow("R", Which::All), follow("S", Which::Only)]),
            End::Command("C()".into()),
        ),
        (
            "Device.R+.B.4.",
            vec![
                name("Device"),
                follow("R", Which::Only),
                name("B"),
                Segment::Instance(4),
            ],
            End::Object,
        ),
    ];
    for (text, segments, end) in cases {
        let path = Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((&path.segments, &path.end), (segments, end), "{text}");
        assert_eq!(path.to_string(), *text);
    }
}

/// Each form of expression that TR-369 and TP-469 show, and all operators.
///
/// Proves: R-ARC.7
#[test]
fn every_form_of_expression_is_read() {
    use Form::{Bare, Quoted};
    let cases = [
        (
            r#"[Name=="eth0"]"#,
            vec![compare("Name", Operator::Equal, "eth0", Quoted)],
        ),
        (
            "[Enable!=true]",
            vec![compare("Enable", Operator::NotEqual, "true", Bare)],
        ),
        ("[N<10]", vec![compare("N", Operator::Less, "10", Bare)]),
        (
            "[N<=10]",
            vec![compare("N", Operator::LessOrEqual, "10", Bare)],
        ),
        (
            "[N>-10]",
            vec![compare("N", Operator::Greater, "-10", Bare)],
        ),
        (
            "[N>=0]",
            vec![compare("N", Operator::GreaterOrEqual, "0", Bare)],
        ),
        (
            "[SampleSeconds~=5]",
            vec![compare("SampleSeconds", Operator::Contains, "5", Bare)],
        ),
        (
            r#"[Caps~="IPv6Firewall"]"#,
            vec![compare("Caps", Operator::Contains, "IPv6Firewall", Quoted)],
        ),
        (
            "[V<2021-06-06T08:00:00.5+01:00]",
            vec![compare(
                "V",
                Operator::Less,
                "2021-06-06T08:00:00.5+01:00",
                Bare,
            )],
        ),
        (
            "[Class==08]",
            vec![compare("Class", Operator::Equal, "08", Bare)],
        ),
        (
            "[Key==aGk/+w==]",
            vec![compare("Key", Operator::Equal, "aGk/+w==", Bare)],
        ),
        (
            r#"[RemoteHost==""&&Port==0&&Protocol=="TCP"]"#,
            vec![
                compare("RemoteHost", Operator::Equal, "", Quoted),
                compare("Port", Operator::Equal, "0", Bare),
                compare("Protocol", Operator::Equal, "TCP", Quoted),
            ],
        ),
        (
            "[Stats.Errors.Sent>0]",
            vec![compare("Stats.Errors.Sent", Operator::Greater, "0", Bare)],
        ),
        (
            r#"[R+.SSID=="My]Home&&"]"#,
            vec![compare("R+.SSID", Operator::Equal, "My]Home&&", Quoted)],
        ),
        (
            r#"[R#2+.A.S#*+.P=="a.b"]"#,
            vec![compare("R#2+.A.S#*+.P", Operator::Equal, "a.b", Quoted)],
        ),
    ];
    for (text, comparisons) in cases {
        let expression = search(text);
        assert_eq!(expression.comparisons, comparisons, "{text}");
        assert_eq!(expression.to_string(), text);
    }
}

/// `%22` is a quote and `%25` a percent sign, and both are written that way again.
///
/// Proves: R-ARC.7
#[test]
fn escapes_stand_for_quotes_and_percent_signs() {
    let expression = search(r#"[N=="say %22hi%22 100%25 %2522"]"#);
    assert_eq!(&*expression.comparisons[0].constant, r#"say "hi" 100% %22"#);
    assert_eq!(
        expression.to_string(),
        r#"[N=="say %22hi%22 100%25 %2522"]"#
    );
    assert_eq!(&*search(r#"[N=="%c3%A4ö"]"#).comparisons[0].constant, "äö");
}

/// Blanks around operators, `&&` and the whole expression change nothing and are not written again.
///
/// Proves: R-ARC.9a
#[test]
fn blanks_around_operators_are_tolerated() {
    let plain = search(r#"[Type=="a b"&&Stats.N>=0]"#);
    for text in [
        r#"[Type == "a b" && Stats.N >= 0]"#,
        r#"[ Type== "a b"&& Stats.N >=0 ]"#,
        "[\tType\t==\t\"a b\"\t&&\tStats.N\t>=\t0\t]",
        r#"[  Type  ==  "a b"  &&  Stats.N  >=  0  ]"#,
    ] {
        assert_eq!(search(text), plain, "{text}");
    }
    assert_eq!(plain.to_string(), r#"[Type=="a b"&&Stats.N>=0]"#);
    let blanks_inside = [
        r#"[Type= ="a"]"#,
        "[N> =0]",
        r#"[Ty pe=="a"]"#,
        "[N==1 0]",
        "[N==1& &N==2]",
    ];
    for text in blanks_inside {
        assert!(Path::parse(&format!("Device.T.{text}.")).is_err(), "{text}");
    }
}

/// What the grammar does not have is refused, where it goes wrong and for the right reason.
///
/// Proves: R-ARC.7
#[test]
fn what_is_no_path_is_refused_where_it_goes_wrong() {
    let cases: &[(&str, usize, Kind)] = &[
        ("", 0, Kind::Empty),
        (".", 0, Kind::Name),
        ("Device", 6, Kind::Dot),
        ("Device..", 7, Kind::Name),
        (" Device.", 0, Kind::Name),
        ("Device. ", 7, Kind::Name),
        ("Device.A ", 8, Kind::Dot),
        ("Device.A-B", 8, Kind::Dot),
        ("Dévice.", 1, Kind::Dot),
        ("Device.Ä", 7, Kind::Name),
        ("Device\0.", 6, Kind::Dot),
        ("1.", 0, Kind::Name),
        ("*.", 0, Kind::Name),
        ("Device+.A", 6, Kind::Dot),
        ("Device()", 6, Kind::Dot),
        // instances
        ("Device.1.", 7, Kind::InstancePlace),
        ("Device.*.", 7, Kind::InstancePlace),
        ("Device.[P==1].", 7, Kind::InstancePlace),
        ("Device.A.1.2.", 11, Kind::InstancePlace),
        ("Device.A.*.*.", 11, Kind::InstancePlace),
        ("Device.A.R+.1.", 12, Kind::InstancePlace),
        ("Device.A.0.", 9, Kind::Instance),
        ("Device.A.01.", 9, Kind::Instance),
        ("Device.A.4294967296.", 9, Kind::Instance),
        ("Device.A.-1.", 9, Kind::Name),
        ("Device.A.1a.", 10, Kind::Dot),
        ("Device.A.1()", 10, Kind::Dot),
        ("Device.A.**.", 10, Kind::Dot),
        ("Device.A.{j}.", 9, Kind::Placeholder),
        (r#"Device.A.{P=="x"}.P"#, 9, Kind::Placeholder),
        ("Device.A.{i}.B.*.", 0, Kind::Mixed),
        ("Device.A.[P==1].B.{i}.", 0, Kind::Mixed),
        ("Device.A.{i}.R+.P", 0, Kind::Mixed),
        // references
        ("Device.A.R+", 11, Kind::Dot),
        ("Device.A.R+P", 11, Kind::Dot),
        ("Device.A.R++.P", 11, Kind::Dot),
        ("Device.A.R#+.P", 11, Kind::Follow),
        ("Device.A.R#0+.P", 11, Kind::Instance),
        ("Device.A.R#1.P", 12, Kind::Follow),
        ("Device.A.R#*.P", 12, Kind::Follow),
        ("Device.A.R#", 11, Kind::Follow),
        // commands and events
        ("Device.C(", 8, Kind::CommandOrEvent),
        ("Device.C().", 8, Kind::CommandOrEvent),
        ("Device.C(1)", 8, Kind::CommandOrEvent),
        ("Device.E!!", 8, Kind::CommandOrEvent),
        ("Device.E!.", 8, Kind::CommandOrEvent),
        ("Device.()", 7, Kind::Name),
        // expressions
        ("Device.A.[].", 10, Kind::EmptyExpression),
        ("Device.A.[ ].", 11, Kind::EmptyExpression),
        ("Device.A.[", 10, Kind::Name),
        ("Device.A.[P", 11, Kind::Operator),
        ("Device.A.[P].", 11, Kind::Operator),
        ("Device.A.[P=1].", 11, Kind::Operator),
        ("Device.A.[P=~1].", 11, Kind::Operator),
        ("Device.A.[P<>1].", 12, Kind::Constant),
        ("Device.A.[P===1].", 13, Kind::Constant),
        ("Device.A.[P==].", 13, Kind::Constant),
        ("Device.A.[P=='x'].", 13, Kind::Constant),
        ("Device.A.[P==é].", 13, Kind::Constant),
        ("Device.A.[P==1", 14, Kind::ExpressionEnd),
        ("Device.A.[P==1]x.", 15, Kind::Dot),
        ("Device.A.[P==1&P==2].", 14, Kind::ExpressionEnd),
        ("Device.A.[P==1,P==2].", 14, Kind::ExpressionEnd),
        ("Device.A.[P==1||P==2].", 14, Kind::Or),
        ("Device.A.[P==1&&].", 16, Kind::Name),
        ("Device.A.[&&P==1].", 10, Kind::Name),
        ("Device.A.[1==1].", 10, Kind::ChildTable),
        ("Device.A.[(P==1)].", 10, Kind::Name),
        (r#"Device.A.["x"==P]."#, 10, Kind::Name),
        (r#"Device.A.[P=="x]."#, 13, Kind::Quote),
        (r#"Device.A.[P=="%"]."#, 14, Kind::Escape),
        (r#"Device.A.[P=="a%2"]."#, 15, Kind::Escape),
        (r#"Device.A.[P=="%zz"]."#, 14, Kind::Escape),
        (r#"Device.A.[P=="a%ff"]."#, 14, Kind::Escape),
        (r#"Device.A.[P=="x"y"]."#, 16, Kind::ExpressionEnd),
        (r#"Device.A.[B.*.P=="x"]."#, 12, Kind::ChildTable),
        ("Device.A.[B.1.P==1].", 12, Kind::ChildTable),
        ("Device.A.[B.[P==1].P==1].", 12, Kind::ChildTable),
        ("Device.A.[R+P==1].", 12, Kind::Dot),
        ("Device.A.[R+==1].", 12, Kind::Dot),
    ];
    for (text, at, kind) in cases {
        let error = Path::parse(text).expect_err(text);
        assert_eq!((error.at, error.kind), (*at, *kind), "{text}: {error}");
    }
}

/// A row is a row with or without its last dot; an object's name needs it, or `into_object`.
#[test]
fn the_last_dot_may_be_missing_behind_an_instance() {
    for row in [
        "Device.A.1",
        "Device.A.*",
        r#"Device.A.[Alias=="x"]"#,
        "Device.A.{i}",
    ] {
        let path = Path::parse_object(row).unwrap();
        assert_eq!(path, Path::parse(&format!("{row}.")).unwrap());
        assert_eq!(path.clone().into_object(), path);
    }
    assert_eq!(
        Path::parse_object("Device.A").unwrap_err().kind,
        Kind::NotAnObject
    );
    assert_eq!(
        Path::parse_object("Device.A.C()").unwrap_err().kind,
        Kind::NotAnObject
    );
    assert_eq!(
        Path::parse("Device.A").unwrap().into_object(),
        Path::parse("Device.A.").unwrap()
    );
}

#[test]
fn searches_and_schema_paths_are_told_apart() {
    let cases = [
        ("Device.A.", false, true),
        ("Device.A.{i}.P", false, true),
        ("Device.A.1.P", false, false),
        ("Device.A.*.P", true, false),
        ("Device.A.[P==1].P", true, false),
        ("Device.A.R+.P", true, false),
    ];
    for (text, is_search, is_schema) in cases {
        let path: Path = text.parse().unwrap();
        assert_eq!(
            (path.is_search(), path.is_schema()),
            (is_search, is_schema),
            "{text}"
        );
    }
}

#[test]
fn relative_paths_go_through_rows_but_not_searches() {
    for text in ["P", "A.P", "A.B.1.P", "R+.P", "A.1.R#*+.B.2.P"] {
        assert_eq!(RelativePath::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        ".P",
        "A.",
        "1.P",
        "A.1.2.P",
        "A.*.P",
        "A.[P==1].P",
        "A.{i}.P",
        "R+",
        "C()",
        "P ",
        "R+.1.P",
    ] {
        assert!(RelativePath::parse(text).is_err(), "{text}");
    }
}

/// Every limit holds exactly, and a path beyond the length limit is refused before it is read.
#[test]
fn limits_are_exact() {
    let kind = |text: &str| Path::parse(text).err().map(|error| error.kind);
    let segments = |count: usize| "Device.".to_owned() + &"A.".repeat(count - 1);
    assert_eq!(kind(&segments(SEGMENTS_MAX)), None);
    assert_eq!(
        kind(&(segments(SEGMENTS_MAX) + "P")),
        Some(Kind::TooManySegments)
    );
    let names = |bytes: usize| format!("Device.{}", "n".repeat(bytes));
    assert_eq!(kind(&names(NAME_BYTES_MAX)), None);
    assert_eq!(kind(&names(NAME_BYTES_MAX + 1)), Some(Kind::NameTooLong));
    let comparisons = |count: usize| format!("Device.A.[{}].", vec!["P==1"; count].join("&&"));
    assert_eq!(kind(&comparisons(COMPARISONS_MAX)), None);
    assert_eq!(
        kind(&comparisons(COMPARISONS_MAX + 1)),
        Some(Kind::TooManyComparisons)
    );
    let string = |bytes: usize| format!("Device.A.[P==\"{}\"].", "s".repeat(bytes - 17));
    assert_eq!(kind(&string(PATH_BYTES_MAX)), None);
    assert_eq!(
        kind(&string(PATH_BYTES_MAX + 1)),
        Some(Kind::TooLong(PATH_BYTES_MAX + 1))
    );
    let relative = format!("Device.A.[{}P==1].", "B.".repeat(SEGMENTS_MAX));
    assert_eq!(kind(&relative), Some(Kind::TooManySegments));
}

#[test]
fn messages_say_where_what_and_why() {
    let message = |text: &str| Path::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("Device.A..P"),
        "at byte 9, \".P\": expected a name of letters, digits and underscores"
    );
    assert_eq!(message("Device"), "at byte 6, the end: expected \".\"");
    let long = format!("Device.{}", "é".repeat(100));
    assert!(message(&long).contains(&format!("\"{}…\"", "é".repeat(64))));
    assert!(message(&"x".repeat(1 << 20)).contains("1048576 bytes long, at most 8192"));
}

fn names() -> impl Strategy<Value = Box<str>> {
    "[A-Za-z_][A-Za-z_0-9]{0,8}|X_[A-Z]{1,4}-[A-Z]{1,3}_[A-Za-z]{1,4}"
        .prop_map(String::into_boxed_str)
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        Just(Which::All),
        Just(Which::Only),
        (1..=u32::MAX).prop_map(Which::Index)
    ]
}

fn follows() -> impl Strategy<Value = Segment> {
    (names(), which()).prop_map(|(parameter, which)| Segment::Follow { parameter, which })
}

fn operators() -> impl Strategy<Value = Operator> {
    use Operator::*;
    prop::sample::select(vec![
        Contains,
        Equal,
        Greater,
        GreaterOrEqual,
        Less,
        LessOrEqual,
        NotEqual,
    ])
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    let steps = prop_oneof![names().prop_map(Segment::Name), follows()];
    let path = (vec(steps, 0..3), names()).prop_map(|(segments, parameter)| RelativePath {
        segments,
        parameter,
    });
    let constant = prop_oneof![
        any::<String>().prop_map(|text| (text, Form::Quoted)),
        "[A-Za-z0-9+.:/_-][A-Za-z0-9+.:/=_-]{0,12}".prop_map(|text| (text, Form::Bare)),
    ];
    (path, operators(), constant).prop_map(|(path, operator, (constant, form))| Comparison {
        path,
        operator,
        constant: constant.into(),
        form,
    })
}

fn paths() -> impl Strategy<Value = Path> {
    let search = vec(comparisons(), 1..4)
        .prop_map(|comparisons| Segment::Search(Expression { comparisons }));
    let instance = prop_oneof![
        (1..=u32::MAX).prop_map(Segment::Instance),
        Just(Segment::Wildcard),
        search
    ];
    let step = prop_oneof![
        names().prop_map(|name| vec![Segment::Name(name)]),
        (names(), instance).prop_map(|(name, instance)| vec![Segment::Name(name), instance]),
        follows().prop_map(|follow| vec![follow]),
    ];
    let end = prop_oneof![
        Just(End::Object),
        names().prop_map(End::Parameter),
        names().prop_map(|name| End::Command(format!("{name}()").into())),
        names().prop_map(|name| End::Event(format!("{name}!").into())),
    ];
    (names(), vec(step, 0..5), end).prop_map(|(root, steps, end)| {
        let segments = [vec![Segment::Name(root)], steps.concat()].concat();
        Path { segments, end }
    })
}

proptest! {
    #[test]
    fn a_written_path_reads_as_itself(path in paths()) {
        let text = path.to_string();
        prop_assume!(text.len() <= PATH_BYTES_MAX);
        prop_assert_eq!(Path::parse(&text), Ok(path));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }

    #[test]
    fn a_path_with_a_changed_byte_is_read_or_refused(
        path in paths(), at in any::<prop::sample::Index>(), new in "[\\[\\]{}i.*+#()!&|=~<>\"%0-9 é]{0,3}",
    ) {
        let mut text: Vec<char> = path.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..=at, new.chars());
        let text: String = text.into_iter().collect();
        match Path::parse(&text) {
            Ok(path) => prop_assert_eq!(Path::parse(&path.to_string()), Ok(path)),
            Err(error) => prop_assert!(error.at <= text.len() && !error.to_string().is_empty()),
        }
    }
}
