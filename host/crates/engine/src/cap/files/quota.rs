//! How much of a mount is accounted for, and who may add to it.
//!
//! Every operation that could make the mount larger holds a [`Permit`] while it runs and charges it beforehand with the
//! most it can add. Removing gives nothing back: the account is only ever lowered by measuring, which walks the tree
//! while no permit is held. So the account is an upper bound at every moment, and exact after each measurement.
//!
//! A full mount is measured again only if something may have become smaller since the last time, and no more often than
//! keeps walking to a fifth of one thread's time; until then whoever needs room waits.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::measure::measure;

/// Pauses between two walks, in multiples of the time the last one took.
const PACE: u32 = 4;
/// Shortest pause between two walks.
const PAUSE: Duration = Duration::from_millis(20);
/// Opened files remembered before those that are closed again are forgotten.
const REMEMBERED: usize = 64;

/// Space taken or allowed in a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes: lengths of files, holes included, and of the targets of symbolic links.
    pub bytes: u64,
    /// Names: files, directories, links.
    pub entries: u64,
}

/// The account of one mount.
pub(super) struct Quota {
    root: PathBuf,
    /// Device and inode of the root, to know it when climbing.
    pub(super) root_id: (u64, u64),
    limit: Usage,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    used: Usage,
    permits: usize,
    exclusive: bool,
    /// Whether the account may be higher than what a measurement would find.
    stale: bool,
    /// Trees that the host is about to remove.
    removals: usize,
    walk_after: Instant,
    opened: Vec<Weak<File>>,
    forget_at: usize,
}

/// The right to make the mount larger by what was charged.
pub(super) struct Permit {
    quota: Arc<Quota>,
    charged: Usage,
    settled: bool,
}

/// The right to have the mount stand still. Nobody holds a permit beside it.
pub(super) struct Exclusive {
    quota: Arc<Quota>,
}

/// A tree that is being removed.
pub(super) struct Removal {
    quota: Arc<Quota>,
}

impl Usage {
    /// Bytes in entries that exist.
    pub(super) fn bytes(bytes: u64) -> Self {
        Self { bytes, entries: 0 }
    }

    /// A new name, and what it holds at once.
    pub(super) fn entry(bytes: u64) -> Self {
        Self { bytes, entries: 1 }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), entries: self.entries.saturating_add(other.entries) }
    }

    fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), entries: self.entries.saturating_sub(other.entries) }
    }

    fn fits(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.entries <= limit.entries
    }
}

