//! How Endpoints tell each other who they are while a WebSocket opens: the `eid` item of the query,
//! and the extension that USP before 1.3 used.
//!
//! A told identity is a claim. What it is worth is decided elsewhere.

use usphere_proto::{EndpointId, append_eid};

use super::LEGACY_EXTENSION;

const KEY: &str = "eid";

/// `path`, which may have a query, with `eid=` of this Endpoint as its last item. An `eid` that the
/// path already had is replaced. (R-WS.10b, R-WS.10c)
pub(super) fn path_with_eid(path: &str, our_id: &EndpointId) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_ours = |item: &&str| item.split_once('=').is_none_or(|(key, _)| key != KEY);
    let others: Vec<_> = query
        .split('&')
        .filter(|item| !item.is_empty())
        .filter(is_ours)
        .collect();
    match others[..] {
        [] => append_eid(path, our_id),
        _ => append_eid(&format!("{path}?{}", others.join("&")), our_id),
    }
}

/// The `eid` that the legacy extension carries, if it is among the extensions of `header`, a
/// `Sec-WebSocket-Extensions` value. The inner `None` is an extension without `eid`.
pub(super) fn eid_in_extensions(header: &str) -> Option<Option<&str>> {
    split_unquoted(header, ',').find_map(|extension| {
        let mut parts = split_unquoted(extension, ';').map(str::trim);
        let name = parts.next()?;
        name.eq_ignore_ascii_case(LEGACY_EXTENSION)
            .then(|| parts.find_map(parameter_eid))
    })
}

/// The value of `Sec-WebSocket-Extensions` that tells `our_id`. (R-WS.11a)
pub(super) fn extension_with_eid(our_id: &EndpointId) -> String {
    format!("{LEGACY_EXTENSION}; {KEY}=\"{our_id}\"")
}

fn parameter_eid(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case(KEY) {
        return None;
    }
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    Some(quoted.unwrap_or(value))
}

/// Splits at `separator` where it does not stand between double quotes.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EndpointId {
        text.parse().unwrap()
    }

    /// Proves: R-WS.10b, R-WS.10c
    #[test]
    fn the_endpoint_id_is_joined_to_the_query_with_its_percent_signs_encoded() {
        let oui = id("oui:00AABB:my%2Dunit");
        assert_eq!(path_with_eid("/usp", &id("self::a")), "/usp?eid=self::a");
        assert_eq!(
            path_with_eid("/usp?x=1&y=2", &oui),
            "/usp?x=1&y=2&eid=oui:00AABB:my%252Dunit"
        );
        assert_eq!(
            path_with_eid("/?eid=self::b&x&&xeid=3", &id("self::a")),
            "/?x&xeid=3&eid=self::a"
        );
    }

    #[test]
    fn the_legacy_extension_is_found_among_others() {
        let found = eid_in_extensions;
        assert_eq!(
            found(r#"bbf-usp-protocol;eid="doc::a,b;c""#),
            Some(Some("doc::a,b;c"))
        );
        assert_eq!(
            found(r#"permessage-deflate; x="1,2", BBF-USP-Protocol ; EID = doc::a"#),
            Some(Some("doc::a"))
        );
        assert_eq!(found("bbf-usp-protocol"), Some(None));
        assert_eq!(found("permessage-deflate"), None);
    }
}
