//! wasi:http 0.3: async apps, of which one instance answers many requests at a time.
//!
//! The shape is that of the synchronous half of this crate, with `await` where an app may wait; while one request waits,
//! the instance goes on with others.

use std::cell::OnceCell;
use std::io;
use std::pin::Pin;

use http::{HeaderMap, Method, StatusCode};
use wasip3::http::types::{ErrorCode, Fields, Method as WasiMethod};
use wasip3::wit_bindgen::{StreamReader, StreamResult, StreamWriter};
use wasip3::{wit_future, wit_stream};

use crate::head::{header_list, header_map};
use crate::query::query_value;
use crate::sse::Event;

/// Bytes asked of the host at a time.
const CHUNK: usize = 64 << 10;

/// A request; its body is read with [`Request::read`]. What an app does not look at is not fetched from the host.
pub struct Request {
    source: Source,
    method: OnceCell<Method>,
    path_and_query: OnceCell<String>,
    headers: OnceCell<HeaderMap>,
}

enum Source {
    /// The body was not asked for.
    Whole(wasip3::http::types::Request),
    Body(StreamReader<u8>),
    Taken,
}

/// An answer.
pub struct Response {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Body,
}

type Write = Box<dyn FnOnce(BodyWriter) -> Pin<Box<dyn Future<Output = io::Result<()>>>>>;

enum Body {
    Bytes(Vec<u8>),
    Stream(Write),
}

/// Writes a streamed body.
pub struct BodyWriter(StreamWriter<u8>);

impl Request {
    fn new(request: wasip3::http::types::Request) -> Self {
        Self {
            source: Source::Whole(request),
            method: OnceCell::new(),
            path_and_query: OnceCell::new(),
            headers: OnceCell::new(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.method.get_or_init(|| self.head().map_or(Method::GET, |head| method(head.get_method())))
    }

    /// The path, as sent, without the query.
    pub fn path(&self) -> &str {
        self.path_and_query().split('?').next().unwrap_or("/")
    }

    /// The first value of a name in the query.
    pub fn query_value(&self, name: &str) -> Option<String> {
        query_value(self.path_and_query().split_once('?').map_or("", |(_, query)| query), name)
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.headers
            .get_or_init(|| header_map(self.head().map(|head| head.get_headers().copy_all()).unwrap_or_default()))
    }

    /// The next piece of the body; `None` at its end.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        self.ask_for_body();
        let Source::Body(body) = &mut self.source else { return None };
        loop {
            let (result, bytes) = body.read(Vec::with_capacity(CHUNK)).await;
            match result {
                StreamResult::Complete(0) => {}
                StreamResult::Complete(_) => return Some(bytes),
                StreamResult::Dropped | StreamResult::Cancelled => return None,
            }
        }
    }

    fn path_and_query(&self) -> &str {
        let ask = || self.head().and_then(|head| head.get_path_with_query());
        self.path_and_query.get_or_init(|| ask().unwrap_or_else(|| "/".to_owned()))
    }

    fn head(&self) -> Option<&wasip3::http::types::Request> {
        match &self.source {
            Source::Whole(request) => Some(request),
            Source::Body(_) | Source::Taken => None,
        }
    }

    /// The host gives the body for the whole request, so the rest is fetched before.
    fn ask_for_body(&mut self) {
        if self.head().is_none() {
            return;
        }
        let _ = (self.method(), self.path_and_query(), self.headers());
        if let Source::Whole(request) = std::mem::replace(&mut self.source, Source::Taken) {
            let (_, result) = wit_future::new(|| Ok(()));
            let (body, _trailers) = wasip3::http::types::Request::consume_body(request, result);
            self.source = Source::Body(body);
        }
    }
}

fn method(method: WasiMethod) -> Method {
    match method {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes()).unwrap_or(Method::GET),
    }
}

