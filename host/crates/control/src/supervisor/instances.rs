//! The instances of a Space: what is launched, what runs, what it has used, and its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use spaceport_core::lifecycle::InstanceId;
use spaceport_core::manifest::Manifest;
use spaceport_core::revision::Oid;
use tokio_util::sync::CancellationToken;

use super::Supervisor;
use super::member::Input;
use crate::ports::{Mount, Upstream, Usage};

/// How long an instance that nothing leads to any more is left alone: a request that has just read the old route must
/// still find it.
const LINGER: Duration = Duration::from_millis(100);

/// A launch under way.
pub(super) struct Launching {
    pub(super) id: InstanceId,
    pub(super) revision: Oid,
    pub(super) stop: CancellationToken,
    /// What it waits for that another Space has, in a sentence.
    pub(super) waits_for: Option<String>,
}

/// A running release.
pub(crate) struct Instance {
    pub(super) id: InstanceId,
    /// Whose checkout it sees.
    pub(super) revision: Oid,
    pub(super) manifest: Arc<Manifest>,
    pub(super) upstream: Arc<dyn Upstream>,
    pub(super) app: Mount,
    pub(super) has_data: bool,
    /// The flavor it was launched on.
    pub(super) hardware: String,
    pub(super) generation: u64,
}

/// What a Space has used since the host started.
#[derive(Default)]
pub(crate) struct Meter {
    /// Of instances that are gone.
    past: Usage,
    running: Vec<(InstanceId, Arc<dyn Upstream>)>,
}

impl Meter {
    /// Everything together; the gauges of what runs now.
    pub(crate) fn total(&self) -> Usage {
        self.running.iter().fold(self.past, |sum, (_, upstream)| add(sum, upstream.usage()))
    }

    pub(super) fn begin(&mut self, id: InstanceId, upstream: Arc<dyn Upstream>) {
        self.running.push((id, upstream));
    }

    pub(super) fn end(&mut self, ended: InstanceId) {
        if let Some(index) = self.running.iter().position(|(id, _)| *id == ended) {
            let (_, upstream) = self.running.swap_remove(index);
            // Its gauges go with it.
            self.past = Usage { memory_bytes: 0, instances: 0, ..add(self.past, upstream.usage()) };
        }
    }
}

fn add(a: Usage, b: Usage) -> Usage {
    Usage {
        fuel: a.fuel.saturating_add(b.fuel),
        cpu: a.cpu.saturating_add(b.cpu),
        memory_bytes: a.memory_bytes.saturating_add(b.memory_bytes),
        instances: a.instances.saturating_add(b.instances),
        cold_starts: a.cold_starts.saturating_add(b.cold_starts),
        cold_start_time: a.cold_start_time.saturating_add(b.cold_start_time),
    }
}

impl Supervisor<'_> {
    /// Takes in a running instance.
    pub(super) fn take_in(&mut self, instance: Instance) {
        self.member.meter.lock().begin(instance.id, instance.upstream.clone());
        self.own.instances.push(instance);
    }

    /// Stops an instance, running or being launched; its requests in flight may end.
    pub(super) fn stop(&mut self, stopped: InstanceId, grace: Duration) {
        if let Some(index) = self.own.launching.iter().position(|launching| launching.id == stopped) {
            self.own.launching.swap_remove(index).stop.cancel();
        }
        if let Some(index) = self.own.instances.iter().position(|instance| instance.id == stopped) {
            let instance = self.own.instances.swap_remove(index);
            let upstream = instance.upstream.clone();
            self.drain(instance, LINGER, Box::pin(async move { upstream.stop(grace).await }));
        }
    }

    /// Lets everything go because the host stops. The state stays as it is, so that the next start brings it back.
    pub(super) fn stop_for_shutdown(&mut self, grace: Duration) {
        self.own.launching.clear();
        for instance in std::mem::take(&mut self.own.instances) {
            let left = instance.upstream.leave(grace);
            self.drain(instance, Duration::ZERO, left);
        }
    }

    /// Lets an instance go that is ended by `stop`.
    fn drain(&mut self, instance: Instance, linger: Duration, stop: BoxFuture<'static, ()>) {
        self.own.stopping += 1;
        let (shared, member) = (self.shared.clone(), self.member.clone());
        self.shared.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(linger) => {}
                () = shared.closing.cancelled() => {}
            }
            stop.await;
            member.meter.lock().end(instance.id);
            shared.checkouts.remove_tmp(member.space, instance.id).await;
            member.post(&shared, Input::Stopped);
        });
    }
}
