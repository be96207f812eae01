//! The tokens of a server.

use serde::Deserialize;
use serde_json::Value;

use super::devices::ago;
use super::{clean, columns};
use crate::failure::Failure;

/// What the server tells of a token, as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    name: String,
    scope: Option<String>,
    /// Milliseconds since 1970, as all times here.
    created: i64,
    created_by: String,
    expires: Option<i64>,
    last_used: Option<i64>,
    /// The secret, where it was just made.
    pub(crate) token: String,
}

impl Token {
    pub(crate) fn read(json: Value) -> Result<Self, Failure> {
        serde_json::from_value(json).map_err(|error| {
            Failure::local(format_args!(
                "the server's token cannot be understood: {error}"
            ))
        })
    }

    fn expiry(&self, now: i64) -> String {
        match self.expires {
            None => "never".to_owned(),
            Some(expires) if expires <= now => "expired".to_owned(),
            Some(expires) => ago(expires - now).replace(" ago", ""),
        }
    }
}

/// A line for each token.
pub(crate) fn table(tokens: &[Token], now: i64) -> String {
    if tokens.is_empty() {
        return "no tokens but the one in the data folder; `usphere tokens create NAME --scope SCOPE` makes one\n"
            .to_owned();
    }
    let rows = tokens.iter().map(|token| {
        vec![
            clean(&token.name),
            clean(token.scope.as_deref().unwrap_or("damaged")),
            token.expiry(now),
            token
                .last_used
                .map_or_else(|| "never".to_owned(), |used| ago(now - used)),
            ago(now - token.created),
            clean(&token.created_by),
        ]
    });
    columns(&["NAME", "SCOPE", "EXPIRES IN", "USED", "MADE", "BY"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_listed_with_when_they_end_and_were_used() {
        let token = |json: Value| Token::read(json).unwrap();
        let tokens = [
            token(
                serde_json::json!({"name": "ci", "scope": "operate", "created": 0, "created_by": "root",
                "expires": 7_200_000 + 60_000, "last_used": 50_000}),
            ),
            token(serde_json::json!({"name": "old", "scope": null, "expires": 5})),
        ];
        assert_eq!(
            table(&tokens, 60_000),
            "NAME  SCOPE    EXPIRES IN  USED      MADE      BY\n\
             ci    operate  2 h         10 s ago  60 s ago  root\n\
             old   damaged  expired     never     60 s ago\n"
        );
        assert!(table(&[], 0).contains("tokens create"));
    }
}
