//! The document of the API is true: every route in it is walked, by those who may and those who may not, and every
//! answer is one that it tells of.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Answer, Live, Played, get, polite, post, raw, request, server};
use tokio::time::sleep;
use usphere_server::Server;

/// What nobody needs a token for.
const OPEN: [&str; 3] = ["/api/v1/health", "/healthz", "/readyz"];

const SCOPES: [&str; 4] = ["metrics", "read", "operate", "admin"];

/// One operation of the document.
#[derive(Clone, Debug)]
struct Route {
    method: String,
    path: String,
    told: Value,
}

impl Route {
    /// Every one, those that take something away last.
    fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().unwrap();
        let mut all = Vec::new();
        for (path, item) in paths {
            for (method, told) in item.as_object().unwrap() {
                all.push(Self {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    told: told.clone(),
                });
            }
        }
        all.sort_by_key(|route| (route.method == "DELETE", route.path.len()));
        let devices = ["/api/v1/devices/{device}", "/bbf/v2/agents/{endpointID}"];
        all.sort_by_key(|route| route.method == "DELETE" && devices.contains(&route.path.as_str()));
        all
    }

    fn scope(&self) -> Option<&str> {
        self.told["security"][0]["token"][0].as_str()
    }

    fn is_endless(&self) -> bool {
        self.told["responses"]["200"]["content"]["text/event-stream"].is_object()
    }

    fn filled(&self, names: &[(&str, &str)]) -> String {
        let path = names.iter().fold(self.path.clone(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        });
        assert!(!path.contains('{'), "{path}: nothing to fill in");
        path
    }

    /// A body that fits.
    fn body(&self) -> String {
        let last = self.path.rsplit('/').next().unwrap();
        let body = match (self.method.as_str(), last) {
            ("POST", "add" | "set") => json!({"objects": [{"path": "Device.A."}]}),
            ("POST", "delete" | "get" | "instances" | "schema") => json!({"paths": ["Device.A."]}),
            ("POST", "operate") => json!({"command": "Device.Reboot()"}),
            ("POST", "tokens") => json!({"name": "walk", "scope": "read"}),
            ("PATCH", "{device}") => json!({"alias": "walked"}),
            _ if self.told["requestBody"].is_object() => json!({}),
            _ => return String::new(),
        };
        body.to_string()
    }

    async fn ask(
        &self,
        server: &Server,
        token: Option<&str>,
        names: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let headers = format!(
            "{}Content-Type: application/json\r\n",
            token.unwrap_or_default()
        );
        raw(
            server.api_addr(),
            &self.method,
            &self.filled(names),
            &headers,
            body,
        )
        .await
    }

    /// The answer is one that the document tells of, in its status, its type and its shape.
    fn tells_of(&self, document: &Value, answer: &Answer) {
        let context = format!(
            "{} {}: {} {}",
            self.method, self.path, answer.status, answer.body
        );
        let told = &self.told["responses"][answer.status.to_string()];
        assert!(told.is_object(), "{context}: the status is not told of");
        let Some(content) = told["content"].as_object() else {
            assert!(answer.body.is_null(), "{context}: a body is not told of");
            return;
        };
        let kind = answer.head.split("content-type: ").nth(1);
        let kind = kind
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        let told = content.get(kind);
        let told = told.unwrap_or_else(|| panic!("{context}: {kind} is not told of"));
        let mut schema = told["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<_> = validator
            .iter_errors(&answer.body)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{context}: {wrong:?}");
    }
}

async fn document(server: &Server) -> Value {
    let document = raw(server.api_addr(), "GET", "/api/v1/openapi.json", "", "").await;
    assert_eq!(document.status, 200);
    document.body
}

/// The token of each scope, by its place in [`SCOPES`].
async fn tokens(server: &Server) -> Vec<String> {
    let mut tokens = Vec::new();
    for scope in SCOPES {
        tokens.push(token(server, json!({"name": scope, "scope": scope})).await);
    }
    tokens
}

async fn token(server: &Server, wanted: Value) -> String {
    let made = post(server, "/api/v1/tokens", &wanted.to_string()).await;
    made.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_document_is_whole() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let document = document(&server).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{pointer} leads nowhere"
        );
    }
    let mut ids: Vec<_> = Route::all(&document)
        .iter()
        .map(|route| route.told["operationId"].to_string())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "every operation has an ID of its own");
    for route in Route::all(&document) {
        let parameters = route.told["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let named = parameters
            .iter()
            .filter(|each| each["in"] == "path")
            .count();
        assert_eq!(named, route.path.matches('{').count(), "{route:?}");
        assert!(
            parameters
                .iter()
                .all(|each| each["description"].is_string()),
            "{route:?}"
        );
        assert!(route.told["summary"].is_string(), "{route:?}");
        assert!(
            route.scope().is_some() || OPEN.contains(&route.path.as_str()),
            "{route:?}"
        );
    }
}

