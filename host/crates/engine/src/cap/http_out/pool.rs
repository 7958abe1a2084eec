//! Connections that a Space has finished with and may use again.
//!
//! There is one pool for each Space and policy, so a connection made for one tenant, or under rules that have changed
//! since, can never carry a request of another.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::connect::Connection;
use super::limits::EgressLimits;
use super::target::Target;

/// The unused connections of one Space.
pub(super) struct Pool {
    idle_for: Duration,
    per_origin: usize,
    total: usize,
    state: Mutex<State>,
    this: Weak<Self>,
}

#[derive(Default)]
struct State {
    /// Oldest first; so few that they are searched.
    idle: Vec<Idle>,
    sweeper: Option<AbortHandle>,
}

struct Idle {
    target: Target,
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(limits: &EgressLimits) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            idle_for: limits.pool_idle,
            per_origin: limits.pool_per_origin,
            total: limits.pool_per_space,
            state: Mutex::default(),
            this: this.clone(),
        })
    }

    /// A connection to the target that is ready for a request.
    pub(super) fn take(&self, target: &Target) -> Option<Connection> {
        let mut state = self.state.lock();
        loop {
            let newest = state.idle.iter().rposition(|idle| idle.target == *target)?;
            let mut idle = state.idle.remove(newest);
            // A request body that is still on its way keeps it from being ready, and so does a server that closed it.
            let ready = matches!(idle.connection.sender.ready().now_or_never(), Some(Ok(())));
            if ready && idle.since.elapsed() < self.idle_for {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection whose response was read to its end.
    pub(super) fn put(&self, target: Target, connection: Connection) {
        if connection.sender.is_closed() || self.total == 0 || self.per_origin == 0 {
            return;
        }
        let mut state = self.state.lock();
        let same = state.idle.iter().filter(|idle| idle.target == target).count();
        let surplus = match same >= self.per_origin {
            true => state.idle.iter().position(|idle| idle.target == target),
            false => (state.idle.len() >= self.total).then_some(0),
        };
        if let Some(oldest) = surplus {
            state.idle.remove(oldest);
        }
        state.idle.push(Idle { target, connection, since: Instant::now() });
        if state.sweeper.is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            state.sweeper = Some(runtime.spawn(sweep(self.this.clone(), self.idle_for)).abort_handle());
        }
    }

    /// Whether the other sides of all that are kept have closed.
    #[cfg(test)]
    pub(super) fn is_dead(&self) -> bool {
        self.state.lock().idle.iter().all(|idle| idle.connection.sender.is_closed())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state.lock().idle.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(sweeper) = self.state.get_mut().sweeper.take() {
            sweeper.abort();
        }
    }
}

/// Closes what nobody came back for, and ends when nothing is left.
async fn sweep(pool: Weak<Pool>, idle_for: Duration) {
    loop {
        sleep(idle_for).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.state.lock();
        state.idle.retain(|idle| idle.since.elapsed() < idle_for && !idle.connection.sender.is_closed());
        if state.idle.is_empty() {
            state.sweeper = None;
            return;
        }
    }
}
