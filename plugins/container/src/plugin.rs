//! What every verb works with.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use spaceport_backend_protocol::InstanceId;
use tokio::sync::OwnedMutexGuard;

use crate::arguments::{Arguments, Settings};
use crate::builds::Builds;
use crate::disk::Measured;
use crate::engine::Engine;
use crate::guard::Guard;
use crate::instances::Ends;
use crate::names::Names;

/// The plugin.
pub(crate) struct Plugin {
    pub(crate) names: Names,
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    pub(crate) builds: Builds,
    pub(crate) measured: Measured,
    pub(crate) ends: Ends,
    pub(crate) guard: Guard,
    turns: Mutex<HashMap<InstanceId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Plugin {
    pub(crate) fn new(arguments: Arguments) -> Self {
        let Arguments { names, engine, settings, devices, .. } = arguments;
        Self {
            names,
            engine: Engine::new(engine),
            settings,
            builds: Builds::default(),
            measured: Measured::default(),
            ends: Ends::default(),
            guard: Guard::new(devices),
            turns: Mutex::default(),
        }
    }

    /// Waits until nobody else changes this instance. What is given back is the right to do so.
    pub(crate) async fn turn(&self, id: &InstanceId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock();
            // Nobody holds what only this map holds.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(id.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }
}
