//! wasi:http 0.2 behind [`crate::export!`].

use std::io::{self, Read, Write};
use std::rc::Rc;

use http::{Method, StatusCode};
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::head::{header_list, header_map};
use crate::request::Head;
use crate::{Body, BodyWriter, Request, Response};

/// Most bytes handed to the host in one call: what the host takes at once.
const CHUNK: usize = 64 << 10;

/// Answers one request.
pub fn serve(request: IncomingRequest, out: ResponseOutparam, handle: impl FnOnce(Request) -> Response) {
    send(handle(read(request)), out);
}

fn read(request: IncomingRequest) -> Request {
    let request = Rc::new(request);
    let (first, fields) = (request.clone(), request.clone());
    let head = move || Head {
        method: method(&first.method()),
        path_and_query: first.path_with_query().unwrap_or_else(|| "/".to_owned()),
    };
    Request::lazy(head, move || header_map(fields.headers().entries()), Box::new(LazyBody::Unread(request)))
}

fn method(method: &WasiMethod) -> Method {
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

fn send(response: Response, out: ResponseOutparam) {
    let whole = match &response.body {
        Body::Bytes(bytes) => Some(bytes.len()),
        Body::Stream(_) => None,
    };
    let own = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let head = OutgoingResponse::new(fields(&header_list(own, response.status, whole)));
    if response.status != StatusCode::OK {
        let _ = head.set_status_code(response.status.as_u16());
    }
    let body = head.body().expect("a new response has a body");
    ResponseOutparam::set(out, Ok(head));
    let is_whole = write(&body, response.body).is_ok();
    if is_whole {
        // The visitor may be gone; there is nobody to tell.
        let _ = OutgoingBody::finish(body, None);
    }
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

fn write(body: &OutgoingBody, content: Body) -> io::Result<()> {
    let mut out = OutgoingWriter::new(body.write().expect("the body of a new response has a stream"));
    match content {
        // What was written whole is sent when the body is finished.
        Body::Bytes(bytes) => out.push(&bytes),
        Body::Stream(write) => {
            write(&mut BodyWriter::new(&mut out))?;
            out.flush()
        }
    }
}

/// A request's body, asked of the host when it is read.
enum LazyBody {
    Unread(Rc<IncomingRequest>),
    Reading(IncomingReader),
    Taken,
}

impl Read for LazyBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unread(request) = self {
            *self = match request.consume() {
                Ok(body) => Self::Reading(IncomingReader::new(body)),
                Err(()) => Self::Taken,
            };
        }
        match self {
            Self::Reading(reader) => reader.read(buffer),
            Self::Unread(_) | Self::Taken => Ok(0),
        }
    }
}

/// Reads a request's body. The stream has to go before the body it belongs to.
struct IncomingReader {
    stream: Option<InputStream>,
    body: Option<IncomingBody>,
}

impl IncomingReader {
    fn new(body: IncomingBody) -> Self {
        Self { stream: body.stream().ok(), body: Some(body) }
    }
}

impl Read for IncomingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stream) = &self.stream else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match stream.blocking_read(buffer.len().min(CHUNK) as u64) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => {
                    buffer[..bytes.len()].copy_from_slice(&bytes);
                    return Ok(bytes.len());
                }
                Err(StreamError::Closed) => return Ok(0),
                Err(StreamError::LastOperationFailed(error)) => return Err(io::Error::other(error.to_debug_string())),
            }
        }
    }
}

impl Drop for IncomingReader {
    fn drop(&mut self) {
        drop(self.stream.take());
        drop(self.body.take());
    }
}

/// Collects small writes; hands larger pieces to the host and waits while it has no room.
struct OutgoingWriter {
    stream: OutputStream,
    buffer: Vec<u8>,
}

impl OutgoingWriter {
    fn new(stream: OutputStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    fn push(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.stream.check_write().map_err(failed)? as usize;
            if room == 0 {
                self.stream.subscribe().block();
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(room).min(CHUNK));
            self.stream.write(now).map_err(failed)?;
            bytes = later;
        }
        Ok(())
    }
}

impl Write for OutgoingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.is_empty() && bytes.len() >= CHUNK {
            self.push(bytes)?;
            return Ok(bytes.len());
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            let full = std::mem::take(&mut self.buffer);
            self.push(&full)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.buffer);
        self.push(&rest)?;
        // Starts sending; the host does the rest while the app goes on.
        self.stream.flush().map_err(failed)
    }
}

fn failed(error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::ErrorKind::BrokenPipe.into(),
        StreamError::LastOperationFailed(error) => io::Error::other(error.to_debug_string()),
    }
}
