//! What a browser gets from the API's port, and the pages of devices that the console asks for.

mod support;

use serde_json::json;
use support::{Played, get, polite, request, server, until};

/// Whether or not the console was built: the same port, no token, and nothing from elsewhere runs.
#[tokio::test]
async fn the_console_is_at_the_root_and_lets_no_other_script_run() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let page = get(&server, "/").await;
    assert!([200, 404].contains(&page.status), "{}", page.head);
    for expected in [
        "content-type: text/html",
        "content-security-policy: default-src 'none'; script-src 'self';",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.head.contains(expected), "{}", page.head);
    }
    for nothing in [
        "/none.js",
        "/assets/none.js",
        "/.keep",
        "/..%2fpackage.json",
    ] {
        let missing = get(&server, nothing).await;
        assert_eq!(missing.status, 404, "{nothing}");
        assert!(
            missing.head.contains("application/problem+json"),
            "{nothing}"
        );
    }
    assert_eq!(request(&server, "POST", "/", "").await.status, 405);
    assert_eq!(get(&server, "/api/v1/server").await.status, 200);
}

#[tokio::test]
async fn devices_are_searched_by_words_and_presence() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path()).await;
    let gone = Played::introduced(&server, "self::agent-1", polite).await;
    let _two = Played::introduced(&server, "self::agent-2", polite).await;
    let _three = Played::introduced(&server, "self::agent-3", polite).await;
    gone.sender.close(1000, "");
    until(&server, "/api/v1/devices/agent-1", |device| {
        device["online"] == false
    })
    .await;
    let rename = request(
        &server,
        "PATCH",
        "/api/v1/devices/agent-3",
        r#"{"alias":"Hall 3"}"#,
    );
    assert_eq!(rename.await.status, 200);
    let found = async |query: &str| {
        let page = get(&server, &format!("/api/v1/devices?{query}")).await.body;
        let devices = page["devices"].as_array().unwrap().iter();
        let ids: Vec<_> = devices
            .map(|device| device["endpoint_id"].clone())
            .collect();
        (json!(ids), page["next"].clone())
    };
    let none = serde_json::Value::Null;
    assert_eq!(
        found("online=false").await,
        (json!(["self::agent-1"]), none.clone())
    );
    assert_eq!(
        found("search=AGENT&online=true&limit=1").await,
        (json!(["self::agent-2"]), json!("self::agent-2"))
    );
    assert_eq!(
        found("search=agent&online=true&limit=1&after=self::agent-2").await,
        (json!(["self::agent-3"]), none.clone())
    );
    assert_eq!(
        found("search=hall%20agent").await,
        (json!(["self::agent-3"]), none.clone())
    );
    assert_eq!(found("search=nothing").await, (json!([]), none));
    assert_eq!(
        get(&server, "/api/v1/devices?online=perhaps").await.status,
        400
    );
}
