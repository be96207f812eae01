//! An API whose clients talk nonsense.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use super::{Besieged, PROMPT};
use crate::support::bytes::{connect, http};

/// A client that behaves, and one that does not need to.
#[derive(Clone)]
pub(super) struct Api {
    port: u16,
    token: String,
}

impl Api {
    /// With the token from the server's data folder.
    pub(super) fn new(server: &Besieged, folder: &Path) -> Self {
        let token = fs::read_to_string(folder.join("server/token")).unwrap();
        Self {
            port: server.api,
            token: token.trim().to_owned(),
        }
    }

    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        http(self.port, &[head.as_bytes(), body.as_bytes()].concat())
    }

    /// Asks a device for something small; the answer where it is one.
    pub(super) fn device(&self, device: &str, verb: &str) -> Result<String, String> {
        let body = r#"{"paths":["Device.LocalAgent.EndpointID"]}"#;
        let path = format!("/api/v1/devices/{device}/{verb}");
        match self.request("POST", &path, body) {
            (200, answer) => Ok(answer),
            (_, refusal) => Err(refusal),
        }
    }

    pub(super) fn knows(&self, device: &str) -> Option<()> {
        let (status, _) = self.request("GET", &format!("/api/v1/devices/{device}"), "");
        (status == 200).then_some(())
    }

    /// Gives a device a second; the status.
    pub(super) fn ask_shortly(&self, device: &str, verb: &str) -> u16 {
        let path = format!("/api/v1/devices/{device}/{verb}?timeout=1");
        self.request("POST", &path, r#"{"paths":["Device.A.1."]}"#)
            .0
    }

    fn raw(&self, request: &[u8]) -> u16 {
        http(self.port, request).0
    }

    /// The server answers whoever asks well.
    #[track_caller]
    fn serves(&self, context: &str) {
        let began = Instant::now();
        let (status, answer) = self.request("GET", "/api/v1/server", "");
        assert_eq!(status, 200, "{context}: {answer}");
        assert!(began.elapsed() < PROMPT, "{context}: {:?}", began.elapsed());
    }
}

/// A device that behaves is asked, and answers promptly.
#[track_caller]
pub(super) fn is_asked(api: &Api, device: &str, context: &str) {
    let began = Instant::now();
    let answer = api.device(device, "get");
    assert!(
        answer.is_ok_and(|answer| answer.contains(device)),
        "{context}"
    );
    let took = began.elapsed();
    assert!(took < PROMPT, "{context}: the other waited {took:?}");
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Besieged::server(folder.path());
    let api = Api::new(&server, folder.path());
    let deep = format!(r#"{{"paths":{}"#, "[".repeat(100_000));
    let large = format!(r#"{{"paths":["{}"]}}"#, "x".repeat(10 << 20));
    let cases: Vec<(&str, String, &str, u16)> = vec![
        ("POST", "/api/v1/devices/x/get".into(), "{", 400),
        ("POST", "/api/v1/devices/x/get".into(), "[1e999999999]", 400),
        ("POST", "/api/v1/devices/x/get".into(), "\u{1}\u{fffd}", 400),
        ("POST", "/api/v1/devices/x/get".into(), &deep, 400),
        ("POST", "/api/v1/devices/x/get".into(), &large, 413),
        (
            "POST",
            "/api/v1/devices/x/get?timeout=18446744073709551616".into(),
            "{}",
            400,
        ),
        ("POST", "/api/v1/devices/x/..".into(), "{}", 404),
        ("GET", "/api/v1/devices/..%2f..%2ftoken".into(), "", 404),
        (
            "GET",
            "/api/v1/devices/%2e%2e%2f%2e%2e%2fetc%2fpasswd".into(),
            "",
            404,
        ),
        ("GET", "/api/v1/devices/../../token".into(), "", 404),
        ("GET", "/api/v1/devices/%00".into(), "", 404),
        ("GET", "/api/v1/devices/%ff".into(), "", 400),
        ("GET", "/api/v1/devices/%25'%20OR%201=1--".into(), "", 404),
        ("GET", "/../data/token".into(), "", 404),
        (
            "GET",
            format!("/api/v1/devices/{}", "x".repeat(50_000)),
            "",
            404,
        ),
        ("DELETE", "/api/v1/devices/%25".into(), "", 404),
        (
            "GET",
            "/api/v1/devices?limit=99999999999999999999".into(),
            "",
            400,
        ),
        ("GET", "/api/v1/devices?after=%00".into(), "", 200),
    ];
    for (method, path, body, expected) in cases {
        let (status, answer) = api.request(method, &path, body);
        let (path, answer) = (
            &path[..path.len().min(80)],
            &answer[..answer.len().min(500)],
        );
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(
            !answer.contains("root:") && !answer.contains(&api.token),
            "{path}: {answer}"
        );
    }
    for token in [
        "wrong".to_owned(),
        format!("{}x", api.token),
        "x".repeat(20_000),
    ] {
        let wrong = Api {
            token,
            ..api.clone()
        };
        assert_eq!(wrong.request("GET", "/api/v1/devices", "").0, 401);
    }
    api.serves("nonsense");
    server.is_sound("nonsense");
}

#[test]
fn what_is_no_http_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Besieged::server(folder.path());
    let api = Api::new(&server, folder.path());
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(4 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100_000));
    for (what, request) in [
        ("nonsense", &[0xff; 10_000][..]),
        ("a head of 4 MB", long.as_bytes()),
        ("a hundred thousand headers", many.as_bytes()),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        ),
    ] {
        let status = api.raw(request);
        // Where the refusal was not read before the connection was reset there is none.
        assert!([0, 400, 414, 431].contains(&status), "{what}: {status}");
        api.serves(what);
    }
    let endless = format!(
        "POST /api/v1/devices/x/get HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}",
        api.token,
        "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n",
    );
    let mut stream = connect(api.port);
    stream.write_all(endless.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let taken = (0..1000)
        .take_while(|_| stream.write_all(chunk.as_bytes()).is_ok())
        .count();
    assert!(taken < 1000, "a body without end was read to its end");
    api.serves("a body without end");
    server.is_sound("no HTTP");
}

/// Clients that never finish their requests.
#[test]
fn slow_clients_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let server = Besieged::server(folder.path());
    let api = Api::new(&server, folder.path());
    let body = format!(
        "POST /api/v1/devices/x/get HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 99\r\n\r\n{{",
        api.token
    );
    let heads = ["", "GET", "GET /api/v1/server HTTP/1.1\r\nHost:", &body];
    let slow: Vec<_> = (0..600)
        .map(|number| {
            let mut stream = connect(api.port);
            stream
                .write_all(heads[number % heads.len()].as_bytes())
                .unwrap();
            stream
        })
        .collect();
    api.serves("600 slow clients");
    server.is_sound("slow clients");
    drop(slow);
    api.serves("afterwards");
}
