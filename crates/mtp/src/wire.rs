//! What the bytes of a link go over: a socket, or TLS on one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::metered::Metered;
use crate::tls;

/// A socket, or TLS on one. The bytes that cross the network are counted either way.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(Metered<TcpStream>),
    Tls(tls::Stream),
}

impl Wire {
    /// Bytes read from the network so far.
    pub(crate) fn read(&self) -> u64 {
        self.metered().read()
    }

    /// Bytes written to the network so far.
    pub(crate) fn written(&self) -> u64 {
        self.metered().written()
    }

    fn metered(&self) -> &Metered<TcpStream> {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buffer) {
                // An end without TLS's farewell is an end like that of a plain connection: whether it
                // was a good one is told by the protocol above.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(in_words(error))),
                polled => polled,
            },
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// An error of TLS says what it means; any other stays as it is.
fn in_words(error: io::Error) -> io::Error {
    match tls::explained(&error) {
        Some(explained) => io::Error::new(error.kind(), explained),
        None => error,
    }
}