impl Response {
    /// An answer of this type.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status: StatusCode::OK, headers, body: Body::Bytes(body.into()) }
    }

    /// Plain text.
    pub fn text(body: impl Into<String>) -> Self {
        Self::new("text/plain; charset=utf-8", body.into())
    }

    /// A page.
    pub fn html(body: impl Into<String>) -> Self {
        Self::new("text/html; charset=utf-8", body.into())
    }

    /// A body that is written while it is sent.
    pub fn stream<F, Fut>(content_type: &str, write: F) -> Self
    where
        F: FnOnce(BodyWriter) -> Fut + 'static,
        Fut: Future<Output = io::Result<()>> + 'static,
    {
        let write: Write = Box::new(move |body| Box::pin(write(body)));
        Self { body: Body::Stream(write), ..Self::new(content_type, Vec::new()) }
    }

    /// Server-sent events.
    pub fn events<F, Fut>(write: F) -> Self
    where
        F: FnOnce(BodyWriter) -> Fut + 'static,
        Fut: Future<Output = io::Result<()>> + 'static,
    {
        Self::stream("text/event-stream", write).with_header("cache-control", "no-store")
    }

    /// The same with another status. A number that is no status becomes 500.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// The same with one header more.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl BodyWriter {
    /// Sends bytes; waits while the visitor has no room.
    pub async fn write(&mut self, bytes: impl Into<Vec<u8>>) -> io::Result<()> {
        let left = self.0.write_all(bytes.into()).await;
        if left.is_empty() { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Sends one event.
    pub async fn send(&mut self, event: &Event) -> io::Result<()> {
        self.write(event.to_string()).await
    }
}

/// Waits without holding up other requests.
pub async fn sleep(duration: std::time::Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    wasip3::clocks::monotonic_clock::wait_for(nanoseconds).await;
}

/// Answers one request.
#[doc(hidden)]
pub async fn serve<F, Fut>(
    request: wasip3::http::types::Request,
    handle: F,
) -> Result<wasip3::http::types::Response, ErrorCode>
where
    F: FnOnce(Request) -> Fut,
    Fut: Future<Output = Response>,
{
    let response = handle(Request::new(request)).await;
    let whole = match &response.body {
        Body::Bytes(bytes) => Some(bytes.len()),
        Body::Stream(_) => None,
    };
    let own = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields = fields(&header_list(own, response.status, whole));
    let (contents, trailers) = match response.body {
        Body::Bytes(bytes) => {
            let contents = (!bytes.is_empty()).then(|| stream(|mut body| async move { body.write(bytes).await }));
            match contents {
                Some((contents, trailers)) => (Some(contents), trailers),
                None => (None, wit_future::new(|| Ok(None)).1),
            }
        }
        Body::Stream(write) => {
            let (contents, trailers) = stream(write);
            (Some(contents), trailers)
        }
    };
    let (head, _sent) = wasip3::http::types::Response::new(fields, contents, trailers);
    if response.status != StatusCode::OK {
        let _ = head.set_status_code(response.status.as_u16());
    }
    Ok(head)
}

fn fields(list: &[(String, Vec<u8>)]) -> Fields {
    Fields::from_list(list).unwrap_or_else(|_| {
        let fields = Fields::new();
        for (name, value) in list {
            // A header the host does not take from guests is not worth losing the answer for.
            let _ = fields.append(name, value);
        }
        fields
    })
}

type Trailers = wasip3::wit_bindgen::FutureReader<Result<Option<Fields>, ErrorCode>>;

/// Starts writing; a writer that fails makes the body fail, so that nobody takes it for whole.
fn stream<F, Fut>(write: F) -> (StreamReader<u8>, Trailers)
where
    F: FnOnce(BodyWriter) -> Fut + 'static,
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let (writer, reader) = wit_stream::new();
    let (done, trailers) = wit_future::new(|| Ok(None));
    wasip3::spawn_local(async move {
        let end = match write(BodyWriter(writer)).await {
            Ok(()) => Ok(None),
            Err(error) => Err(ErrorCode::InternalError(Some(error.to_string()))),
        };
        let _ = done.write(end).await;
    });
    (reader, trailers)
}
