//! What a Space uses, told every second for as long as somebody listens.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use serde_json::{Value, json};
use spaceport_control::metrics::LATENCY_BOUNDS_MS;
use spaceport_control::sampler::Minute;
use spaceport_control::service::UsageView;
use spaceport_core::permission::Action;
use tokio::time::{Instant, sleep_until};

use super::time::iso;
use super::told_to;
use crate::auth::{Caller, Listener};
use crate::error::{ApiError, ApiResult};
use crate::extract::{QueryPairs, SpaceAt};
use crate::router::AppState;
use crate::sse::event_stream;

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(1);
/// Minutes that are kept.
const MOST_MINUTES: u64 = 24 * 60;
const MICROS_PER_MILLI: f64 = 1000.0;
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

/// What a Space did in one minute.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MinuteJson {
    at: String,
    requests: u64,
    failed: u64,
    cache_hits: u64,
    sent_bytes: u64,
    /// Time to the head of an answer: what half of them took at most.
    latency_p50_ms: u64,
    /// What 99 of 100 took at most.
    latency_p99_ms: u64,
    cpu_ms: f64,
    fuel: u64,
    memory_bytes: u64,
    instances: u64,
    cold_starts: u64,
    /// What those took together.
    cold_start_ms: f64,
}

/// What a Space did by the minute: of the last `minutes`, the oldest first.
pub(crate) async fn history(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let minutes = match query.get("minutes").map(str::parse::<u64>) {
        None => MOST_MINUTES,
        Some(Ok(minutes)) if (1..=MOST_MINUTES).contains(&minutes) => minutes,
        Some(_) => return Err(ApiError::bad_request(format!("minutes is a number from 1 to {MOST_MINUTES}"))),
    };
    let last = Duration::from_secs(minutes * 60);
    let found = app.control.minutes(&actor, &path, last).map_err(told_to(&actor))?;
    let items: Vec<MinuteJson> = found.iter().map(minute_json).collect();
    Ok(Json(json!({ "items": items, "next": null })))
}

fn minute_json(minute: &Minute) -> MinuteJson {
    let bucket = &minute.bucket;
    MinuteJson {
        at: iso(minute.at),
        requests: bucket.requests,
        failed: bucket.faults,
        cache_hits: bucket.cache_hits,
        sent_bytes: bucket.response_bytes,
        latency_p50_ms: latency_at(&bucket.latency, 0.5),
        latency_p99_ms: latency_at(&bucket.latency, 0.99),
        cpu_ms: bucket.cpu_us as f64 / MICROS_PER_MILLI,
        fuel: bucket.fuel,
        memory_bytes: bucket.memory_bytes,
        instances: bucket.instances,
        cold_starts: bucket.cold_starts,
        cold_start_ms: bucket.cold_start_us as f64 / MICROS_PER_MILLI,
    }
}

/// The bound, in milliseconds, under which a part of the counted requests lies. Those over the last are told by it.
fn latency_at(counts: &[u64], part: f64) -> u64 {
    let wanted = (counts.iter().sum::<u64>() as f64 * part).ceil();
    let mut seen = 0;
    for (count, bound) in counts.iter().zip(LATENCY_BOUNDS_MS) {
        seen += count;
        if seen > 0 && seen as f64 >= wanted {
            return bound;
        }
    }
    if wanted > 0.0 { LATENCY_BOUNDS_MS.last().copied().unwrap_or_default() } else { 0 }
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
    fn latency_is_told_by_the_bound_of_its_bucket() {
        assert_eq!(latency_at(&[], 0.5), 0);
        assert_eq!(latency_at(&[0; 11], 0.99), 0);
        let counts = [50, 0, 49, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!((latency_at(&counts, 0.5), latency_at(&counts, 0.99), latency_at(&counts, 1.0)), (1, 5, 30_000));
    }

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
