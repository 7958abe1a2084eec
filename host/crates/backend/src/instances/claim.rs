//! That somebody of this process stands for an instance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use spaceport_backend_protocol::{InstanceId, Stats};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{Inner, Witness};

/// What is known of an instance that somebody stands for.
pub(super) struct Claim {
    pub(super) witness: Arc<dyn Witness>,
    pub(super) stats: Mutex<Stats>,
    /// The first that was heard of what it has used.
    pub(super) first_stats: OnceLock<Stats>,
    /// It was started: from now on the list must have it.
    pub(super) is_started: AtomicBool,
    /// Its end is wanted, and nobody needs to be told.
    pub(super) is_stopping: AtomicBool,
    ended: watch::Sender<Option<String>>,
}

impl Claim {
    /// It has ended. The first reason stays.
    pub(super) fn end(&self, reason: String) {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            if is_first {
                *ended = Some(reason);
            }
            is_first
        });
    }

    /// Why it has ended, if it has.
    pub(super) fn end_so_far(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits for its end; why it ended.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        // The sender is this claim's own.
        let reason = ended.wait_for(Option::is_some).await.map(|reason| reason.clone());
        reason.ok().flatten().unwrap_or_default()
    }
}

/// Holds a claim. Dropped, the instance is removed.
pub(super) struct Guard {
    inner: Arc<Inner>,
    id: InstanceId,
    claim: Arc<Claim>,
    rest: Rest,
}

/// What becomes of the instance when its claim ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// It is removed.
    Remove,
    /// It runs on. The claim stays: it is no stray of this process.
    Keep,
    /// It is gone already, or as far as it can be.
    Gone,
}

impl Guard {
    /// Claims an instance, unless somebody has.
    pub(super) fn claim(inner: &Arc<Inner>, id: InstanceId, witness: Arc<dyn Witness>) -> Option<Self> {
        let claim = Arc::new(Claim {
            witness,
            stats: Mutex::default(),
            first_stats: OnceLock::new(),
            is_started: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            ended: watch::Sender::new(None),
        });
        let mut claims = inner.claims.lock();
        if claims.contains_key(&id) {
            return None;
        }
        claims.insert(id.clone(), claim.clone());
        Some(Self { inner: inner.clone(), id, claim, rest: Rest::Remove })
    }

    pub(super) fn id(&self) -> &InstanceId {
        &self.id
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(super) fn get(&self) -> &Arc<Claim> {
        &self.claim
    }

    /// The instance goes on running when this is dropped.
    pub(super) fn keep(&mut self) {
        self.rest = Rest::Keep;
    }

    /// The instance is removed now; the claim ends after that.
    pub(super) async fn remove(&mut self) {
        self.inner.remove(&self.id).await;
        self.rest = Rest::Gone;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.claim.is_stopping.store(true, Ordering::Release);
        let (inner, id) = (self.inner.clone(), self.id.clone());
        let forget = move |inner: &Inner, id: &InstanceId| drop(inner.claims.lock().remove(id));
        match (self.rest, Handle::try_current()) {
            (Rest::Keep, _) => {}
            (Rest::Remove, Ok(runtime)) => drop(runtime.spawn(async move {
                inner.remove(&id).await;
                forget(&inner, &id);
            })),
            // Without a runtime the process is at its end, and the next finds what is left.
            (Rest::Gone, _) | (Rest::Remove, Err(_)) => forget(&inner, &id),
        }
    }
}
