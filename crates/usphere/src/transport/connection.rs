//! A connection to the server: its address, and TLS where the address wants it.

use std::time::Duration;

use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use usphere_mtp::tls::{WebClient, WebError};

use crate::cli::reach::ServerReach;
use crate::failure::{Exit, Failure};

/// Where the server is, and whom to believe there.
#[derive(Clone, Debug)]
pub(super) struct Address {
    url: String,
    place: Place,
    /// Present where TLS is spoken.
    tls: Option<WebClient>,
}

/// What a URL names.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    is_tls: bool,
    /// A name or an address, without brackets.
    host: String,
    /// `host:port`.
    authority: String,
}

impl Address {
    /// The address that the command line, or the environment, names.
    ///
    /// # Errors
    /// Usage: it is none. Local: a file of CAs cannot be used.
    pub(super) fn of(server: &ServerReach) -> Result<Self, Failure> {
        let url = server.url();
        let place = Place::read(&url)?;
        let tls = place.is_tls.then(|| server.trusted()).transpose()?;
        Ok(Self { url, place, tls })
    }

    /// The address as it was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    pub(super) fn authority(&self) -> &str {
        &self.place.authority
    }

    /// Opens a connection. Each step may take as long as `patience`.
    ///
    /// # Errors
    /// `Absent` where the server may only be away.
    pub(super) async fn open(
        &self,
        patience: Duration,
    ) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = match timeout(patience, dial(self.authority())).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(&error.to_string())),
            Err(_) => return Err(self.unreachable("no answer in time")),
        };
        let Some(tls) = &self.tls else {
            return self.speak(stream).await;
        };
        match timeout(patience, tls.connect(stream, &self.place.host)).await {
            Ok(Ok(stream)) => self.speak(stream).await,
            Ok(Err(error)) => Err(self.distrusted(&error)),
            Err(_) => Err(self.unreachable("no answer in time")),
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        // Its errors come back by the requests.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// The server is not there, as far as can be told.
    pub(super) fn unreachable(&self, reason: &str) -> Failure {
        Failure::new(
            Exit::Absent,
            format_args!("{}: the server cannot be reached: {reason}", self.url),
        )
        .advise(
            "start it with `usphere server`; --server URL or USPHERE_API name another; --agent URL asks an Agent without a server",
        )
    }

    /// Something is there, and it is not what was meant, or does not prove it.
    fn distrusted(&self, error: &WebError) -> Failure {
        let url = &self.url;
        let advice = match error {
            WebError::Tls(error) => return self.unreachable(&error.to_string()),
            WebError::NotTls => {
                return Failure::usage(format_args!("{url}: {error}"))
                    .advise(format!("use http://{}", self.authority()));
            }
            WebError::UnknownAuthority => {
                "--tls-ca FILE or USPHERE_CA name the CA that has issued it; `usphere certs ca` has written its own to ca.pem"
            }
            WebError::WrongName { .. } => {
                "use a name that is in it, or have one issued for this name: `usphere certs issue ENDPOINT-ID --dns NAME`"
            }
            WebError::Expired | WebError::NotYetValid => {
                "have another issued (`usphere certs issue`), which SIGHUP has the server take up; or set the clock of this machine"
            }
            WebError::Certificate(_) => "`usphere certs show FILE` shows what is wrong with it",
        };
        Failure::local(format_args!("{url}: {error}")).advise(advice)
    }
}

impl Place {
    /// Reads the URL of an API.
    fn read(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format_args!("{url}: {why}"))
                .advise("the server's address looks like http://127.0.0.1:8080 or https://server.example:8080")
        };
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let (is_tls, port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(wrong("http:// or https:// is expected")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("no user name or password is expected"));
        }
        if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
            return Err(wrong("nothing is expected after the port"));
        }
        let host = authority.host();
        let plain = host.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
        Ok(Self {
            is_tls,
            host: plain.unwrap_or(host).to_owned(),
            authority: match authority.port_u16() {
                Some(_) => authority.to_string(),
                None => format!("{host}:{port}"),
            },
        })
    }
}

async fn dial(authority: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_http_with_nothing_behind_the_port() {
        let read = |url| {
            let place = Place::read(url).map_err(|failure| failure.message)?;
            Ok::<_, String>((place.is_tls, place.host, place.authority))
        };
        for (url, is_tls, host, authority) in [
            (
                "http://127.0.0.1:8080",
                false,
                "127.0.0.1",
                "127.0.0.1:8080",
            ),
            ("http://[::1]:1/", false, "::1", "[::1]:1"),
            ("http://host", false, "host", "host:80"),
            ("https://host", true, "host", "host:443"),
            ("https://[::1]", true, "::1", "[::1]:443"),
        ] {
            let expected = (is_tls, host.to_owned(), authority.to_owned());
            assert_eq!(read(url), Ok(expected));
        }
        for wrong in [
            "a:80",
            "http://a/api",
            "http://u:p@a",
            "ws://a",
            "wss://a",
            "",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
