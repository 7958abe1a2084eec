//! Logs of Spaces: what builds and apps say, kept on disk within bounds.
//!
//! ```text
//!   guest ──write──▶ intake (memory, bounded, rate limited) ──▶ writer thread ──▶ segments (disk, bounded ring)
//!                                                                    │ wakes             ▲ read
//!                                                                    └────────▶ readers ─┘
//! ```
//!
//! Writing never blocks: what comes too fast is counted and dropped, and the log says how much. Lines get their number and
//! time on the way to disk, once, so every reader sees the same lines in the same order, before and after a restart.
//! Secrets are replaced before anything is stored. Nothing is flushed to the medium: a power cut may cost the last lines.

mod intake;
mod log;
mod reader;
mod redact;
mod segments;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;

use crate::ports::{Clock, LogSink};
use log::{Log, Sink};
use writer::Writer;

pub use reader::LogReader;

/// How long what is to be seen after a log's last line waits for that: a log must not keep a Space from going on.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// Which log of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// What the newest build says.
    Build,
    /// What the app says, over all its runs.
    Run,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its number; larger than that of every line before it, also across restarts.
    pub seq: u64,
    /// When it was written.
    pub timestamp: Millis,
    /// The line, without its end.
    pub text: String,
}

/// All logs of this host. Cheap to clone; [`LogStore::close`] ends the writing.
#[derive(Clone)]
pub(crate) struct LogStore {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
}

/// What a log needs of the others.
struct Shared {
    /// One folder a Space.
    dir: Dir,
    clock: Arc<dyn Clock>,
    /// Those that somebody writes or reads now.
    open: Mutex<HashMap<(SpaceId, LogKind), Weak<Log>>>,
    dropped_lines: AtomicU64,
}

impl LogKind {
    /// How its files begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }
}

impl LogStore {
    /// Opens the directory of the logs, makes it if it is not there, and starts the writer.
    pub(crate) fn open(dir: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Dir::create_ambient_dir_all(dir, ambient_authority())?;
        let dir = Dir::open_ambient_dir(dir, ambient_authority())?;
        let shared = Shared { dir, clock, open: Mutex::default(), dropped_lines: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared), writer: Arc::new(Writer::start()?) })
    }

    /// Begins the log of a new build; that of the last one is removed, and what it still says is ignored.
    pub(crate) fn begin_build(&self, space: SpaceId) -> Arc<dyn LogSink> {
        let log = self.log(space, LogKind::Build);
        let epoch = log.begin(&self.writer);
        Arc::new(Sink { log, epoch, writer: self.writer.clone() })
    }

    /// Keeps these secrets out of the log of the build under way.
    pub(crate) fn hide_in_build(&self, space: SpaceId, secrets: &[String]) {
        self.log(space, LogKind::Build).hide(secrets);
    }

    /// Where an app's words go. These secrets, and those of the launch before, never reach the disk.
    pub(crate) fn run_sink(&self, space: SpaceId, secrets: &[String]) -> Arc<dyn LogSink> {
        let log = self.log(space, LogKind::Run);
        log.hide(secrets);
        let epoch = log.epoch();
        Arc::new(Sink { log, epoch, writer: self.writer.clone() })
    }

    /// Says something to an app's log on the host's behalf.
    pub(crate) fn say(&self, space: SpaceId, line: &str) {
        let log = self.log(space, LogKind::Run);
        let epoch = log.epoch();
        Sink { log, epoch, writer: self.writer.clone() }.write(format!("{line}\n").as_bytes());
    }

    /// Waits until what was said to a log so far can be read, for as long as a healthy disk takes for it.
    pub(crate) async fn flushed(&self, space: SpaceId, kind: LogKind) {
        let flushed = self.log(space, kind).flushed(&self.writer);
        // A sender that is dropped has said it too, or nothing will.
        let _ = tokio::time::timeout(FLUSH_PATIENCE, flushed).await;
    }

    /// A log from its oldest line on.
    pub(crate) fn reader(&self, space: SpaceId, kind: LogKind) -> LogReader {
        LogReader::new(self.log(space, kind))
    }

    /// When the last line of a log was stored. Blocks on the disk.
    pub(crate) fn last_at(&self, space: SpaceId, kind: LogKind) -> Option<Millis> {
        let dir = self.shared.dir.open_dir(space.to_string()).ok()?;
        segments::last_at(&dir, kind).ok()?
    }

    /// Removes a Space's logs; their readers end. Blocks on the disk.
    pub(crate) fn remove(&self, space: SpaceId) -> io::Result<()> {
        let (build, run) = (self.log(space, LogKind::Build), self.log(space, LogKind::Run));
        build.end();
        run.end();
        match self.shared.dir.remove_dir_all(space.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Every Space that has logs. Blocks on the disk.
    pub(crate) fn spaces(&self) -> io::Result<Vec<SpaceId>> {
        let mut found = Vec::new();
        for entry in self.shared.dir.entries()? {
            found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<SpaceId>().ok()));
        }
        Ok(found)
    }

    /// Lines that were dropped since the start because they came too fast.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.shared.dropped_lines.load(Ordering::Relaxed)
    }

    /// Writes what waits and ends the writing. Blocks until that is done.
    pub(crate) fn close(&self) {
        self.writer.close();
    }

    fn log(&self, space: SpaceId, kind: LogKind) -> Arc<Log> {
        let mut open = self.shared.open.lock();
        if let Some(log) = open.get(&(space, kind)).and_then(Weak::upgrade) {
            return log;
        }
        let log = Arc::new(Log::new(space, kind, self.shared.clone()));
        open.insert((space, kind), Arc::downgrade(&log));
        log
    }
}
