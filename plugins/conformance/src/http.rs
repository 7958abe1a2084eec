//! As much of HTTP/1.1 as the protocol needs, over a connection for each call. No library: some of what is sent here no
//! library would send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use spaceport_backend_protocol::{CALL_HEADER, limits};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallFailed {
    /// The connection, or the time.
    #[error("no whole answer came: {0}")]
    Io(#[from] io::Error),
    /// What came is no HTTP.
    #[error("the answer is no HTTP: {0:?}")]
    NoHttp(String),
    /// The answer does not repeat what the call was marked with.
    #[error("the answer has {found:?} for its call and not {wanted:?}")]
    Foreign {
        /// What was sent.
        wanted: String,
        /// What came.
        found: Option<String>,
    },
}

/// A whole answer.
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// An answer whose body is still to come.
pub struct Opened {
    /// Its status.
    pub status: u16,
    length: Length,
    from: BufReader<UnixStream>,
}

enum Length {
    Known(u64),
    Chunks,
    ToTheEnd,
}

/// What a call is marked with.
const MARK: &str = "conformance-1";
/// The most of a body that is read.
const MOST: u64 = limits::BODY as u64 + 1;

/// One call from its first byte to its last.
pub fn call(socket: &Path, method: &str, path: &str, body: &[u8], time: Duration) -> Result<Reply, CallFailed> {
    let opened = open(socket, method, path, body, time)?;
    let status = opened.status;
    let mut body = Vec::new();
    opened.body().take(MOST).read_to_end(&mut body)?;
    Ok(Reply { status, body })
}

/// One call up to the head of its answer.
pub fn open(socket: &Path, method: &str, path: &str, body: &[u8], time: Duration) -> Result<Opened, CallFailed> {
    let mut stream = connect(socket, time)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: backend\r\ncontent-type: application/json\r\n{CALL_HEADER}: {MARK}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // A plugin may answer what it does not want to read to the end.
    let written = stream.write_all(body);
    let mut from = BufReader::new(stream);
    match (head_of(&mut from), written) {
        (Ok((status, length)), _) => Ok(Opened { status, length, from }),
        (Err(CallFailed::Io(_)), Err(error)) => Err(CallFailed::Io(error)),
        (Err(error), _) => Err(error),
    }
}

/// A connection on which everything has to come in time.
pub(crate) fn connect(socket: &Path, time: Duration) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    Ok(stream)
}

fn head_of(from: &mut impl BufRead) -> Result<(u16, Length), CallFailed> {
    let first = line(from)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    let status: u16 = status.ok_or(CallFailed::NoHttp(first))?;
    let (mut length, mut mark) = (Length::ToTheEnd, None);
    loop {
        let header = line(from)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(|| CallFailed::NoHttp(header.clone()))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            CALL_HEADER => mark = Some(value.to_owned()),
            "content-length" => {
                length = Length::Known(value.parse().map_err(|_| CallFailed::NoHttp(header.clone()))?);
            }
            "transfer-encoding" => length = Length::Chunks,
            _ => {}
        }
    }
    match mark.as_deref() == Some(MARK) {
        true => Ok((status, length)),
        false => Err(CallFailed::Foreign { wanted: MARK.to_owned(), found: mark }),
    }
}

/// A line of a head, without its end.
fn line(from: &mut impl BufRead) -> Result<String, CallFailed> {
    let mut line = Vec::new();
    from.take(limits::HEAD as u64).read_until(b'\n', &mut line)?;
    let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
    match line.ends_with(b"\n") {
        true => Ok(text),
        false => Err(CallFailed::NoHttp(text)),
    }
}

impl Opened {
    /// The body, as it comes.
    pub fn body(self) -> Box<dyn Read> {
        match self.length {
            Length::Known(length) => Box::new(Whole { from: self.from, left: length }),
            Length::Chunks => Box::new(Chunks { from: self.from, left: 0, ended: false }),
            Length::ToTheEnd => Box::new(self.from),
        }
    }
}

/// A body of a known length, all of which has to come.
struct Whole {
    from: BufReader<UnixStream>,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let read = (&mut self.from).take(self.left).read(into)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// A body in chunks, the last of which has to come.
struct Chunks {
    from: BufReader<UnixStream>,
    left: u64,
    ended: bool,
}

impl Chunks {
    fn next(&mut self) -> io::Result<()> {
        let size = line(&mut self.from).map_err(io::Error::other)?;
        let size = size.split(';').next().unwrap_or_default().trim().to_owned();
        self.left = u64::from_str_radix(&size, 16).map_err(|_| io::Error::other(format!("{size:?} is no chunk")))?;
        self.ended = self.left == 0;
        Ok(())
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.next()?;
        }
        if self.ended {
            return Ok(0);
        }
        let read = (&mut self.from).take(self.left).read(into)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if self.left == 0 {
            line(&mut self.from).map_err(io::Error::other)?;
        }
        Ok(read)
    }
}