/// Whoever has no token, an expired one, or one of a lower scope is refused everywhere, and changes nothing; whoever
/// has the scope is not.
#[tokio::test]
async fn every_route_is_closed_to_those_who_may_not_and_open_to_those_who_may() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let document = document(&server).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let expired = token(
        &server,
        json!({"name": "expired", "scope": "admin", "expires_in": 1}),
    )
    .await;
    let doomed = token(&server, json!({"name": "doomed", "scope": "admin"})).await;
    let tokens = tokens(&server).await;
    let kept = post(
        &server,
        "/api/v1/devices/agent-1/delete?wait=false",
        r#"{"paths":["Device.A.1."]}"#,
    )
    .await;
    let id = kept.body["id"].as_str().unwrap().to_owned();
    let names = [
        ("device", "self::agent-1"),
        ("tag", "lab"),
        ("id", &id),
        ("name", "doomed"),
        ("endpointID", "self::agent-1"),
        ("asyncRequestID", &id),
    ];
    sleep(Duration::from_millis(1100)).await;
    let before = get(&server, "/api/v1/devices").await.body;
    let mut refused = 0;
    for route in Route::all(&document) {
        let Some(scope) = route.scope() else {
            continue;
        };
        let place = SCOPES.iter().position(|each| *each == scope).unwrap();
        let mut walked = vec![
            (None, 401),
            (Some(expired.as_str()), 401),
            (Some("nonsense"), 401),
        ];
        walked.extend(
            tokens[..place]
                .iter()
                .map(|token| (Some(token.as_str()), 403)),
        );
        for (token, status) in walked {
            let answer = route.ask(&server, token, &names, &route.body()).await;
            assert_eq!(
                answer.status, status,
                "{} {} {token:?}",
                route.method, route.path
            );
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{}",
                answer.head
            );
            route.tells_of(&document, &answer);
            refused += 1;
        }
    }
    assert!(refused > 80, "{refused}");
    assert_eq!(get(&server, "/api/v1/devices").await.body, before);
    assert_eq!(
        get(&server, "/api/v1/tokens").await.body["tokens"]
            .as_array()
            .map(Vec::len),
        Some(6)
    );
    drop(doomed);

    for route in Route::all(&document) {
        let token = route.scope().map(|scope| {
            let place = SCOPES.iter().position(|each| *each == scope).unwrap();
            tokens[place].as_str()
        });
        if route.is_endless() {
            let path = route.filled(&names);
            let stream = Live::open_with(&server, token.unwrap(), &path, "").await;
            assert!(stream.is_ok(), "{path}");
            continue;
        }
        let answer = route.ask(&server, token, &names, &route.body()).await;
        assert!(
            !matches!(answer.status, 401 | 403 | 500),
            "{} {}: {}",
            route.method,
            route.path,
            answer.body
        );
        route.tells_of(&document, &answer);
    }
}

/// What is wrong with a request is answered as the document says, whatever it is.
#[tokio::test]
async fn what_goes_wrong_is_told_of() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let document = document(&server).await;
    let names: [[(&str, &str); 6]; 4] = [
        ["nobody", "lab", "op-0000000000000001", "nobody"],
        ["%00", "%20", "x", "%2f"],
        ["%ff"; 4],
        [""; 4],
    ]
    .map(|[device, tag, id, name]| {
        [
            ("device", device),
            ("tag", tag),
            ("id", id),
            ("name", name),
            ("endpointID", device),
            ("asyncRequestID", id),
        ]
    });
    for route in Route::all(&document) {
        for (number, names) in names.iter().enumerate() {
            // Without a name it is another route, or none.
            if number == 3 && route.path.contains('{') {
                continue;
            }
            for body in [
                route.body(),
                String::new(),
                "[".into(),
                "[]".into(),
                "{\"x\":1}".into(),
                "\u{fffd}".into(),
            ] {
                if route.is_endless() && !route.path.contains('{') {
                    continue;
                }
                let answer = route.ask(&server, Some(server.token()), names, &body).await;
                assert_ne!(answer.status, 500, "{} {names:?}", route.path);
                route.tells_of(&document, &answer);
            }
        }
        let parameters = route.told["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for parameter in parameters.iter().filter(|each| each["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for value in ["", "%ff", "-1", "99999999999999999999", "x"] {
                let path = format!("{}?{name}={value}", route.filled(&names[0]));
                if route.is_endless()
                    && !route.path.contains('{')
                    && (name != "type" || value.is_empty())
                {
                    continue;
                }
                let answer = request(&server, &route.method, &path, &route.body()).await;
                assert_ne!(answer.status, 500, "{path}");
                route.tells_of(&document, &answer);
            }
        }
    }
}
