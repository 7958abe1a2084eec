//! What went wrong on the wire, in the words of wasi:http.
//!
//! Guests see these codes; nothing here tells them more about the host than that their request failed.

use std::error::Error as _;
use std::io;

use wasmtime_wasi_http::Error;

/// A connection that could not be made.
pub(super) fn from_connect(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Error::ConnectionTerminated,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

/// A TLS handshake that failed.
pub(super) fn from_tls(error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        Some(_) => Error::TlsProtocolError,
        None if error.kind() == io::ErrorKind::UnexpectedEof => Error::ConnectionTerminated,
        None => from_connect(error),
    }
}

/// An exchange that failed.
pub(super) fn from_hyper(error: &hyper::Error) -> Error {
    if let Some(cause) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        return of_the_body(cause);
    }
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_closed() || error.is_canceled() || error.is_body_write_aborted() || caused_by_io(error) {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

/// The guest's own body ended in an error: it is told which, where the code says something.
fn of_the_body(error: &Error) -> Error {
    match error {
        Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
        Error::HttpRequestTrailerSectionSize(size) => Error::HttpRequestTrailerSectionSize(*size),
        other => Error::InternalError(Some(other.to_string())),
    }
}

fn caused_by_io(error: &hyper::Error) -> bool {
    error.source().is_some_and(|source| source.is::<io::Error>())
}
