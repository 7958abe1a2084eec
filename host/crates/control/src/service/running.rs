//! Stopping and starting Spaces, and watching them.

use std::time::Duration;

use spaceport_core::lifecycle::{Event, Serving};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied};
use spaceport_db::BuiltRelease;
use tokio::sync::watch;

use super::Control;
use super::audit::Act;
use super::error::ServiceResult;
use super::hardware::refuse_static;
use super::storage::{fleet_failed, read_failed};
use super::view::{ReleaseView, RuntimeView};
use crate::fleet::FleetView;
use crate::logs::{LogKind, LogReader};

/// Whether a restart keeps what earlier builds left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Launch the newest release again.
    Plain,
    /// Build it from scratch, too.
    Factory,
}

/// How long a call to go back waits for the release to answer: most do within milliseconds.
const ROLL_BACK_WAIT: Duration = Duration::from_secs(2);

impl Control {
    /// How a Space runs.
    pub fn runtime(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<RuntimeView> {
        let space = self.space(actor, path, Action::See)?;
        Ok(self.runtime_of(&space))
    }

    /// Stops a Space until its owner starts it again.
    pub async fn pause(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<RuntimeView> {
        let space = self.space(actor, path, Action::Write)?;
        refuse_static(self.runtime_of(&space).sdk, "Pausing")?;
        let noted = self.noted(actor, Act::on("space.pause", &space));
        self.inner.fleet.send_with(space.id, Event::PauseRequested, noted).await.map_err(fleet_failed)?;
        tracing::info!(space = %space.path, "a Space was paused");
        Ok(self.runtime_of(&space))
    }

    /// Starts a Space anew, paused or not.
    pub async fn restart(&self, actor: &Actor, path: &SpacePath, how: Restart) -> ServiceResult<RuntimeView> {
        let space = self.space(actor, path, Action::Write)?;
        let runtime = self.runtime_of(&space);
        // A static Space is always there, unless something failed that a restart may mend.
        if runtime.error_message.is_none() {
            refuse_static(runtime.sdk, "Restarting")?;
        }
        let is_factory = how == Restart::Factory;
        let noted = self.noted(actor, Act::on("space.restart", &space).with("factory", is_factory));
        self.inner.fleet.restart_with(space.id, is_factory, noted).await.map_err(fleet_failed)?;
        tracing::info!(space = %space.path, ?how, "a Space was restarted");
        Ok(self.runtime_of(&space))
    }

    /// Goes back to a release there is, without a build; what answers goes on until that one does. Waits for it a little, so
    /// that whoever asked mostly finds it answering.
    pub async fn roll_back(&self, actor: &Actor, path: &SpacePath, number: u64) -> ServiceResult<RuntimeView> {
        let space = self.space(actor, path, Action::Write)?;
        let mut changes = self.changes(actor, path)?;
        let noted = self.noted(actor, Act::on("release.roll_back", &space).with("release", number));
        self.inner.fleet.roll_back_with(space.id, number, noted).await.map_err(fleet_failed)?;
        tracing::info!(space = %space.path, release = number, "a Space goes back to a release");
        let settled = changes.wait_for(|view| !is_swapping(&view.state.serving));
        // However it goes on, the answer says how it is now.
        let _ = tokio::time::timeout(ROLL_BACK_WAIT, settled).await;
        Ok(self.runtime_of(&space))
    }

    /// A log of a Space, from its start on.
    pub fn logs(&self, actor: &Actor, path: &SpacePath, kind: LogKind) -> ServiceResult<LogReader> {
        let space = self.space(actor, path, Action::SeeSettings)?;
        Ok(self.inner.fleet.logs(space.id, kind))
    }

    /// Tells of every change of how a Space runs.
    pub fn changes(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<watch::Receiver<FleetView>> {
        let space = self.space(actor, path, Action::See)?;
        self.inner.fleet.watch(space.id).ok_or_else(|| Denied::Hidden.into())
    }

    /// What was built, newest first.
    pub fn releases(&self, actor: &Actor, path: &SpacePath) -> ServiceResult<Vec<ReleaseView>> {
        let space = self.space(actor, path, Action::See)?;
        let live = self.inner.fleet.state(space.id).and_then(|view| view.state.served_release());
        let releases = self.inner.db.releases().under(&space.id).map_err(read_failed)?;
        let view = |built: BuiltRelease| ReleaseView {
            release: built.release,
            created_at: built.created_at,
            is_live: live == Some(built.release),
        };
        Ok(releases.into_iter().rev().map(|(_, built)| view(built)).collect())
    }
}

/// Whether something is about to answer that does not yet.
fn is_swapping(serving: &Serving) -> bool {
    matches!(serving, Serving::Starting { .. } | Serving::Live { next: Some(_), .. })
}
