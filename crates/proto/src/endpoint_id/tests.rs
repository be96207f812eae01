use super::*;

fn faults(text: &str) -> EndpointIdError {
    EndpointId::parse(text).expect_err(text)
}

/// Proves: R-ARC.2a
#[test]
fn every_scheme_accepts_what_its_rule_allows() {
    for text in [
        "oui:00256D:my-unique-bbf-id-42",
        "oui:00256d7:x",
        "oui:00256D789:x",
        "cid:3AA3F8:my-unique-usp-id-42",
        "pen:3561:my-unique-bbf-id-42",
        "pen:4294967295:x",
        "self::my-Agent",
        "self:a:x",
        "self:a-b.c_:x",
        "user::x",
        "user:abcdef:x",
        "os::00256D-0123456789",
        "os::00256D789-serial-with-hyphens",
        "ops::00256D-STB-0123456789",
        "ops::00256D-S%2DT-01-23",
        "uuid::f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "uuid::F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
        "imei::990000862471854",
        "proto::my-Agent",
        "proto:ab-_1:x",
        "doc::x",
        "doc:a.b:x",
        "fqdn::www.example.org",
        "fqdn::a-1.b2",
    ] {
        let id = EndpointId::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(id.to_string(), text);
        assert_eq!(id.scheme().map(Scheme::name), text.split(':').next());
    }
}

/// Proves: R-ARC.2a
#[test]
fn every_scheme_refuses_an_authority_against_its_rule() {
    for text in [
        "oui::x",
        "oui:00256:x",
        "oui:00256D78:x",
        "oui:00256D7890:x",
        "oui:00256G:x",
        "cid::x",
        "cid:3AA3F87:x",
        "cid:3AA3F:x",
        "cid:3AA3FZ:x",
        "pen::x",
        "pen:0xAB:x",
        "pen:+12:x",
        "pen:4294967296:x",
        "self:abcdefg:x",
        "self:a~:x",
        "user:abcdefg:x",
        "user:a%20:x",
        "os:00256D:00256D-1",
        "ops:a:00256D-STB-1",
        "uuid:a:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "imei:a:990000862471854",
        "proto:a.b:x",
        "proto:abcdefg:x",
        "doc:abcdefg:x",
        "doc:a/b:x",
        "fqdn:a:www.example.org",
    ] {
        assert!(
            matches!(faults(text), EndpointIdError::Authority { .. }),
            "{text}: {}",
            faults(text)
        );
    }
}

/// Proves: R-ARC.2a
#[test]
fn every_scheme_refuses_an_instance_against_its_rule() {
    for text in [
        "os::00256D",
        "os::00256D-",
        "os::00256-1",
        "os::-1",
        "ops::00256D-0123456789",
        "ops::00256D--1",
        "ops::00256D-STB-",
        "ops::0025-STB-1",
        "uuid::f81d4fae-7dec-11d0-a765-00a0c91e6bf",
        "uuid::f81d4fae7dec11d0a76500a0c91e6bf6",
        "uuid::f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
        "uuid::f81d4fae-7dec-11d0-a765-00a0c91e6bf6-",
        "imei::99000086247185",
        "imei::9900008624718545",
        "imei::99000086247185A",
        "fqdn::localhost",
        "fqdn::www..org",
        "fqdn::www.example.org.",
        "fqdn::-a.org",
        "fqdn::a-.org",
        "fqdn::a_b.org",
        "fqdn::192.0.2.1",
    ] {
        assert!(
            matches!(faults(text), EndpointIdError::Instance { .. }),
            "{text}: {}",
            faults(text)
        );
    }
    assert!(matches!(
        faults("fqdn::*.example.org"),
        EndpointIdError::InstanceCharacter { found: '*', .. }
    ));
}

/// Proves: R-ARC.2a
#[test]
fn unknown_schemes_and_shapes_are_refused() {
    for text in ["OUI:00256D:x", "mac::x", "selfish::x"] {
        assert!(
            matches!(faults(text), EndpointIdError::Scheme { .. }),
            "{text}"
        );
    }
    for text in ["", ":", "::", "self", "self:", "self::", "self:x", "::x"] {
        assert!(
            matches!(faults(text), EndpointIdError::Shape { .. }),
            "{text}"
        );
    }
    for text in [
        "self:: x",
        "self::x\n",
        "self::\u{0}",
        "self::a\u{202e}b",
        "self::\u{feff}a",
    ] {
        assert!(
            matches!(faults(text), EndpointIdError::Unprintable { .. }),
            "{text:?}"
        );
    }
    assert_eq!(
        faults(&format!("self::{}", "x".repeat(10_000))),
        EndpointIdError::TooLong { bytes: 10_006 }
    );
}

/// Proves: R-ARC.3
#[test]
fn identities_of_the_forum_are_told_from_others() {
    for text in [
        "oui:00256D:x",
        "oui:00256d:x",
        "os::00256D-1",
        "ops::00256D-STB-1",
    ] {
        let id = EndpointId::parse(text).unwrap();
        assert_eq!(
            id.production_warning(),
            Some(ProductionWarning::ForumOui),
            "{text}"
        );
    }
    for text in ["pen:3561:x", "pen:03561:x"] {
        let id = EndpointId::parse(text).unwrap();
        assert_eq!(
            id.production_warning(),
            Some(ProductionWarning::ForumPen),
            "{text}"
        );
    }
    for text in [
        "oui:00256E:00256D",
        "pen:35610:x",
        "os::00256E-00256D",
        "self::3561",
        "fqdn::a.org",
    ] {
        assert_eq!(
            EndpointId::parse(text).unwrap().production_warning(),
            None,
            "{text}"
        );
    }
}

