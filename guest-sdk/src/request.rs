//! What a visitor asks.

use std::cell::LazyCell;
use std::fmt;
use std::io::{self, Read};

use http::{HeaderMap, Method};

use crate::query::query_value;

/// A request. Its body is read as it arrives: the request is a [`Read`].
///
/// What an app does not look at is not fetched from the host, which would cost more than most answers.
pub struct Request {
    head: Lazy<Head>,
    headers: Lazy<HeaderMap>,
    body: Box<dyn Read>,
}

/// A value that is made when it is looked at.
type Lazy<T> = LazyCell<T, Box<dyn FnOnce() -> T>>;

/// The first line of a request.
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
}

/// A body is larger than the app is willing to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes the app would have taken.
    pub limit: usize,
}

impl Request {
    /// A request from its parts, as tests make them.
    pub fn new(method: Method, path_and_query: &str, headers: HeaderMap, body: impl Read + 'static) -> Self {
        let head = Head { method, path_and_query: path_and_query.to_owned() };
        Self::lazy(move || head, move || headers, Box::new(body))
    }

    /// A request that is fetched as it is looked at.
    pub(crate) fn lazy(
        head: impl FnOnce() -> Head + 'static,
        headers: impl FnOnce() -> HeaderMap + 'static,
        body: Box<dyn Read>,
    ) -> Self {
        Self { head: LazyCell::new(Box::new(head)), headers: LazyCell::new(Box::new(headers)), body }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path, as sent: still percent-encoded, without the query.
    pub fn path(&self) -> &str {
        self.head.path_and_query.split('?').next().unwrap_or("/")
    }

    /// The query string, without the `?`; empty if there is none.
    pub fn query(&self) -> &str {
        self.head.path_and_query.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a name in the query.
    ///
    /// ```
    /// use spaceport_guest::{HeaderMap, Method, Request};
    ///
    /// let request = Request::new(Method::GET, "/search?q=two+words", HeaderMap::new(), std::io::empty());
    /// assert_eq!(request.path(), "/search");
    /// assert_eq!(request.query_value("q").as_deref(), Some("two words"));
    /// ```
    pub fn query_value(&self, name: &str) -> Option<String> {
        query_value(self.query(), name)
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the whole body, up to `limit` bytes.
    pub fn read_all(&mut self, limit: usize) -> io::Result<Result<Vec<u8>, TooLarge>> {
        let mut body = Vec::new();
        let read = (&mut self.body).take(limit as u64 + 1).read_to_end(&mut body)?;
        Ok(if read > limit { Err(TooLarge { limit }) } else { Ok(body) })
    }
}

impl Read for Request {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body is larger than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &'static [u8]) -> Request {
        Request::new(Method::POST, "/a%20b?x=1&x=2", HeaderMap::new(), body)
    }

    #[test]
    fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
        assert_eq!(post(b"12345").read_all(5).unwrap(), Ok(b"12345".to_vec()));
        let refused = post(b"123456").read_all(5).unwrap().unwrap_err();
        assert_eq!(refused.to_string(), "the body is larger than 5 bytes");
    }

    #[test]
    fn path_and_query_are_apart_and_the_path_is_as_sent() {
        let request = post(b"");
        assert_eq!((request.path(), request.query()), ("/a%20b", "x=1&x=2"));
        assert_eq!(request.query_value("x").as_deref(), Some("1"));
        assert_eq!(request.query_value("y"), None);
    }
}
