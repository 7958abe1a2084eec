//! How much of a mount is accounted for, and who may add to it.
//!
//! Every operation that could make the mount larger holds a [`Permit`] while it runs and charges it beforehand with the
//! most it can add. Removing gives nothing back: the account is only ever lowered by measuring, which walks the tree
//! while no permit is held. So the account is an upper bound at every moment, and exact after each measurement.
//!
//! A full mount is measured again only if something may have become smaller since the last time, and no more often than
//! keeps walking to a fifth of one thread's time; until then whoever needs room waits.

mod permit;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::measure::measure;
use super::usage::Usage;
pub(super) use permit::{Exclusive, Permit, Removal};

/// Pauses between two walks, in multiples of the time the last one took.
const PACE: u32 = 4;
/// Shortest pause between two walks.
const PAUSE: Duration = Duration::from_millis(20);
/// Opened files remembered before those that are closed again are forgotten.
const REMEMBERED: usize = 64;

type Accounts = HashMap<Id, Weak<Quota>>;

/// Device and inode of a directory.
pub(super) type Id = (u64, u64);

/// The accounts in use, by the device and inode of their directory. While a new revision of a Space takes over from the
/// old one, both write to the same directories, and two accounts of one directory would each allow all of it.
static OPEN: LazyLock<Mutex<Accounts>> = LazyLock::new(Mutex::default);

/// The account of one mount.
pub(super) struct Quota {
    root: PathBuf,
    /// Device and inode of the root, to know it when climbing.
    pub(super) root_id: Id,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    limit: Usage,
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

impl Quota {
    /// The account of a directory, measured now, or the one that is kept for it already.
    pub(super) fn open(root: &Path, limit: Usage) -> io::Result<Arc<Self>> {
        let root_id = id(root)?;
        let known = |open: &Accounts| {
            open.get(&root_id).and_then(Weak::upgrade).filter(|quota| id(&quota.root).is_ok_and(|id| id == root_id))
        };
        if let Some(quota) = known(&OPEN.lock()) {
            return Ok(quota.limited_to(limit));
        }
        let measured = Arc::new(Self::new(root, root_id, limit, measure(root)?));
        let mut open = OPEN.lock();
        if let Some(quota) = known(&open) {
            return Ok(quota.limited_to(limit));
        }
        open.retain(|_, quota| quota.strong_count() > 0);
        open.insert(root_id, Arc::downgrade(&measured));
        Ok(measured)
    }

    fn new(root: &Path, root_id: Id, limit: Usage, used: Usage) -> Self {
        let state = State {
            limit,
            used,
            permits: 0,
            exclusive: false,
            stale: false,
            removals: 0,
            walk_after: Instant::now(),
            opened: Vec::new(),
            forget_at: REMEMBERED,
        };
        Self { root: root.to_owned(), root_id, state: Mutex::new(state), changed: Notify::new() }
    }

    /// The newest word on the limit holds. The host may have put the directory in order meanwhile.
    fn limited_to(self: Arc<Self>, limit: Usage) -> Arc<Self> {
        let mut state = self.state.lock();
        state.limit = limit;
        state.stale = true;
        drop(state);
        self
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
                if !state.exclusive && state.used.plus(need).fits(state.limit) {
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

fn id(root: &Path) -> io::Result<Id> {
    let metadata = std::fs::metadata(root)?;
    Ok((metadata.dev(), metadata.ino()))
}
