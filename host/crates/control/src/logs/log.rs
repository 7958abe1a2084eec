//! One log: the near end that guests write to, and the far end that the writer thread takes to disk.
//!
//! The two have locks of their own, so that a guest never waits for the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use spaceport_core::id::SpaceId;
use tokio::sync::{oneshot, watch};

use super::intake::Intake;
use super::redact::Redactor;
use super::segments::{self, Place, Segments};
use super::writer::Writer;
use super::{LogKind, LogLine, Shared};
use crate::ports::LogSink;

/// Longest line kept, in bytes; the rest of it is cut off.
const MAX_LINE: usize = 16 << 10;
/// What ends a line that was cut.
const CUT: &str = " … [line cut]";

/// One log that somebody writes or reads now.
pub(super) struct Log {
    space: SpaceId,
    kind: LogKind,
    shared: Arc<Shared>,
    near: Mutex<Near>,
    far: Mutex<Far>,
    hidden: Mutex<Hidden>,
    tail: watch::Sender<Tail>,
    /// Whether the writer thread looks at it again by itself.
    pub(super) is_lingering: AtomicBool,
}

/// How far a log has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tail {
    /// Changes with every write.
    writes: u64,
    /// Nothing will follow.
    pub(super) is_ended: bool,
}

struct Near {
    intake: Intake,
    /// Which build or run may write; older ones are ignored.
    epoch: u64,
    is_queued: bool,
    /// Who waits until what was said is on disk.
    waiting: Vec<oneshot::Sender<()>>,
    is_ended: bool,
}

#[derive(Default)]
struct Far {
    /// Opened by the first write: a Space that says nothing costs nothing.
    segments: Option<Segments>,
    /// A line whose end has not come yet.
    partial: Vec<u8>,
    /// Whose lines are on disk; while it is not the near end's, nothing of what may be read is there.
    epoch: u64,
    is_failing: bool,
    is_ended: bool,
}

/// Secrets of the newest launch and of the one before, which may still be running.
#[derive(Default)]
struct Hidden {
    newest: Vec<String>,
    redactor: Arc<Redactor>,
}

/// Where a guest or a build writes.
pub(super) struct Sink {
    pub(super) log: Arc<Log>,
    pub(super) epoch: u64,
    pub(super) writer: Arc<Writer>,
}

impl LogSink for Sink {
    fn write(&self, text: &[u8]) {
        let must_submit = self.log.push(text, self.epoch);
        if must_submit {
            self.writer.submit(self.log.clone());
        }
    }
}

impl Log {
    pub(super) fn new(space: SpaceId, kind: LogKind, shared: Arc<Shared>) -> Self {
        let intake = Intake::new(Instant::now());
        Self {
            space,
            kind,
            shared,
            near: Mutex::new(Near { intake, epoch: 0, is_queued: false, waiting: Vec::new(), is_ended: false }),
            far: Mutex::default(),
            hidden: Mutex::default(),
            tail: watch::Sender::new(Tail::default()),
            is_lingering: AtomicBool::new(false),
        }
    }

    /// Begins it anew and returns who may write from now on.
    pub(super) fn begin(self: &Arc<Self>, writer: &Writer) -> u64 {
        let mut near = self.near.lock();
        near.intake.clear();
        near.epoch += 1;
        let (epoch, must_submit) = (near.epoch, !std::mem::replace(&mut near.is_queued, true));
        drop(near);
        if must_submit {
            writer.submit(self.clone());
        }
        epoch
    }

    pub(super) fn epoch(&self) -> u64 {
        self.near.lock().epoch
    }

    /// Tells when what was said so far is on disk, or will never be.
    pub(super) fn flushed(self: &Arc<Self>, writer: &Writer) -> oneshot::Receiver<()> {
        let (told, flushed) = oneshot::channel();
        let mut near = self.near.lock();
        if !near.is_ended {
            near.waiting.push(told);
            if !std::mem::replace(&mut near.is_queued, true) {
                drop(near);
                writer.submit(self.clone());
            }
        }
        flushed
    }

    /// Adds the secrets of a launch to what is not stored.
    pub(super) fn hide(&self, secrets: &[String]) {
        let mut hidden = self.hidden.lock();
        hidden.redactor = Arc::new(Redactor::new(hidden.newest.iter().chain(secrets)));
        hidden.newest = secrets.to_vec();
    }

    /// Nothing is written from now on; readers end.
    pub(super) fn end(&self) {
        {
            let mut near = self.near.lock();
            near.is_ended = true;
            near.waiting.clear();
        }
        let mut far = self.far.lock();
        *far = Far { is_ended: true, ..Far::default() };
        self.tail.send_modify(|tail| tail.is_ended = true);
    }

    pub(super) fn tail(&self) -> watch::Receiver<Tail> {
        self.tail.subscribe()
    }

    /// The next lines from a place on. Blocks on the disk.
    pub(super) fn read(&self, place: &mut Place, from: u64) -> io::Result<Vec<LogLine>> {
        let stored = self.far.lock().epoch;
        if self.near.lock().epoch != stored {
            // What is there is of the build before.
            return Ok(Vec::new());
        }
        match self.shared.dir.open_dir(self.space.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            opened => segments::read(&opened?, self.kind, place, from),
        }
    }

