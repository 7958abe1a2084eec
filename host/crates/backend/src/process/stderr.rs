//! What a plugin writes to its standard error: into the host's log, line by line, and not more than the log can bear.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_backend_protocol::Line;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::BackendName;

/// Bytes of one line; a longer one is cut there, and its rest is left out.
const LINE: usize = spaceport_backend_protocol::limits::LINE;
/// Lines in one [`PERIOD`], enough for a stack trace. What comes beyond is counted and left out.
const LINES: u32 = 100;
/// The span in which so many lines may come.
const PERIOD: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const CHUNK: usize = 8 << 10;

/// Reads until the pipe is closed or this is dropped.
pub(super) struct Stderr {
    reader: Option<JoinHandle<()>>,
    last: Arc<Mutex<Option<Line>>>,
}

impl Stderr {
    /// There is nothing to read.
    pub(super) fn none() -> Self {
        Self { reader: None, last: Arc::default() }
    }

    /// Begins to read.
    pub(super) fn listen(name: BackendName, from: ChildStderr) -> Self {
        let last = Arc::new(Mutex::new(None));
        let reader = tokio::spawn(read(name, from, last.clone()));
        Self { reader: Some(reader), last }
    }

    /// Waits until the last byte is read. May be dropped and called again.
    pub(super) async fn closed(&mut self) {
        if let Some(reader) = &mut self.reader {
            let _ = reader.await;
            self.reader = None;
        }
    }

    /// The last line that was not empty.
    pub(super) fn last_line(&self) -> Option<Line> {
        self.last.lock().clone()
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

async fn read(name: BackendName, mut from: ChildStderr, last: Arc<Mutex<Option<Line>>>) {
    let mut lines = Lines::default();
    let mut gate = Gate::new(Instant::now());
    let mut chunk = vec![0; CHUNK];
    let tell = |line: Line, gate: &mut Gate| {
        let (passes, left_out) = gate.pass(Instant::now());
        if left_out > 0 {
            tracing::warn!(backend = %name, lines = left_out, "lines of a backend were left out: they came too fast");
        }
        if passes {
            tracing::info!(backend = %name, said = %line, "a backend writes");
        }
        *last.lock() = Some(line);
    };
    loop {
        let read = from.read(&mut chunk).await.unwrap_or(0);
        if read == 0 {
            break;
        }
        lines.push(&chunk[..read], |line| tell(line, &mut gate));
    }
    lines.end(|line| tell(line, &mut gate));
}

/// Bytes on their way to lines.
#[derive(Default)]
struct Lines {
    /// The beginning of the line that is being read, at most [`LINE`] bytes.
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(Line)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.begun.len());
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            self.begun.extend_from_slice(&text[..text.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end(&mut tell);
            }
        }
    }

    fn end(&mut self, mut tell: impl FnMut(Line)) {
        let text = String::from_utf8_lossy(&self.begun);
        if !text.trim().is_empty() {
            tell(Line::lossy(&text));
        }
        self.begun.clear();
    }
}

/// Lets through so many lines in a period.
struct Gate {
    began: Instant,
    passed: u32,
    left_out: u64,
}

impl Gate {
    fn new(now: Instant) -> Self {
        Self { began: now, passed: 0, left_out: 0 }
    }

    /// Whether a line may pass, and how many were left out before, to be told once.
    fn pass(&mut self, now: Instant) -> (bool, u64) {
        let mut before = 0;
        if now.duration_since(self.began) >= PERIOD {
            before = self.left_out;
            *self = Self::new(now);
        }
        let passes = self.passed < LINES;
        match passes {
            true => self.passed += 1,
            false => self.left_out += 1,
        }
        (passes, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, |line| found.push(line.to_string()));
        }
        lines.end(|line| found.push(line.to_string()));
        found
    }

    #[test]
    fn bytes_become_lines_wherever_they_are_cut() {
        assert_eq!(lines(&[b"a\nb", b"c\n\n", b"\r\n", b"d"]), ["a", "bc", "d"]);
        assert_eq!(lines(&[b"\x1b[31mred\xff\n"]), ["[31mred\u{fffd}"]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.push(&[b'x'; CHUNK], |line| panic!("{line}"));
            assert!(lines.begun.len() <= LINE);
        }
        let mut found = Vec::new();
        lines.push(b"y\nz\n", |line| found.push(line.to_string()));
        assert_eq!(found, ["x".repeat(LINE), "z".to_owned()]);
    }

    #[test]
    fn a_flood_of_lines_is_counted_and_left_out() {
        let start = Instant::now();
        let mut gate = Gate::new(start);
        let passed = (0..LINES + 50).filter(|_| gate.pass(start).0).count();
        assert_eq!(passed, LINES as usize);
        assert_eq!(gate.pass(start + PERIOD), (true, 50));
        assert_eq!(gate.pass(start + PERIOD), (true, 0));
    }
}
