//! What the app answers.

use std::fmt;
use std::io::{self, Write};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::sse::Event;

/// An answer: status, headers, body.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// The body of an answer.
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// Written piece by piece, after the head has been sent.
    Stream(WriteBody),
}

/// Writes a body.
pub type WriteBody = Box<dyn FnOnce(&mut BodyWriter<'_>) -> io::Result<()>>;

/// Writes a streamed body. [`Write::flush`] sends what was written so far.
pub struct BodyWriter<'a> {
    out: &'a mut dyn Write,
}

impl Response {
    /// An answer of this type.
    pub fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
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

    /// JSON text.
    pub fn json(body: impl Into<String>) -> Self {
        Self::new("application/json", body.into())
    }

    /// No body.
    ///
    /// ```
    /// assert_eq!(spaceport_guest::Response::empty(204).status, 204);
    /// ```
    pub fn empty(status: u16) -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::new(), body: Body::Bytes(Vec::new()) }.with_status(status)
    }

    /// Sends the visitor's browser elsewhere, with `GET`.
    ///
    /// ```
    /// let response = spaceport_guest::Response::redirect("/thanks");
    /// assert_eq!((response.status.as_u16(), &response.headers["location"]), (303, &"/thanks".parse().unwrap()));
    /// ```
    pub fn redirect(location: &str) -> Self {
        Self::empty(303).with_header("location", location)
    }

    /// A body that is written while it is sent.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let response = spaceport_guest::Response::stream("text/csv", |body| {
    ///     for n in 0..1000 {
    ///         writeln!(body, "{n},{}", n * n)?;
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = response;
    /// ```
    pub fn stream(
        content_type: &'static str,
        write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + 'static,
    ) -> Self {
        Self { body: Body::Stream(Box::new(write)), ..Self::new(content_type, Vec::new()) }
    }

    /// Server-sent events; each is on its way when [`BodyWriter::send`] returns.
    ///
    /// ```
    /// use spaceport_guest::{Event, Response};
    ///
    /// let response = Response::events(|events| {
    ///     for n in 0..3 {
    ///         events.send(&Event::new(format!("tick {n}")))?;
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = response;
    /// ```
    pub fn events(write: impl FnOnce(&mut BodyWriter<'_>) -> io::Result<()> + 'static) -> Self {
        Self::stream("text/event-stream", write).with_header("cache-control", "no-store")
    }

    /// The same with another status. A number that is no status becomes 500.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// The same with a header, in place of one of the same name. What cannot be a header is left out.
    ///
    /// ```
    /// let response = spaceport_guest::Response::text("hello").with_header("cache-control", "max-age=60");
    /// assert_eq!(response.headers["cache-control"], "max-age=60");
    /// ```
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl<'a> BodyWriter<'a> {
    /// A writer over anything that writes, as tests make them.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// Sends one event at once.
    pub fn send(&mut self, event: &Event) -> io::Result<()> {
        self.out.write_all(event.to_string().as_bytes())?;
        self.out.flush()
    }
}

impl Write for BodyWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_sent_when_send_returns() {
        /// Notes what was written when it was flushed.
        struct Wire(Vec<u8>, Vec<usize>);
        impl Write for Wire {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                self.1.push(self.0.len());
                Ok(())
            }
        }
        let mut wire = Wire(Vec::new(), Vec::new());
        BodyWriter::new(&mut wire).send(&Event::new("x")).unwrap();
        assert_eq!((wire.0, wire.1), (b"data: x\n\n".to_vec(), vec![9]));
    }

    #[test]
    fn what_cannot_be_a_header_is_left_out() {
        let response = Response::text("").with_header("a b", "c").with_header("x", "1\r\ny: 2").with_header("X", "3");
        assert_eq!(response.headers.len(), 2);
        assert_eq!(response.headers["x"], "3");
    }

    #[test]
    fn a_number_that_is_no_status_is_500() {
        assert_eq!(Response::empty(99).status, 500);
        assert_eq!(Response::redirect("/").status, 303);
    }
}
