//! Where an Endpoint is reached, as it can stand in a certificate.

use std::net::IpAddr;

/// A name or an address.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reached {
    Address(IpAddr),
    /// `*.` before a domain stands for every name in it.
    Name(String),
}

/// Reads an address, or a name of DNS. (RFC 1123 2.1, RFC 6125 6.4.3)
pub(super) fn read(text: &str) -> Result<Reached, String> {
    if let Ok(address) = text.parse() {
        return Ok(Reached::Address(address));
    }
    let wrong = |why: &str| {
        let shown: String = text.chars().take(SHOWN_MAX).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        format!("{shown:?}{more} is neither an address nor a name of DNS: {why}")
    };
    if text.len() > NAME_BYTES_MAX {
        let bytes = text.len();
        return Err(wrong(&format!(
            "it is {bytes} bytes long, at most {NAME_BYTES_MAX} are allowed"
        )));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.contains('*') {
        return Err(wrong("a wildcard is the whole first label, before others"));
    }
    if !name.split('.').all(is_label) {
        return Err(wrong(
            "labels are 1 to 63 letters, digits and hyphens within, with dots between them",
        ));
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("no domain consists of digits only"));
    }
    Ok(Reached::Name(text.to_owned()))
}

/// Longest name. (RFC 1035 2.3.4)
const NAME_BYTES_MAX: usize = 253;

/// How much of a wrong name is repeated.
const SHOWN_MAX: usize = 64;

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_taken_and_nothing_else() {
        for name in ["localhost", "a.example", "*.a.example", "3com.example"] {
            assert_eq!(read(name), Ok(Reached::Name(name.to_owned())));
        }
        assert!(matches!(read("2001:db8::1"), Ok(Reached::Address(_))));
        for wrong in [
            "",
            "*",
            "*.",
            "a.*.example",
            "w*.example",
            "*.*.example",
            "a..example",
            "a.example.",
            "-a.example",
            "a_b.example",
            "a b",
            "a\nb",
            "300.1.1.1",
            &"x".repeat(64),
            &"x.".repeat(5000),
        ] {
            let error = read(wrong).unwrap_err();
            let start: String = wrong.chars().take(8).collect();
            assert!(
                error.contains(start.escape_debug().to_string().as_str()),
                "{error}"
            );
            assert!(error.len() < 300, "{error}");
        }
    }
}
