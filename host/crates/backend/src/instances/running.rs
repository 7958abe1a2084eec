//! One instance that somebody stands for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_backend_protocol::{InstanceId, Stats};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::bookmark::Bookmark;
use super::claim::{Claim, Guard};
use super::{Inner, ready};
use crate::protocol::InstanceState;

/// Pause before a log that broke off is read on.
const LOG_PAUSE: Duration = Duration::from_millis(500);
/// How long the last lines of an instance that has ended may take to be read.
const LAST_LINES: Duration = Duration::from_secs(2);

/// An instance that runs, or ran a moment ago. Dropping it ends it.
pub struct Running {
    address: SocketAddr,
    was_running: bool,
    guard: tokio::sync::Mutex<Guard>,
    claim: Arc<Claim>,
    /// Reads its log.
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// `known` is how far the log of an instance that was found running has been read before.
    pub(super) fn begin(guard: Guard, address: SocketAddr, known: Option<Bookmark>) -> Self {
        let was_running = known.is_some();
        let claim = guard.get().clone();
        claim.is_started.store(true, Ordering::Release);
        let follower = follow(guard.inner().clone(), guard.id().clone(), claim.clone(), known.unwrap_or_default());
        Self {
            address,
            was_running,
            reader: Mutex::new(Some(tokio::spawn(follower))),
            guard: tokio::sync::Mutex::new(guard),
            claim,
        }
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it was found running.
    pub fn was_running(&self) -> bool {
        self.was_running
    }

    /// Waits until it answers; why it ended instead.
    pub async fn ready(&self) -> Result<(), String> {
        let reason = tokio::select! {
            biased;
            reason = self.claim.ended() => reason,
            () = ready::answers(self.address) => return Ok(()),
        };
        self.read_on().await;
        Err(reason)
    }

    /// Why it has ended, if that is known.
    pub fn ended(&self) -> Option<String> {
        self.claim.end_so_far()
    }

    /// What it has used, as was heard last.
    pub fn stats(&self) -> Stats {
        let now = *self.claim.stats.lock();
        // What it had used before it was taken over has been counted.
        let before = if self.was_running { self.claim.first_stats.get().map_or(0, |first| first.cpu_us) } else { 0 };
        Stats { cpu_us: now.cpu_us.saturating_sub(before), ..now }
    }

    /// Ends it: it is given `grace` to end by itself. Nothing of it is left, but for what it wrote, which has been passed on.
    pub async fn stop(&self, grace: Duration) {
        self.claim.is_stopping.store(true, Ordering::Release);
        let mut guard = self.guard.lock().await;
        if let Some(up) = guard.inner().up_now() {
            let reason = match up.client.stop(guard.id(), grace).await {
                Ok(instance) => match instance.state {
                    InstanceState::Exited { reason, .. } => reason.to_string(),
                    InstanceState::Running { .. } => "it was stopped".to_owned(),
                },
                Err(error) => error.to_string(),
            };
            if let Ok(stats) = up.client.stats(guard.id()).await {
                *self.claim.stats.lock() = stats;
            }
            self.claim.end(reason);
            self.read_on().await;
        }
        guard.remove().await;
    }

    /// Waits until the last line of an instance that has ended is passed on.
    async fn read_on(&self) {
        let reader = self.reader.lock().take();
        if let Some(reader) = reader {
            let _ = timeout(LAST_LINES * 2, reader).await;
        }
    }

    /// Lets it run on without this process, for the next to take over.
    pub async fn leave(&self) {
        self.claim.is_stopping.store(true, Ordering::Release);
        self.guard.lock().await.keep();
        if let Some(reader) = self.reader.lock().take() {
            reader.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.lock().take() {
            reader.abort();
        }
    }
}

/// Passes on what an instance writes until it has ended, then says that.
async fn follow(inner: Arc<Inner>, id: InstanceId, claim: Arc<Claim>, mut mark: Bookmark) {
    let reason = loop {
        read(&inner, &id, &claim, &mut mark).await;
        // Its log has ended, and so perhaps has it.
        inner.look.notify_one();
        tokio::select! {
            biased;
            reason = claim.ended() => break reason,
            () = sleep(LOG_PAUSE) => {}
        }
    };
    if !claim.is_stopping.load(Ordering::Acquire) {
        claim.witness.ended(reason);
    }
}

/// Reads a log to its end, or for as long as the backend lets it; lines that were passed on before are skipped.
async fn read(inner: &Inner, id: &InstanceId, claim: &Claim, mark: &mut Bookmark) {
    let Some(up) = inner.up_now() else { return };
    let late = async {
        claim.ended().await;
        sleep(LAST_LINES).await;
    };
    let lines = async {
        let Ok(mut lines) = up.client.logs(id).await else { return };
        let mut reading = mark.begin();
        while let Ok(Some(line)) = lines.next().await {
            if reading.is_new(&line, mark) {
                claim.witness.wrote(&line);
            }
        }
    };
    tokio::select! {
        biased;
        () = lines => {}
        () = late => {}
    }
}
