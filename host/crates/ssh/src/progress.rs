//! How far a connection is, for whoever watches over it.

use std::sync::Arc;

use tokio::sync::watch;

/// What the two sides of a connection share.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    state: Arc<watch::Sender<State>>,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Somebody has signed in.
    pub(crate) is_known: bool,
    /// Commands that run.
    pub(crate) running: usize,
}

/// A command that runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running(Progress);

impl Progress {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }

    /// Somebody has signed in.
    pub(crate) fn known(&self) {
        self.state.send_modify(|state| state.is_known = true);
    }

    /// A command begins.
    pub(crate) fn run(&self) -> Running {
        self.state.send_modify(|state| state.running += 1);
        Running(self.clone())
    }

    /// Waits until this holds.
    pub(crate) async fn until(&self, holds: impl FnMut(&State) -> bool) {
        // The sender lives as long as this does.
        let _ = self.state.subscribe().wait_for(holds).await;
    }

    /// Whether nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.borrow().running == 0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.running -= 1);
    }
}
