//! The comparison on a small model of our own making.

use std::collections::BTreeSet;

use super::compare::differences;
use super::*;

const ROOT: &str = r#"<dm:document xmlns:dm="urn:x">
  <import file="types.xml"><component name="Alias" ref="_AliasUSP"/><dataType name="Short"/></import>
  <import file="common.xml"><component name="Lamps"/><model name="_Home:2.1" ref="Home:2.1"/></import>
  <model name="Home:2.1" base="_Home:2.1">
    <object base="Home.">
      <command name="Dim()" async="true">
        <input><parameter name="Level" mandatory="true"><syntax><unsignedInt/></syntax></parameter></input>
        <output><object name="Lamp.{i}."><parameter name="Was"><syntax><unsignedInt/></syntax></parameter></object></output>
      </command>
      <event name="Dark!"><parameter name="Since"><syntax><dateTime/></syntax></parameter></event>
    </object>
    <component ref="Lamps" path="Home."/>
    <object base="Home.Lamp.{i}."><parameter base="Colour" access="readOnly"><description>x</description></parameter></object>
    <object base="Home.Lamp.{i}."><parameter base="Colour"><syntax><list/><string/><default type="object" value=""/></syntax></parameter></object>
    <profile name="Lamp:1">
      <object ref="Home.Lamp.{i}." requirement="createDelete">
        <parameter ref="Alias" requirement="readWrite"/><parameter ref="Colour" requirement="readWrite"/>
        <parameter ref="Old" requirement="readOnly"/>
      </object>
    </profile>
    <profile name="Dimmer:1" extends="Lamp:1">
      <object ref="Home." requirement="present"><command ref="Dim()"/></object>
    </profile>
  </model>
</dm:document>"#;

const COMMON: &str = r#"<dm:document xmlns:dm="urn:x">
  <import file="types.xml"><component name="Alias"/><dataType name="Short"/></import>
  <component name="Lamps">
    <object name="Lamp.{i}." access="readWrite">
      <uniqueKey functional="false"><parameter ref="Alias"/></uniqueKey>
      <uniqueKey functional="true"><parameter ref="Room"/><parameter ref="Colour"/></uniqueKey>
      <component ref="Alias"/>
      <parameter name="Room" access="readWrite"><syntax><dataType ref="Short"/></syntax></parameter>
      <parameter name="Colour" access="readWrite"><syntax><list/><string>
        <enumeration value="Red"/><enumeration value="Blue"/>
        <enumeration value="Pink" optional="true"/><enumeration value="Grey" status="deleted"/>
      </string></syntax></parameter>
      <parameter name="Old" access="readOnly" status="deleted"><syntax><int/></syntax></parameter>
    </object>
    <object name="Candle." access="readOnly" status="deleted"/>
  </component>
  <model name="Home:2.1"><object name="Home." access="readOnly"/></model>
</dm:document>"#;

const TYPES: &str = r#"<!DOCTYPE x [<!ENTITY dot "\.">]><dm:document xmlns:dm="urn:x">
  <dataType name="_Short"><string><size maxLength="64"/></string></dataType>
  <dataType name="Short" base="_Short"><size maxLength="8"/><pattern value="a&dot;b"/></dataType>
  <component name="_AliasUSP"><parameter name="Alias" access="writeOnceReadOnly">
    <syntax><dataType ref="_Short"/></syntax></parameter></component>
  <component name="_AliasCWMP"><parameter name="Alias" access="readWrite">
    <syntax><dataType ref="_Short"/></syntax></parameter></component>
  <component name="Alias" virtual="true"><component ref="_AliasCWMP"/></component>
</dm:document>"#;

/// Declarations that agree with the model above.
const RIGHT: &str = r#"[
  {"path":"Home.","access":"readOnly",
   "commands":[{"name":"Dim()","async":true,"input":["Level"],"output":["Lamp.{i}.Was"]}],
   "events":[{"name":"Dark!","args":["Since"]}]},
  {"path":"Home.Lamp.{i}.","access":"readWrite","unique_keys":[["Colour","Room"],["Alias"]],
   "parameters":[
     {"name":"Alias","access":"writeOnceReadOnly","type":"string","max":64},
     {"name":"Room","access":"readWrite","type":"string","max":8},
     {"name":"Colour","access":"readOnly","type":"string","list":true,"enum":["Red","Blue"]},
     {"name":"X_HOUSE_Bulb","access":"readOnly","type":"string"}]},
  {"path":"Home.X_HOUSE_Attic.","access":"readOnly"}
]"#;

fn model() -> Model {
    let mut library = Library::new(|file: &str| {
        let files = [
            ("root.xml", ROOT),
            ("common.xml", COMMON),
            ("types.xml", TYPES),
        ];
        let found = files.iter().find(|(name, _)| *name == file);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| format!("{file}: absent"))
    });
    Model::build(&mut library, "root.xml", "Home:2").unwrap()
}

/// The differences after replacing a part of the right declarations.
fn found(part: &str, other: &str) -> Vec<String> {
    assert!(RIGHT.contains(part), "{part}");
    let declared = declared::parse(&RIGHT.replace(part, other)).unwrap();
    let found = differences(&model(), &declared);
    found
        .into_iter()
        .map(|difference| format!("{}: {}", difference.path, difference.what))
        .collect()
}

#[test]
fn right_declarations_have_no_difference() {
    assert_eq!(found("", ""), Vec::<String>::new());
}