    /// Keeps a text for the writer; whether the writer has to be told.
    fn push(&self, text: &[u8], epoch: u64) -> bool {
        let mut near = self.near.lock();
        if near.is_ended || near.epoch != epoch || text.is_empty() {
            return false;
        }
        let dropped = near.intake.push(text, Instant::now());
        self.shared.dropped_lines.fetch_add(dropped, Ordering::Relaxed);
        !std::mem::replace(&mut near.is_queued, true)
    }

    /// Takes what waits to disk, and tells those who wait for it; whether something remains that no further write may follow: half a line, or a count of
    /// dropped lines. `is_last` takes these too. Blocks on the disk.
    pub(super) fn write_out(&self, is_last: bool) -> bool {
        let (taken, epoch, _told) = {
            let mut near = self.near.lock();
            near.is_queued = false;
            (near.intake.take(Instant::now(), is_last), near.epoch, std::mem::take(&mut near.waiting))
        };
        let redactor = self.hidden.lock().redactor.clone();
        let mut far = self.far.lock();
        if far.is_ended {
            return false;
        }
        let begins_anew = far.epoch != epoch;
        if begins_anew {
            far.partial.clear();
        }
        let lines = far.lines(&taken.text, is_last, &redactor);
        if begins_anew || !lines.is_empty() {
            let stored = self.store(&mut far, &lines, epoch);
            self.report(&mut far, stored, lines.len());
            self.tail.send_modify(|tail| tail.writes += 1);
        }
        taken.is_shedding || !far.partial.is_empty()
    }

    fn store(&self, far: &mut Far, lines: &[String], epoch: u64) -> io::Result<()> {
        let segments = match &mut far.segments {
            Some(segments) => segments,
            closed => {
                let folder = self.space.to_string();
                self.shared.dir.create_dir_all(&folder)?;
                closed.insert(Segments::open(self.shared.dir.open_dir(&folder)?, self.kind)?)
            }
        };
        if far.epoch != epoch {
            segments.begin()?;
            far.epoch = epoch;
        }
        segments.append(lines, self.shared.clock.now())
    }

    /// A disk that takes no logs is said once, until it takes them again.
    fn report(&self, far: &mut Far, stored: io::Result<()>, lines: usize) {
        let was_failing = std::mem::replace(&mut far.is_failing, stored.is_err());
        if let Err(error) = stored {
            self.shared.dropped_lines.fetch_add(lines as u64, Ordering::Relaxed);
            if !was_failing {
                tracing::warn!(space = %self.space, %error, "the log of a Space cannot be written");
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock();
        if open.get(&(self.space, self.kind)).is_some_and(|log| log.strong_count() == 0) {
            open.remove(&(self.space, self.kind));
        }
    }
}

impl Far {
    /// Whole lines out of text that comes in pieces, without secrets.
    fn lines(&mut self, text: &[u8], is_last: bool, redactor: &Redactor) -> Vec<String> {
        // What is cut off a line is cut after secrets were found, or half of one would stay.
        let most = MAX_LINE + redactor.longest();
        let mut lines = Vec::new();
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let (piece, is_whole) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            let room = most.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            if is_whole {
                lines.push(finished(&std::mem::take(&mut self.partial), redactor));
            }
        }
        if is_last && !self.partial.is_empty() {
            lines.push(finished(&std::mem::take(&mut self.partial), redactor));
        }
        lines
    }
}

fn finished(line: &[u8], redactor: &Redactor) -> String {
    let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let mut line = redactor.redact(&line).into_owned();
    if line.len() > MAX_LINE {
        line.truncate(line.floor_char_boundary(MAX_LINE));
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(far: &mut Far, text: &str, redactor: &Redactor) -> Vec<String> {
        far.lines(text.as_bytes(), false, redactor)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let (mut far, redactor) = (Far::default(), Redactor::default());
        assert_eq!(lines(&mut far, "one\r\ntw", &redactor), ["one"]);
        assert_eq!(lines(&mut far, "o", &redactor), [""; 0]);
        assert_eq!(lines(&mut far, "\n\nend", &redactor), ["two", ""]);
        assert_eq!(far.lines(b"", true, &redactor), ["end"]);
        assert_eq!(far.lines(b"", true, &redactor), [""; 0]);
    }

    #[test]
    fn a_secret_is_found_across_pieces_and_at_the_cut() {
        let secret = "correct horse battery staple".to_owned();
        let (mut far, redactor) = (Far::default(), Redactor::new([&secret]));
        assert_eq!(lines(&mut far, "it is correct hor", &redactor), [""; 0]);
        assert_eq!(lines(&mut far, "se battery staple!\n", &redactor), ["it is ***!"]);

        let long = format!("{}{secret}\n", "x".repeat(MAX_LINE - 10));
        let line = lines(&mut far, &long, &redactor).remove(0);
        assert!(line.ends_with("xxx***"), "{}", &line[MAX_LINE - 20..]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (mut far, redactor) = (Far::default(), Redactor::default());
        for _ in 0..100 {
            assert_eq!(lines(&mut far, &"ü".repeat(1000), &redactor), [""; 0]);
        }
        let line = lines(&mut far, "\n", &redactor).remove(0);
        assert!(line.len() <= MAX_LINE + CUT.len() && line.len() >= MAX_LINE, "{}", line.len());
        assert_eq!(lines(&mut far, "next\n", &redactor), ["next"]);
    }
}