/// Proves: R-ARC.4
#[test]
fn schemes_of_prototypes_and_documents_are_told_from_others() {
    for scheme in Scheme::ALL {
        let id = EndpointId::from_wire(&format!("{}::x", scheme.name())).unwrap();
        let expected = matches!(scheme, Scheme::Doc | Scheme::Proto)
            .then_some(ProductionWarning::TestScheme(scheme));
        assert_eq!(id.production_warning(), expected);
    }
    let warning = EndpointId::parse("proto::x")
        .unwrap()
        .production_warning()
        .unwrap();
    assert_eq!(
        warning.to_string(),
        "authority-scheme \"proto\" is not allowed in production"
    );
}

/// Proves: R-ARC.5
#[test]
fn the_instance_id_has_no_character_that_should_be_encoded() {
    for byte in 0x21..0x7f_u8 {
        let found = char::from(byte);
        let allowed = found.is_ascii_alphanumeric() || "-._".contains(found);
        let text = format!("self::a{found}");
        assert_eq!(EndpointId::parse(&text).is_ok(), allowed, "{text}");
    }
    for text in ["self::%20", "self::a%2Fb%c3%A9"] {
        assert!(EndpointId::parse(text).is_ok(), "{text}");
    }
    for text in [
        "self::%",
        "self::%2",
        "self::%G0",
        "self::%2é",
        "self::é",
        "self::a:b",
    ] {
        assert!(
            matches!(faults(text), EndpointIdError::InstanceCharacter { .. }),
            "{text}"
        );
    }
}

/// Proves: R-ARC.6
#[test]
fn the_instance_id_has_at_most_50_characters() {
    assert!(EndpointId::parse(&format!("self::{}", "x".repeat(50))).is_ok());
    let long = format!("self::{}", "x".repeat(51));
    assert_eq!(
        faults(&long),
        EndpointIdError::InstanceTooLong {
            id: long.clone(),
            length: 51
        }
    );
    let peer = EndpointId::from_wire(&long).unwrap();
    assert!(
        peer.fault().is_some(),
        "a peer's own ID is taken, its fault is known"
    );
}

#[test]
fn the_parts_are_at_hand() {
    let id = EndpointId::parse("oui:00256D:a-b").unwrap();
    assert_eq!(
        (id.scheme(), id.authority_id(), id.instance_id()),
        (Some(Scheme::Oui), "00256D", "a-b")
    );
    assert_eq!(id, "oui:00256D:a-b");
    assert!(id < EndpointId::parse("self::x").unwrap());
}

#[test]
fn certificates_carry_the_id_as_a_urn() {
    let id = EndpointId::parse("os::00256D-0123456789").unwrap();
    assert_eq!(id.to_urn(), "urn:bbf:usp:id:os::00256D-0123456789");
    assert_eq!(EndpointId::from_urn(&id.to_urn()), Ok(id.clone()));
    assert_eq!(
        EndpointId::from_urn("URN:BBF:usp:id:os::00256D-0123456789"),
        Ok(id)
    );
    for urn in [
        "",
        "urn:bbf:usp:id:",
        "urn:bbf:usp:é",
        "os::00256D-0123456789",
        "urn:uuid:f81d4fae",
    ] {
        assert!(EndpointId::from_urn(urn).is_err(), "{urn}");
    }
}

#[test]
fn an_id_is_a_plain_string_in_json() {
    let id = EndpointId::parse("self::x").unwrap();
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(json, "\"self::x\"");
    assert_eq!(serde_json::from_str::<EndpointId>(&json).unwrap(), id);
    assert!(serde_json::from_str::<EndpointId>("\"x\"").is_err());
}

/// Proves: R-WS.10b
#[test]
fn the_query_carries_the_id_beside_other_items() {
    let id = EndpointId::parse("os::00256D-1").unwrap();
    for (uri, expected) in [
        ("wss://h/usp", "wss://h/usp?eid=os::00256D-1"),
        ("wss://h/usp?", "wss://h/usp?eid=os::00256D-1"),
        ("wss://h/usp?a=b", "wss://h/usp?a=b&eid=os::00256D-1"),
        ("wss://h/usp?a=b&", "wss://h/usp?a=b&eid=os::00256D-1"),
        ("wss://h/usp#top", "wss://h/usp?eid=os::00256D-1#top"),
    ] {
        let whole = append_eid(uri, &id);
        assert_eq!(whole, expected);
        let query = whole.split_once('?').unwrap().1.split('#').next().unwrap();
        assert_eq!(eid_in_query(query), Ok(Some(id.clone())));
    }
    assert_eq!(eid_in_query("a=b&xeid=self::a"), Ok(None));
    assert!(matches!(
        eid_in_query("eid="),
        Err(QueryError::EndpointId(_))
    ));
}

/// Proves: R-WS.10c
#[test]
fn a_percent_sign_of_the_id_is_encoded_in_the_query() {
    let id = EndpointId::parse("ops::00256D-S%2DT-%41").unwrap();
    assert_eq!(encode_query_value(id.as_str()), "ops::00256D-S%252DT-%2541");
    assert_eq!(eid_in_query("eid=ops::00256D-S%252DT-%2541"), Ok(Some(id)));
    for value in ["%", "%2", "%G1", "a%2", "%ff", "%é1"] {
        assert!(
            matches!(decode_query_value(value), Err(QueryError::Encoding { .. })),
            "{value}"
        );
    }
    assert_eq!(decode_query_value("a+b").unwrap(), "a+b");
    assert_eq!(encode_query_value("a&b=c d"), "a%26b%3Dc%20d");
}
