//! The rules of each authority scheme. (R-ARC.2a to R-ARC.6)

use super::{EndpointId, EndpointIdError, ProductionWarning, Scheme};

const INSTANCE_CHARACTERS_MAX: usize = 50;
const AUTHORITY_CHARACTERS_MAX: usize = 6;
const FORUM_OUI: &str = "00256D";
const FORUM_PEN: u32 = 3561;

pub(super) fn check(id: &EndpointId) -> Result<(), EndpointIdError> {
    let (name, authority, instance) = id.parts();
    let whole = || id.as_str().to_owned();
    let Some(scheme) = Scheme::from_name(name) else {
        return Err(EndpointIdError::Scheme {
            id: whole(),
            scheme: name.to_owned(),
        });
    };
    if let Some(found) = forbidden_character(instance) {
        return Err(EndpointIdError::InstanceCharacter { id: whole(), found });
    }
    if instance.len() > INSTANCE_CHARACTERS_MAX {
        return Err(EndpointIdError::InstanceTooLong {
            id: whole(),
            length: instance.len(),
        });
    }
    if let Err(wanted) = check_authority(scheme, authority) {
        let authority = authority.to_owned();
        return Err(EndpointIdError::Authority {
            id: whole(),
            authority,
            scheme: scheme.name(),
            wanted,
        });
    }
    check_instance(scheme, instance).map_err(|wanted| EndpointIdError::Instance {
        id: whole(),
        instance: instance.to_owned(),
        scheme: scheme.name(),
        wanted,
    })
}

pub(super) fn production_warning(id: &EndpointId) -> Option<ProductionWarning> {
    let scheme = id.scheme()?;
    let forum_oui = |oui: &str| {
        oui.eq_ignore_ascii_case(FORUM_OUI)
            .then_some(ProductionWarning::ForumOui)
    };
    match scheme {
        Scheme::Doc | Scheme::Proto => Some(ProductionWarning::TestScheme(scheme)),
        Scheme::Cid | Scheme::Oui => forum_oui(id.authority_id()),
        Scheme::Ops | Scheme::Os => {
            forum_oui(id.instance_id().split('-').next().unwrap_or_default())
        }
        Scheme::Pen => {
            (id.authority_id().parse() == Ok(FORUM_PEN)).then_some(ProductionWarning::ForumPen)
        }
        Scheme::Fqdn | Scheme::Imei | Scheme::SelfAssigned | Scheme::User | Scheme::Uuid => None,
    }
}

fn check_authority(scheme: Scheme, authority: &str) -> Result<(), &'static str> {
    let short = authority.len() <= AUTHORITY_CHARACTERS_MAX && authority.chars().all(is_unreserved);
    let (holds, wanted) = match scheme {
        Scheme::Cid => (
            is_hex(authority) && authority.len() == 6,
            "6 hexadecimal digits",
        ),
        Scheme::Oui => (is_oui(authority), "6, 7 or 9 hexadecimal digits"),
        Scheme::Pen => (
            is_enterprise_number(authority),
            "a decimal enterprise number",
        ),
        Scheme::Proto => (
            short && !authority.contains('.'),
            "at most 6 letters, digits, '-' or '_'",
        ),
        Scheme::Doc | Scheme::SelfAssigned | Scheme::User => {
            (short, "at most 6 letters, digits, '-', '.' or '_'")
        }
        Scheme::Fqdn | Scheme::Imei | Scheme::Ops | Scheme::Os | Scheme::Uuid => {
            (authority.is_empty(), "nothing")
        }
    };
    if holds { Ok(()) } else { Err(wanted) }
}

fn check_instance(scheme: Scheme, instance: &str) -> Result<(), &'static str> {
    let (holds, wanted) = match scheme {
        Scheme::Fqdn => (
            is_domain_name(instance),
            "a domain name with at least two labels and no wildcard",
        ),
        // The check digit is not examined: networks report it as 0.
        Scheme::Imei => (instance.len() == 15 && is_decimal(instance), "15 digits"),
        Scheme::Ops => (
            is_ops(instance),
            "OUI, '-', product class, '-', serial number",
        ),
        Scheme::Os => (is_os(instance), "OUI, '-', serial number"),
        Scheme::Uuid => (
            is_uuid(instance),
            "a UUID, such as f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ),
        Scheme::Cid
        | Scheme::Doc
        | Scheme::Oui
        | Scheme::Pen
        | Scheme::Proto
        | Scheme::SelfAssigned
        | Scheme::User => (true, ""),
    };
    if holds { Ok(()) } else { Err(wanted) }
}

/// The first character that is neither unreserved nor part of a percent-encoded byte. (R-ARC.5)
fn forbidden_character(instance: &str) -> Option<char> {
    let mut rest = instance;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '%' if rest.get(1..3).is_some_and(is_hex) => 3,
            c if is_unreserved(c) => 1,
            c => return Some(c),
        };
        rest = &rest[taken..];
    }
    None
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_oui(text: &str) -> bool {
    is_hex(text) && matches!(text.len(), 6 | 7 | 9)
}

fn is_enterprise_number(text: &str) -> bool {
    is_decimal(text) && text.parse::<u32>().is_ok()
}

fn is_os(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(oui, serial)| is_oui(oui) && !serial.is_empty())
}

fn is_ops(text: &str) -> bool {
    let Some((oui, rest)) = text.split_once('-') else {
        return false;
    };
    let named = rest
        .split_once('-')
        .is_some_and(|(class, serial)| !class.is_empty() && !serial.is_empty());
    is_oui(oui) && named
}

fn is_uuid(text: &str) -> bool {
    text.split('-')
        .map(|group| if is_hex(group) { group.len() } else { 0 })
        .eq([8, 4, 4, 4, 12])
}

fn is_domain_name(text: &str) -> bool {
    let label_holds = |label: &str| {
        // None is too long for DNS: the whole instance-id has at most 50 characters.
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some((_, last)) = text.rsplit_once('.') else {
        return false;
    };
    // A last label of digits would be an IP address.
    text.split('.').all(label_holds) && !is_decimal(last)
}
