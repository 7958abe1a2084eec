//! The one thread that takes logs to disk, one log after the other, so that none can keep the others waiting for longer
//! than one buffer takes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::log::Log;

/// How long half a line, or a count of dropped lines, waits for more before it is stored as it is.
const LINGER: Duration = Duration::from_millis(500);

/// The writer thread, and what waits for it.
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    logs: VecDeque<Arc<Log>>,
    is_closed: bool,
}

/// What the thread does next.
enum Next {
    Write(Arc<Log>),
    /// The time of the oldest log that lingers has come.
    Linger,
    End,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let theirs = queue.clone();
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(move || run(&theirs))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Puts a log at the end of the queue. The caller sees to it that it is there once.
    pub(super) fn submit(&self, log: Arc<Log>) {
        self.queue.waiting.lock().logs.push_back(log);
        self.queue.changed.notify_one();
    }

    /// Writes what waits and ends the thread.
    pub(super) fn close(&self) {
        self.queue.waiting.lock().is_closed = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // It ends by itself; if it has panicked, that was said then.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    /// Waits for a log, but not longer than until the oldest lingering one is due.
    fn next(&self, due: Option<Instant>) -> Next {
        let mut waiting = self.waiting.lock();
        loop {
            if due.is_some_and(|due| due <= Instant::now()) {
                return Next::Linger;
            }
            if let Some(log) = waiting.logs.pop_front() {
                return Next::Write(log);
            }
            match due {
                _ if waiting.is_closed => return Next::End,
                Some(due) => drop(self.changed.wait_until(&mut waiting, due)),
                None => self.changed.wait(&mut waiting),
            }
        }
    }
}

fn run(queue: &Queue) {
    // All linger equally long, so the oldest is the first.
    let mut lingering: VecDeque<(Instant, Arc<Log>)> = VecDeque::new();
    loop {
        match queue.next(lingering.front().map(|(due, _)| *due)) {
            Next::Write(log) => {
                if log.write_out(false) && !log.is_lingering.swap(true, Ordering::Relaxed) {
                    lingering.push_back((Instant::now() + LINGER, log));
                }
            }
            Next::Linger => {
                if let Some((_, log)) = lingering.pop_front() {
                    log.is_lingering.store(false, Ordering::Relaxed);
                    log.write_out(true);
                }
            }
            Next::End => break,
        }
    }
    for (_, log) in lingering {
        log.write_out(true);
    }
}
