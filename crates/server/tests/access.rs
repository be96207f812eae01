//! Who may do what through the API, how often, and what is written down of it.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Live, PATIENCE, Played, config, get, made, polite, post, raw, request, server, with,
};
use tokio::time::timeout;
use usphere_server::{Config, Rate, Server};

const CLOSE: &str = "Connection: close\r\n";
const DEVICE: &str = "/api/v1/devices/agent-1";

#[tokio::test]
async fn a_token_allows_what_its_scope_says_until_it_is_revoked() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let agent = Played::introduced(&first, "self::agent-1", polite).await;
    let (read, operate) = (
        made(&first, "reader", "read").await,
        made(&first, "ci", "operate").await,
    );
    let metrics = made(&first, "prometheus", "metrics").await;
    assert!(read.starts_with("usphere_") && read.len() > 64);
    let values = r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#;
    for (token, method, path, body, status) in [
        (&metrics, "GET", "/api/v1/token", "", 200),
        (&metrics, "GET", DEVICE, "", 403),
        (&read, "GET", DEVICE, "", 200),
        (&read, "POST", &format!("{DEVICE}/get"), values, 200),
        (
            &read,
            "POST",
            &format!("{DEVICE}/set"),
            r#"{"objects":[]}"#,
            403,
        ),
        (&read, "PATCH", DEVICE, "{}", 403),
        (&operate, "PATCH", DEVICE, r#"{"alias":"hall"}"#, 200),
        (&operate, "GET", "/api/v1/tokens", "", 403),
        (
            &operate,
            "POST",
            "/api/v1/tokens",
            r#"{"name":"x","scope":"admin"}"#,
            403,
        ),
        (&operate, "DELETE", DEVICE, "", 403),
    ] {
        let answer = with(&first, token, method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path} {:?}", answer.body);
        if status == 403 {
            assert!(
                answer.head.contains("insufficient_scope"),
                "{}",
                answer.head
            );
        }
    }
    let own = with(&first, &operate, "GET", "/api/v1/token", "")
        .await
        .body;
    assert_eq!(
        own,
        json!({"name": "ci", "scope": "operate", "expires": null})
    );

    // Tokens outlive the server; what is shown of them is not the secret.
    drop(agent);
    first.shutdown().await;
    let server = server(data.path()).await;
    assert_eq!(with(&server, &read, "GET", DEVICE, "").await.status, 200);
    let listed = get(&server, "/api/v1/tokens").await.body;
    let names = |listed: &Value| {
        let tokens = listed["tokens"].as_array().unwrap().iter();
        tokens
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&listed), ["reader", "ci", "prometheus"]);
    assert!(!listed.to_string().contains(&read));
    let database = std::fs::read(data.path().join("server.db")).unwrap();
    let secret = read.as_bytes();
    assert!(!database.windows(secret.len()).any(|part| part == secret));

    // A stream that was opened with it ends too.
    let path = "/api/v1/events/live";
    let mut live = Live::open_with(&server, &read, path, CLOSE)
        .await
        .ok()
        .unwrap();
    assert_eq!(
        request(&server, "DELETE", "/api/v1/tokens/reader", "")
            .await
            .status,
        204
    );
    assert!(live.next().await.is_none());
    let gone = with(&server, &read, "GET", DEVICE, "").await;
    assert_eq!(gone.status, 401);
    assert!(gone.head.contains("invalid_token"), "{}", gone.head);
    assert_eq!(
        request(&server, "DELETE", "/api/v1/tokens/reader", "")
            .await
            .status,
        404
    );
    assert_eq!(with(&server, &operate, "GET", DEVICE, "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_good_until_it_expires() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let body = r#"{"name":"brief","scope":"read","expires_in":5}"#;
    let made = post(&server, "/api/v1/tokens", body).await.body;
    let token = made["token"].as_str().unwrap();
    assert_eq!(
        with(&server, token, "GET", "/api/v1/server", "")
            .await
            .status,
        200
    );
    let mut live = Live::open_with(&server, token, "/api/v1/events/live", CLOSE)
        .await
        .ok()
        .unwrap();
    assert!(
        live.next().await.is_none(),
        "the stream ends with its token"
    );
    let expired = with(&server, token, "GET", "/api/v1/server", "").await;
    assert_eq!(expired.status, 401);
    let detail = expired.body["detail"].as_str().unwrap();
    assert!(detail.contains("\"brief\" expired"), "{detail}");
}

#[tokio::test]
async fn a_token_that_cannot_be_made_says_why() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    made(&server, "ci", "read").await;
    for (body, status, word) in [
        (r#"{"name":"ci","scope":"read"}"#, 409, "\"ci\""),
        (r#"{"name":"root","scope":"read"}"#, 409, "data folder"),
        (r#"{"name":"a b","scope":"read"}"#, 400, "letters"),
        (r#"{"name":"x","scope":"all"}"#, 400, "operate"),
        (
            r#"{"name":"x","scope":"read","expires_in":0}"#,
            400,
            "expires_in",
        ),
        (r#"{"name":"x","scope":"read","expires":1}"#, 400, "expires"),
        ("", 400, "body"),
    ] {
        let refused = post(&server, "/api/v1/tokens", body).await;
        assert_eq!(refused.status, status, "{body}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{body}: {detail}");
    }
}

/// The same key of two tokens is two keys: nobody learns of the other, or is handed what the other asked for.
#[tokio::test]
async fn an_idempotency_key_belongs_to_its_token() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _agent = Played::introduced(&server, "self::agent-1", polite).await;
    let (one, other) = (
        made(&server, "one", "operate").await,
        made(&server, "other", "operate").await,
    );
    let path = format!("{DEVICE}/delete?wait=false");
    let mut ids = Vec::new();
    for token in [server.token(), &one, &other, &one] {
        let headers = format!("Authorization: Bearer {token}\r\nIdempotency-Key: k\r\n");
        let body = r#"{"paths":["Device.A.1."]}"#;
        let kept = raw(server.api_addr(), "POST", &path, &headers, body).await;
        ids.push(kept.body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[1], ids[3]);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

/// What is changed is written down with who, from where, what and what came of it; what is only read is not.
#[tokio::test]
async fn the_audit_says_who_changed_what() {
    let data = tempfile::tempdir().unwrap();
    let first = server(data.path()).await;
    let agent = Played::introduced(&first, "self::agent-1", polite).await;
    let (read, operate) = (
        made(&first, "reader", "read").await,
        made(&first, "ci", "operate").await,
    );
    let set = r#"{"objects":[{"path":"Device.A.","parameters":[{"name":"Password","value":"secret-1"}]}]}"#;
    with(&first, &operate, "POST", &format!("{DEVICE}/set"), set).await;
    with(
        &first,
        &operate,
        "POST",
        &format!("{DEVICE}/get"),
        r#"{"paths":["Device."]}"#,
    )
    .await;
    with(&first, &read, "POST", &format!("{DEVICE}/set"), set).await;
    with(&first, &operate, "PATCH", DEVICE, r#"{"tags":["lab"]}"#).await;
    with(
        &first,
        &operate,
        "DELETE",
        "/api/v1/operations/op-0000000000000001",
        "",
    )
    .await;
    drop(agent);
    first.shutdown().await;

    let server = server(data.path()).await;
    let page = get(&server, "/api/v1/audit").await.body;
    let told: Vec<_> = page["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert!(entry["remote"].as_str().unwrap().starts_with("127.0.0.1:"));
            let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let words = ["actor", "action", "target", "what"].map(word);
            format!("{} {}", words.join("|"), entry["status"])
        })
        .collect();
    assert_eq!(
        told,
        [
            "ci|operation.cancel|op-0000000000000001| 404",
            "ci|device.change|self::agent-1|tag lab 200",
            "reader|set|agent-1| 403",
            "ci|set|self::agent-1|Device.A.Password 422",
            "root|token.create|ci|operate 201",
            "root|token.create|reader|read 201",
        ]
    );
    assert!(!page.to_string().contains("secret-1"));
    let operation = page["audit"][3]["operation"].as_str().unwrap();
    let kept = get(&server, &format!("/api/v1/operations/{operation}")).await;
    assert_eq!(kept.body["kind"], "set");

    let of = async |query: &str| get(&server, &format!("/api/v1/audit?{query}")).await.body;
    assert_eq!(
        of("target=agent-1&actor=ci").await["audit"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let one = of("limit=1&action=token.create").await;
    assert_eq!(one["audit"][0]["target"], "ci");
    let next = of(&format!(
        "limit=1&action=token.create&after={}",
        one["next"].as_str().unwrap()
    ))
    .await;
    assert_eq!(
        (&next["audit"][0]["target"], &next["next"]),
        (&json!("reader"), &Value::Null)
    );
}

#[tokio::test]
async fn devices_are_found_by_tags_and_fields() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let _one = Played::introduced(&server, "self::agent-1", polite).await;
    let _two = Played::introduced(&server, "self::agent-2", polite).await;
    let tagged = request(&server, "PUT", &format!("{DEVICE}/tags/site=x"), "").await;
    assert_eq!(
        (tagged.status, &tagged.body["tags"]),
        (200, &json!(["site=x"]))
    );
    request(&server, "PUT", &format!("{DEVICE}/tags/lab"), "").await;
    request(&server, "PUT", "/api/v1/devices/agent-2/tags/lab", "").await;
    let found = async |query: &str| {
        let page = get(&server, &format!("/api/v1/devices?{query}")).await;
        let devices = page.body["devices"].as_array().cloned().unwrap_or_default();
        let ids = devices
            .iter()
            .map(|device| device["endpoint_id"].as_str().unwrap().to_owned());
        (page.status, ids.collect::<Vec<_>>().join(" "))
    };
    let both = (200, "self::agent-1 self::agent-2".to_owned());
    let first = (200, "self::agent-1".to_owned());
    assert_eq!(found("tag=lab").await, both);
    assert_eq!(found("tag=lab,site=x").await, first);
    assert_eq!(
        found("tag=lab&online=true&serial_number=the%20*").await,
        both
    );
    assert_eq!(found("manufacturer=nobody").await.1, "");
    assert_eq!(found("colour=red").await.0, 400);
    assert_eq!(found("tag=lab&limit=1").await, first);

    let bad = request(&server, "PUT", &format!("{DEVICE}/tags/a%20b"), "").await;
    assert_eq!(bad.status, 400);
    let untagged = request(&server, "DELETE", &format!("{DEVICE}/tags/lab"), "").await;
    assert_eq!(untagged.body["tags"], json!(["site=x"]));
    // What is refused has not been done by half.
    for refused in [
        json!({"alias": "half", "tags": ["a b"]}),
        json!({"alias": "half", "tags": vec!["x"; 33]}),
        json!({"alias": "a\nb", "tags": ["new"]}),
    ] {
        let body = refused.to_string();
        assert_eq!(request(&server, "PATCH", DEVICE, &body).await.status, 400);
    }
    let whole = get(&server, DEVICE).await.body;
    assert_eq!(
        (&whole["alias"], &whole["tags"]),
        (&Value::Null, &json!(["site=x"]))
    );
    // What is left out stays.
    request(&server, "PATCH", DEVICE, r#"{"alias":"hall"}"#).await;
    let kept = request(&server, "PATCH", DEVICE, r#"{"tags":[]}"#)
        .await
        .body;
    assert_eq!(
        (&kept["alias"], &kept["tags"]),
        (&json!("hall"), &json!([]))
    );
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let data = tempfile::tempdir().unwrap();
    let rate = Rate {
        token_per_second: 1,
        token_burst: 5,
        address_per_second: 1,
        address_burst: 3,
    };
    let server = Server::start(Config {
        rate,
        ..config(data.path())
    })
    .await
    .unwrap();
    let other = made(&server, "other", "read").await;
    // Five are free, and one more for each second that it takes to ask.
    let mut asked = 1;
    let mut last = get(&server, "/api/v1/server").await;
    while last.status == 200 && asked < 50 {
        asked += 1;
        last = get(&server, "/api/v1/server").await;
    }
    assert_eq!(last.status, 429);
    assert!(asked >= 5, "{asked}");
    assert!(last.head.contains("retry-after: 1"), "{}", last.head);
    assert!(
        last.head.contains("application/problem+json"),
        "{}",
        last.head
    );
    assert_eq!(
        with(&server, &other, "GET", "/api/v1/server", "")
            .await
            .status,
        200,
        "others go on"
    );
    let mut guessed = 0;
    let refused = loop {
        match with(&server, "guess", "GET", "/api/v1/server", "")
            .await
            .status
        {
            401 if guessed < 50 => guessed += 1,
            status => break status,
        }
    };
    assert_eq!(refused, 429);
    assert!(guessed >= 3, "{guessed}");
    assert_eq!(
        with(&server, &other, "GET", "/api/v1/server", "")
            .await
            .status,
        200,
        "nor is who has a token kept out"
    );
    let again = async {
        while get(&server, "/api/v1/server").await.status == 429 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn the_document_can_be_looked_at() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let page = raw(server.api_addr(), "GET", "/api/v1/docs/", "", "").await;
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{}",
        page.head
    );
}
