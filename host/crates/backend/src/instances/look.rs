//! Looks at the list again and again: who has ended, what was used, what is nobody's.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use spaceport_backend_protocol::{Instance, InstanceId, InstanceState};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::claim::Claim;
use super::label::Label;
use super::{Inner, Pace};
use crate::Up;

/// Shortest pause between two looks, however much happens.
const SHORTEST: Duration = Duration::from_millis(20);

/// What one look has to remember for the next.
struct Looks {
    /// When an instance was first seen to be nobody's.
    strays: HashMap<InstanceId, Instant>,
    asked_stats: Option<Instant>,
}

/// Looks until the instances are nobody's concern any more.
pub(super) async fn watch(inner: Weak<Inner>, look: Arc<Notify>, pace: Pace) {
    let mut looks = Looks { strays: HashMap::new(), asked_stats: None };
    loop {
        let Some(up) = inner.upgrade().map(|inner| inner.up_now()) else { return };
        if let (Some(up), Some(inner)) = (up, inner.upgrade()) {
            looks.look(&inner, &up).await;
        }
        sleep(SHORTEST).await;
        tokio::select! {
            () = look.notified() => {}
            () = sleep(pace.look_every) => {}
        }
    }
}

impl Looks {
    async fn look(&mut self, inner: &Arc<Inner>, up: &Up) {
        // Before the list is asked for: what is started after this may not be on it.
        let claims: Vec<(InstanceId, Arc<Claim>)> = {
            let claims = inner.claims.lock();
            let started = claims.iter().filter(|(_, claim)| claim.is_started.load(Ordering::Acquire));
            started.map(|(id, claim)| (id.clone(), claim.clone())).collect()
        };
        let Ok(listed) = up.client.list().await else { return };
        let listed: HashMap<InstanceId, Instance> =
            listed.instances.into_iter().map(|instance| (instance.id.clone(), instance)).collect();
        for (id, claim) in &claims {
            match listed.get(id).map(|instance| &instance.state) {
                Some(InstanceState::Running { .. }) => {}
                Some(InstanceState::Exited { reason, .. }) => claim.end(reason.to_string()),
                None => claim.end("its container is gone: it was removed by somebody else".to_owned()),
            }
        }
        self.remove_strays(inner, listed.keys()).await;
        self.ask_stats(inner, up, &claims).await;
    }

    async fn remove_strays(&mut self, inner: &Arc<Inner>, listed: impl Iterator<Item = &InstanceId>) {
        let now = Instant::now();
        let nobodys: Vec<InstanceId> =
            listed.filter(|id| Label::is_of_host(id, &inner.key) && !inner.is_claimed(id)).cloned().collect();
        self.strays.retain(|id, _| nobodys.contains(id));
        for id in nobodys {
            let since = *self.strays.entry(id.clone()).or_insert(now);
            // A claim is made before the start, so what is unclaimed now is nobody's.
            if now.duration_since(since) >= inner.pace.stray && !inner.is_claimed(&id) {
                tracing::info!(instance = %id, "an instance that is nobody's is removed");
                inner.remove(&id).await;
            }
        }
    }

    async fn ask_stats(&mut self, inner: &Inner, up: &Up, claims: &[(InstanceId, Arc<Claim>)]) {
        if self.asked_stats.is_some_and(|asked| asked.elapsed() < inner.pace.stats_every) {
            return;
        }
        self.asked_stats = Some(Instant::now());
        for (id, claim) in claims {
            if let Ok(stats) = up.client.stats(id).await {
                claim.first_stats.get_or_init(|| stats);
                *claim.stats.lock() = stats;
            }
        }
    }
}
