//! Connections on which a test says exactly what it wants, byte by byte.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::TestHost;

/// How long a read waits: whatever is waited for comes within its deadline, or never.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a host.
#[track_caller]
pub fn connect(host: &TestHost) -> TcpStream {
    let stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A host that has heard enough does not hold up the test.
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Says something and returns all that comes until the other side closes, in order or not.
#[track_caller]
pub fn say(host: &TestHost, bytes: &[u8]) -> String {
    let mut stream = connect(host);
    // It may have been refused before it was all said.
    let _ = stream.write_all(bytes);
    String::from_utf8_lossy(&heard(&mut stream)).into_owned()
}

/// All that comes until the other side closes, in order or not.
#[track_caller]
pub fn heard(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let is_late = ended.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
    assert!(!is_late, "the host keeps the connection; so far {}", String::from_utf8_lossy(&bytes));
    bytes
}

/// Whether the other side has closed, in order or not. Takes what came before.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    let closed = loop {
        match stream.read(&mut bytes) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
        }
    };
    stream.set_nonblocking(false).unwrap();
    closed
}

/// Lets this process, and what it starts, open as many files as the system allows; how many that is.
pub fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// Frames of HTTP/2, as the standard has them on the wire.
pub mod h2 {
    use super::{Read, TcpStream, TestHost, Write, connect, io};

    /// Kinds of frames.
    pub const DATA: u8 = 0;
    /// See [`DATA`].
    pub const HEADERS: u8 = 1;
    /// See [`DATA`].
    pub const RST_STREAM: u8 = 3;
    /// See [`DATA`].
    pub const SETTINGS: u8 = 4;
    /// See [`DATA`].
    pub const PING: u8 = 6;
    /// See [`DATA`].
    pub const GOAWAY: u8 = 7;
    /// See [`DATA`].
    pub const CONTINUATION: u8 = 9;
    /// Flags of [`HEADERS`]: the message ends with it, the head ends with it.
    pub const END_STREAM: u8 = 1;
    /// See [`END_STREAM`].
    pub const END_HEADERS: u8 = 4;
    /// The reason in a [`GOAWAY`]: the peer asks for too much.
    pub const ENHANCE_YOUR_CALM: u32 = 11;

    /// One frame.
    pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// The head of a request at a host name: the table's entries where there are, and the authority in full.
    pub fn head(is_post: bool, authority: &str) -> Vec<u8> {
        let method = if is_post { 0x83 } else { 0x82 };
        let length = u8::try_from(authority.len()).unwrap();
        [&[method, 0x86, 0x84, 0x41, length], authority.as_bytes()].concat()
    }

    /// A connection on which the preface and first settings were sent.
    #[track_caller]
    pub fn open(host: &TestHost) -> TcpStream {
        let mut stream = connect(host);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        stream
    }

    /// The reason of the [`GOAWAY`] among the frames that come until the host closes, if there is one.
    pub fn reason(stream: &mut TcpStream) -> Option<u32> {
        let mut reason = None;
        while let Ok((kind, payload)) = next(stream) {
            if kind == GOAWAY {
                reason = payload.get(4..8).map(|code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
            }
        }
        reason
    }

    /// The next frame's kind and payload.
    pub fn next(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload)?;
        Ok((head[3], payload))
    }
}
