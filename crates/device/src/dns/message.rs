//! Questions to a DNS server and what it answers, as bytes. (RFC 1035)

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Addresses of version 4.
    A,
    /// Addresses of version 6.
    Aaaa,
    /// The name of an address.
    Ptr,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) is_authoritative: bool,
    pub(super) is_cut: bool,
    /// The name that the last alias led to.
    pub(super) name: Option<String>,
    pub(super) addresses: Vec<IpAddr>,
}

/// How the question ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Found,
    NotFound,
    /// The server does not want to, or cannot.
    Refused,
}

/// A question about `name`; None where it is no name.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = Name::new(name).ok()?;
    let kind = match kind {
        Kind::A => TYPE::A,
        Kind::Aaaa => TYPE::AAAA,
        Kind::Ptr => TYPE::PTR,
    };
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        name,
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().ok()
}

/// The answer to the question `asked`, or None where the bytes are something else.
pub(super) fn answer(asked: &[u8], bytes: &[u8]) -> Option<Answer> {
    let asked = Packet::parse(asked).ok()?;
    let packet = Packet::parse(bytes).ok()?;
    let (ours, theirs) = (asked.questions.first()?, packet.questions.first()?);
    let is_ours = packet.id() == asked.id()
        && packet.has_flags(PacketFlag::RESPONSE)
        && same(&ours.qname, &theirs.qname)
        && ours.qtype == theirs.qtype;
    if !is_ours {
        return None;
    }
    let mut name = ours.qname.clone();
    let mut told = None;
    let mut addresses = Vec::new();
    for record in &packet.answers {
        match &record.rdata {
            RData::CNAME(alias) if same(&record.name, &name) => name = alias.0.clone(),
            RData::PTR(pointer) if same(&record.name, &name) => {
                told.get_or_insert_with(|| pointer.0.to_string());
            }
            RData::A(a) if same(&record.name, &name) => {
                addresses.push(IpAddr::from(a.address.to_be_bytes()));
            }
            RData::AAAA(aaaa) if same(&record.name, &name) => {
                addresses.push(IpAddr::from(aaaa.address.to_be_bytes()));
            }
            _ => {}
        }
    }
    let verdict = match packet.rcode() {
        RCODE::NoError if !addresses.is_empty() || told.is_some() => Verdict::Found,
        RCODE::NoError | RCODE::NameError => Verdict::NotFound,
        _ => Verdict::Refused,
    };
    Some(Answer {
        verdict,
        is_authoritative: packet.has_flags(PacketFlag::AUTHORITATIVE_ANSWER),
        is_cut: packet.has_flags(PacketFlag::TRUNCATION),
        name: told.or_else(|| Some(name.to_string())),
        addresses,
    })
}

/// The name under which the name of `address` stands. (RFC 1035 3.5, RFC 3596 2.5)
pub(super) fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev();
            let labels = nibbles.map(|octet| format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
            labels.collect::<String>() + "ip6.arpa"
        }
    }
}

fn same(one: &Name<'_>, other: &Name<'_>) -> bool {
    one.to_string().eq_ignore_ascii_case(&other.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME};

    use super::*;

    fn record<'a>(name: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, data)
    }

    fn alias<'a>(to: &'a str) -> RData<'a> {
        RData::CNAME(CNAME(Name::new(to).unwrap()))
    }

    fn reply(asked: &[u8], records: Vec<ResourceRecord<'_>>) -> Vec<u8> {
        let mut packet = Packet::parse(asked).unwrap().into_reply();
        packet.set_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER);
        packet.answers = records;
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn aliases_lead_to_addresses_and_what_belongs_to_others_is_left_out() {
        let asked = question(7, "www.example", Kind::A).unwrap();
        let address = |last: u32| {
            RData::A(A {
                address: 0xC000_0200 + last,
            })
        };
        let bytes = reply(
            &asked,
            vec![
                record("WWW.example", alias("web.example")),
                record("other.example", address(9)),
                record("web.example", address(1)),
            ],
        );
        let answer = answer(&asked, &bytes).unwrap();
        assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(answer.name.as_deref(), Some("web.example"));
        assert_eq!(
            (answer.verdict, answer.is_authoritative),
            (Verdict::Found, true)
        );
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let asked = question(7, "www.example", Kind::A).unwrap();
        for other in [
            question(8, "www.example", Kind::A),
            question(7, "ww.example", Kind::A),
            question(7, "www.example", Kind::Aaaa),
        ] {
            assert_eq!(answer(&asked, &reply(&other.unwrap(), Vec::new())), None);
        }
        assert_eq!(answer(&asked, &asked), None, "a question is no answer");
        let empty = answer(&asked, &reply(&asked, Vec::new())).unwrap();
        assert_eq!(empty.verdict, Verdict::NotFound);
    }

    #[test]
    fn addresses_have_names_that_are_read_from_behind() {
        assert_eq!(
            reverse(IpAddr::from([192, 0, 2, 1])),
            "1.2.0.192.in-addr.arpa"
        );
        let v6 = reverse("2001:db8::1".parse().unwrap());
        assert!(v6.starts_with("1.0.0.0.0."), "{v6}");
        assert!(v6.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{v6}");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), cut in 0..60_usize, at in 0..60_usize, byte: u8) {
            let asked = question(7, "www.example", Kind::A).unwrap();
            let _ = answer(&asked, &bytes);
            bytes = reply(&asked, vec![record("www.example", alias("web.example"))]);
            let last = bytes.len() - 1;
            bytes[at.min(last)] = byte;
            bytes.truncate(cut);
            let _ = answer(&asked, &bytes);
        }

        #[test]
        fn no_name_breaks_it(name in ".{0,300}") {
            let _ = question(1, &name, Kind::A);
        }
    }
}
