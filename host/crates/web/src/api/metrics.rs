//! What a Space uses, told every second for as long as somebody listens.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use spaceport_control::service::UsageView;
use spaceport_core::permission::Action;
use tokio::time::{Instant, sleep_until};

use super::told_to;
use crate::auth::Listener;
use crate::error::ApiResult;
use crate::extract::SpaceAt;
use crate::router::AppState;
use crate::sse::event_stream;

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(1);
/// Thousandths of a vCPU in one.
const MILLICORES: f64 = 1000.0;

/// One reading, with the names that clients of the Hub read.
#[derive(Serialize)]
struct Reading {
    /// CPU time since the reading before, as a part of what the hardware has.
    cpu_usage_pct: f64,
    cpu_millicores: u64,
    memory_used_bytes: u64,
    memory_total_bytes: u64,
    /// Bytes of body sent to visitors in a second.
    tx_bps: u64,
    instances: u64,
    replica: &'static str,
}

/// Resource metrics of a Space.
pub(crate) async fn metrics(
    State(app): State<AppState>,
    listener: Listener,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    let actor = listener.actor.clone();
    let space = app.control.space(&actor, &path, Action::SeeSettings).map_err(told_to(&actor))?.id;
    let first = app.control.usage(&actor, &path).map_err(told_to(&actor))?;
    let control = app.control.clone();
    // The first reading comes at once, with nothing used since one before it.
    let start = (first, Instant::now(), true);
    let readings = stream::unfold(start, move |(before, at, is_first)| {
        let (control, actor, path) = (control.clone(), actor.clone(), path.clone());
        async move {
            if is_first {
                return Some((reading(&before, &before), (before, at, false)));
            }
            let next = at + INTERVAL;
            sleep_until(next).await;
            // Ends when the Space is gone, or no longer to be looked into.
            let now = control.usage(&actor, &path).ok()?;
            Some((reading(&before, &now), (now, next, false)))
        }
    });
    Ok(event_stream(move || listener.may(&app, Action::SeeSettings, space), readings))
}

fn reading(before: &UsageView, now: &UsageView) -> Reading {
    let cpu = now.usage.cpu.saturating_sub(before.usage.cpu).as_secs_f64();
    let most = now.vcpu * INTERVAL.as_secs_f64();
    Reading {
        cpu_usage_pct: if most > 0.0 { (cpu / most * 10_000.0).round() / 100.0 } else { 0.0 },
        cpu_millicores: (now.vcpu * MILLICORES) as u64,
        memory_used_bytes: now.usage.memory_bytes,
        memory_total_bytes: now.memory,
        tx_bps: now.sent_bytes.saturating_sub(before.sent_bytes),
        instances: now.usage.instances,
        replica: "0",
    }
}

#[cfg(test)]
mod tests {
    use spaceport_control::ports::Usage;

    use super::*;

    #[test]
    fn usage_is_told_as_a_part_of_what_there_is() {
        let view = |millis, sent_bytes| UsageView {
            usage: Usage { cpu: Duration::from_millis(millis), memory_bytes: 7, instances: 1, ..Usage::default() },
            sent_bytes,
            vcpu: 2.0,
            memory: 16_000_000_000,
        };
        let told = reading(&view(100, 10), &view(600, 30));
        assert_eq!((told.cpu_usage_pct, told.cpu_millicores, told.tx_bps), (25.0, 2000, 20));
        assert_eq!((told.memory_used_bytes, told.memory_total_bytes), (7, 16_000_000_000));
        // Counters that began anew.
        assert_eq!(reading(&view(600, 30), &view(0, 0)).tx_bps, 0);
    }
}
