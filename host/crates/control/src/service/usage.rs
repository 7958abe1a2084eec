//! What a Space uses at the moment, for whoever may see its settings.

use std::time::Duration;

use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};

use super::Control;
use super::error::ServiceResult;
use super::storage::fleet_failed;
use crate::ports::Usage;
use crate::sampler::Minute;

/// What a Space uses and may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageView {
    /// What it has used since the host started, and holds now.
    pub usage: Usage,
    /// Bytes of body that it has sent since then.
    pub sent_bytes: u64,
    /// Its vCPUs.
    pub vcpu: f64,
    /// Its memory, in bytes.
    pub memory: u64,
}

impl Control {
    /// What a Space did by the minute, over the last of them; at most a day is kept.
    pub fn minutes(&self, actor: &Actor, path: &SpacePath, last: Duration) -> ServiceResult<Vec<Minute>> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        let last = Millis::try_from(last.as_millis()).unwrap_or(Millis::MAX);
        let since = self.inner.clock.now().saturating_sub(last);
        self.inner.fleet.metrics(space.id, since).map_err(fleet_failed)
    }

    /// What a Space uses now.
    pub fn usage(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<UsageView> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        let catalogue = self.catalogue();
        let row = catalogue.flavor(&space.hardware);
        Ok(UsageView {
            usage: self.inner.fleet.usage(space.id),
            sent_bytes: self.inner.fleet.request_counts(space.id).response_bytes,
            vcpu: row.map_or(0.0, |row| row.vcpu),
            memory: row.map_or(0, |row| row.memory.0),
        })
    }
}
