//! Where log lines of the host go: structured, to stderr.
//!
//! Lines are gathered in memory and written by a thread of their own, many at a time: a request waits neither for a system
//! call nor for whoever reads the log, and wakes nobody for each line. Invariant: a reader that stands still or is gone
//! costs lines, never answers.

mod json;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use parking_lot::{Condvar, Mutex};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What is shown unless the operator asks for something else: everything worth knowing, and one line a request. What russh
/// says is about what strangers send, as often as they like.
const DEFAULT_FILTER: &str =
    "info,hyper=warn,h2=warn,hickory_resolver=warn,hickory_proto=warn,cranelift=warn,wasmtime=warn,russh=off";
/// Bytes that wait for the writer, a second of a busy host. What comes beyond is dropped and counted.
const WAITING: usize = 8 << 20;
/// How long the writer gathers lines after the first: nobody who looks on notices, and waking it for each line of a busy
/// host would cost more than writing it.
const GATHER: Duration = Duration::from_millis(10);

/// A filter in the syntax of `RUST_LOG` that can be read.
#[derive(Debug, Clone)]
pub struct LogFilter(String);

impl std::str::FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::try_new(text).map(|_| Self(text.to_owned()))
    }
}

/// Starts logging: readable lines on a terminal, JSON otherwise. Dropping what is returned writes out what waits.
pub(crate) fn start(filter: Option<&LogFilter>) -> anyhow::Result<LogGuard> {
    let filter = EnvFilter::new(filter.map_or(DEFAULT_FILTER, |filter| &filter.0));
    let lines = Lines::default();
    let guard = LogGuard::start(lines.clone(), io::stderr()).context("start the thread that writes the log")?;
    // A line that cannot be written is no reason to write another one about it.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).log_internal_errors(false);
    if io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.event_format(json::JsonLines).init();
    }
    Ok(guard)
}

/// Counts the panics of all threads from here on, beside what is said of each as before: every one is a bug, also where
/// it cost no more than a request.
pub(crate) fn count_panics() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let (counter, say) = (panics.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        counter.fetch_add(1, Ordering::Relaxed);
        say(panic);
    }));
    panics
}

/// Lines on their way. Cheap to clone.
#[derive(Clone, Default)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    dropped: u64,
    is_closed: bool,
}

impl Write for &Lines {
    /// Takes a line, whole or not at all.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.waiting.lock();
        if waiting.bytes.len() + line.len() > WAITING {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        let is_first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.0.arrived.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Writes out what waits when dropped.
pub(crate) struct LogGuard {
    lines: Lines,
    writer: Option<JoinHandle<()>>,
}

impl LogGuard {
    fn start(lines: Lines, to: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = lines.0.clone();
        let writer = std::thread::Builder::new().name("spaceport-log".into()).spawn(move || write_out(&shared, to))?;
        Ok(Self { lines, writer: Some(writer) })
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.lines.0.waiting.lock().is_closed = true;
        self.lines.0.arrived.notify_one();
        if let Some(writer) = self.writer.take() {
            // It has said its last word, whatever became of it.
            let _ = writer.join();
        }
    }
}

fn write_out(shared: &Shared, mut to: impl Write) {
    let mut batch = Vec::new();
    loop {
        let mut waiting = shared.waiting.lock();
        while waiting.bytes.is_empty() && !waiting.is_closed {
            shared.arrived.wait(&mut waiting);
        }
        if !waiting.is_closed {
            let gathered = |waiting: &mut Waiting| !waiting.is_closed && waiting.bytes.len() < WAITING / 2;
            shared.arrived.wait_while_for(&mut waiting, gathered, GATHER);
        }
        let (dropped, is_closed) = (std::mem::take(&mut waiting.dropped), waiting.is_closed);
        std::mem::swap(&mut waiting.bytes, &mut batch);
        drop(waiting);
        // Nobody may be listening any more; the host goes on without.
        let _ = to.write_all(&batch);
        if dropped > 0 {
            let _ = writeln!(to, r#"{{"level":"WARN","message":"log lines were dropped","lines":{dropped}}}"#);
        }
        batch.clear();
        if is_closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Passes on what is written; stands still until somebody takes it.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_that_is_caught_counts() {
        let panics = count_panics();
        assert!(std::thread::spawn(|| panic!("counted")).join().is_err());
        assert!(panics.load(Ordering::Relaxed) >= 1);
    }

    #[test]
    fn what_waits_is_written_when_logging_ends() {
        let (out, written) = mpsc::sync_channel(16);
        let lines = Lines::default();
        let guard = LogGuard::start(lines.clone(), Slow(out)).unwrap();
        (&lines).write_all(b"one\n").unwrap();
        (&lines).write_all(b"two\n").unwrap();
        drop(guard);
        assert_eq!(written.iter().collect::<Vec<_>>().concat(), b"one\ntwo\n");
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_holds_nobody_up() {
        let (out, written) = mpsc::sync_channel(0);
        let lines = Lines::default();
        let guard = LogGuard::start(lines.clone(), Slow(out)).unwrap();
        let line = vec![b'x'; 1 << 20];
        (0..3 * WAITING / line.len()).for_each(|_| (&lines).write_all(&line).unwrap());
        let reader = std::thread::spawn(move || written.iter().collect::<Vec<_>>().concat());
        drop(guard);
        let text = reader.join().unwrap();
        assert!(text.len() <= 2 * WAITING + 200, "{}", text.len());
        assert!(String::from_utf8_lossy(&text).contains("log lines were dropped"));
    }

    #[test]
    fn a_reader_that_is_gone_changes_nothing() {
        let (out, written) = mpsc::sync_channel(0);
        drop(written);
        let lines = Lines::default();
        let guard = LogGuard::start(lines.clone(), Slow(out)).unwrap();
        (0..100).for_each(|_| (&lines).write_all(b"line\n").unwrap());
        drop(guard);
    }
}
