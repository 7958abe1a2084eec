//! One request and its reply over a connection of its own.

use std::future::poll_fn;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use spaceport_backend_protocol::{CALL_HEADER, Call, Message, Refusal, Version, decode, limits};
use tokio::net::UnixStream;

use super::CallError;

/// Headers of a reply: the protocol has one, and HTTP libraries add a few.
const HEADERS: usize = 32;

/// What is to be asked, and where.
pub(super) struct Order<'a> {
    pub(super) socket: &'a Path,
    pub(super) version: Version,
    /// Different in every call.
    pub(super) number: u64,
    pub(super) call: &'a Call,
    pub(super) body: Vec<u8>,
}

/// A reply whose head says that the call is done. Dropping it closes the connection.
pub(super) struct Exchange {
    connection: Connection,
    body: Incoming,
}

/// What moves the bytes; `None` once it has moved the last. Nothing moves while nobody waits for it, so a plugin can send no
/// more than is read.
struct Connection(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Exchange {
    /// Sends a request and reads the reply's head. A refusal is read to its end.
    pub(super) async fn begin(order: Order<'_>) -> Result<Self, CallError> {
        let call = order.call;
        let unreachable = |source| CallError::Unreachable { call: call.name(), source };
        let stream = UnixStream::connect(order.socket).await.map_err(unreachable)?;
        let mut http = http1::Builder::new();
        http.max_buf_size(limits::HEAD).max_headers(HEADERS);
        let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await.map_err(broken(call))?;
        let mut connection = Connection(Some(Box::pin(connection)));
        let number = HeaderValue::from(order.number);
        let reply = connection.drive(sender.send_request(request(&order, number.clone()))).await;
        let reply = reply.map_err(broken(call))?;
        if reply.headers().get(CALL_HEADER) != Some(&number) {
            return Err(CallError::Foreign { call: call.name() });
        }
        Self::checked(call, connection, reply).await
    }

    async fn checked(call: &Call, connection: Connection, reply: Response<Incoming>) -> Result<Self, CallError> {
        let status = reply.status();
        let exchange = Self { connection, body: reply.into_body() };
        if status == StatusCode::OK {
            return Ok(exchange);
        }
        let text = exchange.read(call, Refusal::MOST).await?;
        let refusal = decode(&text).map_err(CallError::nonsense(call))?;
        Err(CallError::Refused { call: call.name(), refusal })
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self, call: &Call) -> Result<Option<Bytes>, CallError> {
        loop {
            let Some(frame) = self.connection.drive(self.body.frame()).await else { return Ok(None) };
            if let Ok(chunk) = frame.map_err(broken(call))?.into_data() {
                return Ok(Some(chunk));
            }
        }
    }

    /// The whole body, if it is no longer than this.
    pub(super) async fn read(mut self, call: &Call, most: usize) -> Result<Vec<u8>, CallError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(call).await? {
            if body.len() + chunk.len() > most {
                return Err(CallError::TooLong { call: call.name(), most });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Connection {
    /// Waits for something that the connection brings.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let Some(connection) = &mut self.0 else { return Poll::Pending };
            if connection.as_mut().poll(context).is_ready() {
                // What it failed of, `work` is told.
                self.0 = None;
                return work.as_mut().poll(context);
            }
            Poll::Pending
        })
        .await
    }
}

fn request(order: &Order<'_>, number: HeaderValue) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(&order.body)));
    *request.method_mut() = order.call.method().parse().expect("the protocol's methods are methods");
    *request.uri_mut() = order.call.path(order.version).parse().expect("the protocol's paths are paths");
    request.headers_mut().insert(HOST, HeaderValue::from_static("backend"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(CALL_HEADER, number);
    request
}

fn broken(call: &Call) -> impl FnOnce(hyper::Error) -> CallError {
    let call = call.name();
    move |source| CallError::Broken { call, source }
}
