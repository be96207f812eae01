//! The web console: files that `cargo xtask console` has built, served at `/` of the API's port.
//!
//! A release build carries them inside; a debug build reads them from `console/dist`, so that the console can
//! be built anew beside a running server. Where they are missing, `/` says how to get them. The files are the
//! same for everybody and hold no secret, so they need no token; what they show comes from the API, with the
//! token that a person types in. Nothing here may ever run a script that is not one of these files.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api::Problem;

/// Scripts, styles and pictures from this origin, requests to this origin, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The name of a file in `assets` has a hash of what is in it.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Shown instead of a console that was not built.
const MISSING: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>usphere</title></head><body>
<h1>usphere</h1>
<p>The server runs, and its API is at <code>/api/v1</code>. The web console is not part of this build.</p>
<p>To get it, install Node.js 20.19 or later, run <code>cargo xtask console</code> in the source folder, and
build the server again. The command line <code>usphere</code> does all that the console does.</p>
</body></html>
";

#[derive(RustEmbed)]
#[folder = "../../console/dist"]
struct Files;

/// The pages of the console.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(index))
        .route("/{file}", get(file))
        .route("/assets/{file}", get(asset))
}

async fn index(headers: HeaderMap) -> Response {
    match Files::get("index.html") {
        Some(file) => serve("index.html", &file, "no-cache", &headers),
        None => {
            let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            guarded((StatusCode::NOT_FOUND, html, MISSING).into_response())
        }
    }
}

async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    // What is at `/` has one address, and what is hidden is no page.
    let is_page = name != "index.html" && !name.starts_with('.');
    match Files::get(&name).filter(|_| is_page) {
        Some(file) => serve(&name, &file, "no-cache", &headers),
        None => Problem::no_such_page(&format!("/{name}")).into_response(),
    }
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let path = format!("assets/{name}");
    match Files::get(&path) {
        Some(file) => serve(&path, &file, FOR_EVER, &headers),
        None => Problem::no_such_page(&format!("/{path}")).into_response(),
    }
}

fn serve(path: &str, file: &EmbeddedFile, cache: &'static str, asked: &HeaderMap) -> Response {
    let tag = tag(file);
    let is_known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let kept = [
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, tag),
    ];
    let response = if is_known {
        (StatusCode::NOT_MODIFIED, kept).into_response()
    } else {
        let kind = [(header::CONTENT_TYPE, media_type(path))];
        (kept, kind, Body::from(file.data.clone())).into_response()
    };
    guarded(response)
}

/// A name for what is in a file, as `ETag` wants it.
fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let digits: String = hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{digits}\"")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What a browser has to be told about pages on which somebody types a token.
fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &'static str, hash: u8) -> EmbeddedFile {
        EmbeddedFile {
            data: text.as_bytes().into(),
            metadata: rust_embed::Metadata::__rust_embed_new([hash; 32], None, None),
        }
    }

    #[test]
    fn pages_are_asked_for_again_and_assets_are_not() {
        let page = serve("index.html", &file("<p>", 1), "no-cache", &HeaderMap::new());
        assert_eq!(page.status(), StatusCode::OK);
        let headers = page.headers();
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");

        let mut asked = HeaderMap::new();
        let tags = format!("\"other\", {}", headers[header::ETAG].to_str().unwrap());
        asked.insert(header::IF_NONE_MATCH, tags.parse().unwrap());
        let again = serve("index.html", &file("<p>", 1), "no-cache", &asked);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let changed = serve("index.html", &file("<b>", 2), "no-cache", &asked);
        assert_eq!(changed.status(), StatusCode::OK);
    }

    #[test]
    fn no_script_runs_that_is_not_ours_and_nobody_frames_us() {
        let page = guarded(StatusCode::OK.into_response());
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
