//! Waking: from a request for a sleeping Space to the route that answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Build, Desired, Serving};
use spaceport_core::stage::Stage;

use super::{FleetView, Shared};
use crate::routes::{RouteEntry, RouteTarget};
use crate::supervisor::member::{Input, Member};

/// Requests that may wait for one Space: each holds a connection, and an app that wakes up to more is not helped.
const MAX_WAITERS: usize = 256;

/// Why a sleeping Space did not wake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WakeError {
    /// Its owner has paused it.
    #[error("the Space is paused by its owner")]
    Paused,
    /// Its first revision is being built.
    #[error("the Space is being built")]
    Building,
    /// It has nothing that could run, or that did not start.
    #[error("the Space cannot run{}", message.as_deref().map(|message| format!(": {message}")).unwrap_or_default())]
    Failed {
        /// The stage.
        stage: Stage,
        /// Why, in a sentence that visitors may read.
        message: Option<String>,
        /// When it is tried again, if it is.
        retry_after: Option<Duration>,
    },
    /// It waits for what another Space has.
    #[error("{0}")]
    Waits(String),
    /// Too many requests wait for it already.
    #[error("too many requests wait for the Space")]
    Busy,
    /// It did not start in time.
    #[error("the Space did not start in time")]
    Timeout,
    /// There is no such Space, or not any more.
    #[error("the Space does not exist")]
    Gone,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

impl WakeError {
    /// What the Space is instead of awake; `None` where another attempt may do better.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Paused => Some(Stage::Paused),
            Self::Building => Some(Stage::Building),
            Self::Failed { stage, .. } => Some(*stage),
            Self::Gone => Some(Stage::Deleting),
            Self::Waits(_) | Self::Busy | Self::Timeout | Self::Stopping => None,
        }
    }
}

/// Wakes a Space, or says why not.
pub(super) async fn wake(shared: &Arc<Shared>, space: SpaceId) -> Result<Arc<RouteEntry>, WakeError> {
    let member = shared.member(space).ok_or(WakeError::Gone)?;
    if let Some(entry) = live(&member) {
        return Ok(entry);
    }
    let _waiter = Waiter::enter(&member).ok_or(WakeError::Busy)?;
    let deadline = tokio::time::sleep(shared.config.limits.cold_start);
    tokio::select! {
        biased;
        woken = wait(shared, &member) => woken,
        () = shared.closing.cancelled() => Err(WakeError::Stopping),
        () = deadline => Err(WakeError::Timeout),
    }
}

async fn wait(shared: &Arc<Shared>, member: &Arc<Member>) -> Result<Arc<RouteEntry>, WakeError> {
    let mut views = member.view.subscribe();
    loop {
        {
            let view = views.borrow_and_update();
            if let Some(refusal) = refusal(&view, shared) {
                return Err(refusal);
            }
            let is_asleep = matches!(view.state.serving, Serving::Asleep { .. });
            if is_asleep && !member.is_visited.swap(true, Ordering::AcqRel) {
                member.post(shared, Input::Visited);
            }
        }
        // The route is published before the view.
        if let Some(entry) = live(member) {
            return Ok(entry);
        }
        views.changed().await.map_err(|_| WakeError::Gone)?;
    }
}

fn live(member: &Member) -> Option<Arc<RouteEntry>> {
    let entry = member.slot.entry.load_full();
    matches!(entry.target, RouteTarget::Live { .. }).then_some(entry)
}

/// Why it is no use to wait.
fn refusal(view: &FleetView, shared: &Shared) -> Option<WakeError> {
    match (view.state.desired, &view.state.serving) {
        (Desired::Deleted, _) => Some(WakeError::Gone),
        (Desired::Paused, _) => Some(WakeError::Paused),
        (Desired::Run, Serving::Starting { .. }) => view.waits_for.clone().map(WakeError::Waits),
        (Desired::Run, Serving::Asleep { .. } | Serving::Live { .. }) => None,
        (Desired::Run, Serving::Nothing) if matches!(view.state.build, Build::Running { .. }) => {
            Some(WakeError::Building)
        }
        (Desired::Run, Serving::Nothing | Serving::Failed { .. }) => {
            let retry_at = match view.state.serving {
                Serving::Failed { retry_at, .. } => retry_at,
                _ => None,
            };
            Some(WakeError::Failed {
                stage: view.stage,
                message: view.state.error_message().map(str::to_owned),
                retry_after: retry_at.map(|at| Duration::from_millis(at.saturating_sub(shared.clock.now()))),
            })
        }
    }
}

/// A request that waits.
struct Waiter<'a>(&'a Member);

impl<'a> Waiter<'a> {
    fn enter(member: &'a Member) -> Option<Self> {
        let waiter = Self(member);
        let before = member.waiters.fetch_add(1, Ordering::Relaxed);
        (before < MAX_WAITERS).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
