//! Path names and the values that they are compared with: the grammar, canonical texts, comparison.
//!
//! The first byte of an input chooses what the rest is taken for.

use usphere_datamodel::Path;
use usphere_datamodel::limits::{PATH_BYTES_MAX, SEGMENTS_MAX};
use usphere_datamodel::path::{End, RelativePath, Segment};

use crate::random::{Random, Script};
use crate::{Tally, mutate, seeds, values};

/// Takes `data` for a path name, a relative path, or a type with a value and a constant. (R-ARC.7)
pub fn path(data: &[u8]) -> Tally {
    let mut script = Script::new(data);
    match script.byte() % 4 {
        0 | 1 => path_name(&String::from_utf8_lossy(script.rest())),
        2 => relative(&String::from_utf8_lossy(script.rest())),
        _ => values::value(&mut script),
    }
}

/// The next input.
pub(crate) fn input(random: &mut Random) -> Vec<u8> {
    let kind = random.below(4) as u8;
    let mut bytes = if kind == 3 {
        values::input(random)
    } else {
        text(random).into_bytes()
    };
    if random.chance(40) {
        let donor = text(random);
        mutate::bytes(&mut bytes, &seeds::WORDS, donor.as_bytes(), random);
    }
    bytes.insert(0, kind);
    bytes
}

/// What fuzzing starts from: the words that are paths, and values of every type.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let paths = seeds::WORDS
        .iter()
        .flat_map(|word| (0..3).map(|kind| [&[kind], word.as_bytes()].concat()));
    paths.chain(values::corpus()).collect()
}

fn path_name(text: &str) -> Tally {
    let object = Path::parse_object(text);
    let Ok(path) = Path::parse(text) else {
        assert!(object.is_err(), "an object's path that is no path: {text}");
        return Tally::one(false);
    };
    assert_eq!(object.is_ok(), path.end == End::Object);
    check_display(&path);
    check_display(&path.clone().into_object());
    assert!(!(path.is_schema() && path.is_search()));
    for segment in &path.segments {
        if let Segment::Search(expression) = segment {
            for comparison in &expression.comparisons {
                values::check_comparisons(comparison);
            }
        }
    }
    Tally::one(true)
}

fn check_display(path: &Path) {
    let text = path.to_string();
    // A dot that was left out may be the one that is too much.
    if text.len() <= PATH_BYTES_MAX && path.segments.len() <= SEGMENTS_MAX {
        assert_eq!(Path::parse(&text).as_ref(), Ok(path), "written as {text}");
    }
}

fn relative(text: &str) -> Tally {
    let Ok(path) = RelativePath::parse(text) else {
        return Tally::one(false);
    };
    assert_eq!(RelativePath::parse(&path.to_string()), Ok(path));
    Tally::one(true)
}

/// A path by the grammar, now and then a little beside it.
fn text(random: &mut Random) -> String {
    const STEPS: [&str; 8] = [
        "LocalAgent.",
        "Controller.",
        "MTP.",
        "WebSocket.",
        "X_EX-COM_T.",
        "A+.",
        "B#2+.",
        "C#*+.",
    ];
    const ROWS: [&str; 6] = ["1.", "4294967295.", "*.", "{i}.", "12.", "0."];
    const ENDS: [&str; 8] = [
        "", "Alias", "Enable", "Reset()", "Boot!", "1", "_x", "X_A-B_c",
    ];
    let mut path = String::from("Device.");
    for _ in 0..random.below(6) {
        path += STEPS[random.below(STEPS.len())];
        match random.below(4) {
            0 => path += ROWS[random.below(ROWS.len())],
            1 => expression(&mut path, random),
            _ => {}
        }
    }
    path + ENDS[random.below(ENDS.len())]
}

fn expression(path: &mut String, random: &mut Random) {
    const PARAMETERS: [&str; 5] = ["Alias", "A.B", "R+.Name", "L#1+.N.P", "_"];
    const OPERATORS: [&str; 8] = ["==", "!=", "~=", "<", ">", "<=", ">=", " == "];
    path.push('[');
    for index in 0..=random.below(3) {
        if index > 0 {
            *path += "&&";
        }
        *path += PARAMETERS[random.below(PARAMETERS.len())];
        *path += OPERATORS[random.below(OPERATORS.len())];
        let constant = values::text(random);
        if random.chance(50) {
            *path += &format!("\"{}\"", constant.replace('%', "%25").replace('"', "%22"));
        } else {
            *path += &constant;
        }
    }
    *path += "].";
}