#[test]
fn each_wrong_word_is_one_difference() {
    for (part, other, expected) in [
        ("Home.Lamp.{i}.\"", "Home.Light.{i}.\"", "no such object"),
        (
            "\"readWrite\",\"unique",
            "\"readOnly\",\"unique",
            "access is declared readOnly",
        ),
        (
            "[\"Colour\",\"Room\"]",
            "[\"Room\"]",
            "unique keys is declared Alias; Room",
        ),
        ("\"Room\",\"acc", "\"Rom\",\"acc", "no such parameter"),
        (
            "\"max\":8",
            "\"max\":9",
            "longest value is declared 9, TR-181 says 8",
        ),
        (
            "\"max\":64",
            "\"min\":1",
            "longest value is declared unlimited",
        ),
        (
            "writeOnceReadOnly",
            "readWrite",
            "TR-181 says writeOnceReadOnly",
        ),
        ("\"list\":true,", "", "list is declared false"),
        (
            "\"string\",\"list",
            "\"int\",\"list",
            "type is declared int",
        ),
        (
            "[\"Red\",\"Blue\"]",
            "[\"Red\",\"Blue\",\"Pink\",\"Green\"]",
            "value `Green`",
        ),
        ("[\"Red\",\"Blue\"]", "[\"Red\"]", "value `Blue`"),
        (
            "[\"Red\",\"Blue\"]",
            "[\"Red\",\"Blue\",\"Grey\"]",
            "value `Grey`",
        ),
        (
            "\"max\":8",
            "\"max\":8,\"enum\":[\"Hall\"]",
            "does not limit",
        ),
        ("\"async\":true", "\"async\":false", "declared synchronous"),
        (
            "[\"Level\"]",
            "[]",
            "the mandatory input argument `Level` is missing",
        ),
        (
            "[\"Lamp.{i}.Was\"]",
            "[\"Lamp.{i}.Was\",\"Heat\"]",
            "no output argument `Heat`",
        ),
        ("[\"Since\"]", "[]", "the event argument `Since` is missing"),
        ("Dark!", "Bright!", "no such event"),
        ("Dim()", "Burn()", "no such command"),
        ("Home.X_HOUSE_Attic.", "Home.Candle.", "deleted"),
        ("\"name\":\"X_HOUSE_Bulb\"", "\"name\":\"Old\"", "deleted"),
        ("Home.X_HOUSE_Attic.", "Home.", "declared twice"),
    ] {
        let found = found(part, other);
        assert_eq!(found.len(), 1, "{other}: {found:?}");
        assert!(found[0].contains(expected), "{other}: {found:?}");
    }
}

#[test]
fn virtual_components_follow_the_root_document() {
    let model = model();
    assert_eq!(
        model.objects["Home.Lamp.{i}."].parameters["Alias"].access,
        "writeOnceReadOnly"
    );
    assert_eq!(
        model.objects["Home.Lamp.{i}."].parameters["Room"].length_max,
        Some(8)
    );
}

#[test]
fn profiles_tell_what_is_missing() {
    let declared = declared::parse(&RIGHT.replace("\"Colour\",\"acc", "\"Color\",\"acc")).unwrap();
    let (whole, begun) = profiles::state(&model(), &declared);
    assert!(whole.is_empty());
    let names: Vec<_> = begun.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["Dimmer:1", "Lamp:1"]);
    assert_eq!(
        begun[1].missing,
        BTreeSet::from(["Home.Lamp.{i}.Colour".to_owned()])
    );
    let (whole, begun) = profiles::state(&model(), &declared::parse(RIGHT).unwrap());
    assert_eq!((whole.len(), begun.len()), (2, 0));
}

#[test]
fn a_profile_that_has_to_be_whole_breaks_the_rule_by_what_it_lacks() {
    let errors = |text: &str, whole: &str| {
        let roadmap =
            format!("whole = [\"{whole}\"]\n[[issue]]\npath = \"Home.\"\nissue = \"one\"\n");
        let mut report = Report::default();
        let declared = declared::parse(text).unwrap();
        let roadmap: Roadmap = toml::from_str(&roadmap).unwrap();
        profiles::print_missing(&model(), &declared, &roadmap, &mut report);
        report.errors
    };
    assert_eq!(errors(RIGHT, "Lamp:1"), Vec::<String>::new());
    let missing = errors(
        &RIGHT.replace("\"Colour\",\"acc", "\"Color\",\"acc"),
        "Lamp:1",
    );
    assert_eq!(
        missing,
        ["Home.Lamp.{i}.Colour: profile Lamp:1 has to be whole and this is not declared"]
    );
    assert!(
        errors("[]", "Lamp:1").len() > 1,
        "nothing at all is not enough"
    );
    assert_eq!(
        errors(RIGHT, "Attic:1").len(),
        1,
        "there is no such profile"
    );
}

#[test]
fn the_roadmap_names_issues_and_wanted_differences() {
    let roadmap: Roadmap = toml::from_str(
        "[[issue]]\npath = \"Home.\"\nissue = \"one\"\n[[issue]]\npath = \"Home.Lamp.\"\nissue = \"two\"\n\
         [[accepted]]\npath = \"Home.Lamp.{i}.Rom\"\nreason = \"a test\"\n",
    )
    .unwrap();
    assert_eq!(roadmap.issue("Home.Lamp.{i}.Room"), Some("two"));
    assert_eq!(roadmap.issue("Home.Dim()"), Some("one"));
    assert_eq!(roadmap.issue("Office."), None);
    let errors = |text: &str| {
        let mut report = Report::default();
        compare_all(
            &model(),
            &declared::parse(text).unwrap(),
            &roadmap,
            &mut report,
        );
        report.errors
    };
    assert!(errors(&RIGHT.replace("\"Room\",\"acc", "\"Rom\",\"acc")).is_empty());
    assert_eq!(
        errors(RIGHT).len(),
        1,
        "an accepted difference that is gone is told"
    );
}