impl Quota {
    /// The account of a directory, measured now.
    pub(super) fn open(root: &Path, limit: Usage) -> io::Result<Arc<Self>> {
        let metadata = std::fs::metadata(root)?;
        let state = State {
            used: measure(root)?,
            permits: 0,
            exclusive: false,
            stale: false,
            removals: 0,
            walk_after: Instant::now(),
            opened: Vec::new(),
            forget_at: REMEMBERED,
        };
        Ok(Arc::new(Self {
            root: root.to_owned(),
            root_id: (metadata.dev(), metadata.ino()),
            limit,
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }

    pub(super) fn used(&self) -> Usage {
        self.state.lock().used
    }

    /// Something became smaller or went away: a measurement would find more room than the account says.
    pub(super) fn freed(&self) {
        self.state.lock().stale = true;
    }

    fn is_stale(&self) -> bool {
        self.state.lock().stale
    }

    /// Remembers an open file: removed while open it still takes its space, where no walk can find it.
    pub(super) fn opened(&self, file: &Arc<File>) {
        let mut state = self.state.lock();
        if state.opened.len() >= state.forget_at {
            state.opened.retain(|file| file.strong_count() > 0);
            state.forget_at = REMEMBERED.max(state.opened.len() * 2);
        }
        state.opened.push(Arc::downgrade(file));
    }

    /// A permit with nothing charged yet; none while the mount has to stand still.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state.lock();
        if state.exclusive {
            return None;
        }
        state.permits += 1;
        // Two at a time may both pay for what only one of them adds.
        state.stale |= state.permits > 1;
        Some(Permit { quota: self.clone(), charged: Usage::default(), settled: false })
    }

    /// A permit charged with this much, after making room if need be.
    pub(super) async fn enter(self: &Arc<Self>, charge: Usage) -> io::Result<Permit> {
        loop {
            match self.try_enter() {
                None => self.moving().await,
                Some(mut permit) => match permit.charge(charge) {
                    true => return Ok(permit),
                    false => {
                        permit.refund(Usage::default());
                        drop(permit);
                        self.make_room(charge).await?;
                    }
                },
            }
        }
    }

    /// Waits until there is room for this much, measuring as often as is of use.
    pub(super) async fn make_room(self: &Arc<Self>, need: Usage) -> io::Result<()> {
        let mut measured = false;
        loop {
            let (walk_after, wait) = {
                let state = self.state.lock();
                if !state.exclusive && state.used.plus(need).fits(self.limit) {
                    return Ok(());
                }
                let wait = state.exclusive || state.removals > 0;
                // Once is enough: others write meanwhile, and could make each look outdated for ever.
                if !wait && (measured || !state.stale) {
                    return Err(Errno::NOSPC.into());
                }
                (state.walk_after, wait)
            };
            if wait {
                self.until(|state| !state.exclusive && state.removals == 0).await;
                continue;
            }
            sleep_until(walk_after).await;
            let exclusive = self.exclusive().await;
            // Somebody else may have measured while this one waited.
            if self.is_stale() {
                exclusive.remeasure().await?;
                measured = true;
            }
        }
    }

    /// Has the mount stand still, as soon as those who hold permits are done.
    pub(super) async fn exclusive(self: &Arc<Self>) -> Exclusive {
        let exclusive = loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(exclusive) = self.try_exclusive() {
                break exclusive;
            }
            changed.await;
        };
        self.until(|state| state.permits == 0).await;
        exclusive
    }

    fn try_exclusive(self: &Arc<Self>) -> Option<Exclusive> {
        let mut state = self.state.lock();
        (!std::mem::replace(&mut state.exclusive, true)).then(|| Exclusive { quota: self.clone() })
    }

    /// Waits until the mount need not stand still any more.
    pub(super) async fn moving(&self) {
        self.until(|state| !state.exclusive).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if condition(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// The host is about to remove a tree: whoever needs room waits until it is gone.
    pub(super) fn removing(self: &Arc<Self>) -> Removal {
        self.state.lock().removals += 1;
        Removal { quota: self.clone() }
    }

    /// What is open and has no name any more.
    fn nameless(&self) -> Usage {
        let opened: Vec<Arc<File>> = self.state.lock().opened.iter().filter_map(Weak::upgrade).collect();
        let mut seen = HashSet::new();
        let gone = opened.iter().filter_map(|file| file.metadata().ok()).filter(|file| file.nlink() == 0);
        gone.filter(|file| seen.insert((file.dev(), file.ino())))
            .fold(Usage::default(), |sum, file| sum.plus(Usage::entry(file.len())))
    }
}

impl Exclusive {
    /// Runs a walk over the mount's tree where it may block, and paces the next one.
    pub(super) async fn walk<R: Send + 'static>(
        &self,
        walk: impl FnOnce(&Path) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let quota = self.quota.clone();
        let started = Instant::now();
        // Dropped half-way, the walk runs on: the next one waits as if it had ended here.
        self.pace(started, Duration::ZERO);
        let outcome = tokio::task::spawn_blocking(move || walk(&quota.root)).await.map_err(io::Error::other)?;
        self.pace(Instant::now(), started.elapsed());
        outcome
    }

    fn pace(&self, from: Instant, took: Duration) {
        self.quota.state.lock().walk_after = from + PAUSE.max(took.saturating_mul(PACE));
    }

    /// Sets the account to what is really there.
    async fn remeasure(&self) -> io::Result<()> {
        self.quota.state.lock().stale = false;
        let measured = self.walk(measure).await.inspect_err(|_| self.quota.freed())?;
        // After the walk: what lost its name meanwhile is counted twice rather than not at all.
        let used = measured.plus(self.quota.nameless());
        self.quota.state.lock().used = used;
        Ok(())
    }

    /// Waits until the next walk is due.
    pub(super) async fn paced(&self) {
        let due = self.quota.state.lock().walk_after;
        sleep_until(due).await;
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.quota.state.lock().exclusive = false;
        self.quota.changed.notify_waiters();
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        let mut state = self.quota.state.lock();
        state.removals -= 1;
        state.stale = true;
        drop(state);
        self.quota.changed.notify_waiters();
    }
}

impl Permit {
    /// Charges this much more, if there is room for all of it.
    pub(super) fn charge(&mut self, more: Usage) -> bool {
        let mut state = self.quota.state.lock();
        let used = state.used.plus(more);
        // Nothing more is always allowed, also in a mount whose limit was lowered.
        let allowed = more == Usage::default() || used.fits(self.quota.limit);
        if allowed {
            state.used = used;
            self.charged = self.charged.plus(more);
        }
        allowed
    }

    /// Bytes that could be charged.
    pub(super) fn room(&self) -> u64 {
        self.quota.limit.bytes.saturating_sub(self.quota.state.lock().used.bytes)
    }

    /// What was charged and not used is given back; exact, since nobody measures while a permit is held.
    pub(super) fn refund(&mut self, used: Usage) {
        let mut state = self.quota.state.lock();
        state.used = state.used.minus(self.charged.minus(used));
        self.charged = used;
        self.settled = true;
    }

    /// Gives the whole charge back.
    pub(super) fn give_back<R>(mut self, outcome: R) -> R {
        self.refund(Usage::default());
        outcome
    }

    /// Keeps the charge if the operation was done, gives it back if it failed.
    pub(super) fn settle<R, E>(mut self, outcome: Result<R, E>) -> Result<R, E> {
        match outcome.is_ok() {
            true => self.settled = true,
            false => self.refund(Usage::default()),
        }
        outcome
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.quota.state.lock();
        state.permits -= 1;
        // Given up half-way: whether it was done, the next measurement will tell.
        state.stale |= !self.settled;
        let last = state.permits == 0 && state.exclusive;
        drop(state);
        if last {
            self.quota.changed.notify_waiters();
        }
    }
}
