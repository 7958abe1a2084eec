//! Replies: a message, a refusal, or lines as they come.

use std::io;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use spaceport_backend_protocol::{Message, Refusal, encode};
use tokio::sync::mpsc;

/// The body of a reply. One that fails in the middle is broken off.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// Lines that wait to be read. Whoever writes them waits too.
const WAITING: usize = 64;

/// The lines of a stream. Its writer learns by [`Lines::closed`] that nobody reads on.
#[derive(Clone)]
pub(crate) struct Lines(mpsc::Sender<io::Result<Bytes>>);

/// Where they are read.
pub(crate) struct Unread(mpsc::Receiver<io::Result<Bytes>>);

/// A stream of lines.
pub(crate) fn lines() -> (Lines, Unread) {
    let (writer, reader) = mpsc::channel(WAITING);
    (Lines(writer), Unread(reader))
}

/// Nobody reads on.
#[derive(Debug)]
pub(crate) struct Gone;

impl Lines {
    /// Writes one line.
    pub(crate) async fn write<T: Message>(&self, message: &T) -> Result<(), Gone> {
        let mut line = encode(message);
        line.push(b'\n');
        self.0.send(Ok(line.into())).await.map_err(|_| Gone)
    }

    /// Breaks the stream off.
    pub(crate) async fn fail(&self, error: io::Error) {
        // If nobody reads on, it is broken off already.
        let _ = self.0.send(Err(error)).await;
    }

    /// Waits until nobody reads on.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// 200 and a message.
pub(super) fn message<T: Message>(message: &T) -> Response<Body> {
    whole(StatusCode::OK, encode(message))
}

/// Why not.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    whole(status, encode(refusal))
}

/// 200 and lines.
pub(super) fn stream(unread: Unread) -> Response<Body> {
    let frames = unfold(unread.0, |mut reader| async move {
        let line = reader.recv().await?;
        Some((line.map(Frame::data), reader))
    });
    typed(Response::new(BodyExt::boxed(StreamBody::new(frames))), "application/x-ndjson")
}

fn whole(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    typed(response, "application/json")
}

fn typed(mut response: Response<Body>, kind: &'static str) -> Response<Body> {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
