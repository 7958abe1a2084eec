//! What Spaces do by the minute: the counters of the data path and of the upstreams, kept for a day.
//!
//! Counters only grow, so a minute is the difference of two readings; gauges are read more often and their peak is kept. A
//! Space that does nothing is neither read twice nor written.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::SpacePath;
use spaceport_core::stage::Stage;
use spaceport_db::{MetricsBucket, ReadError};
use tokio_util::sync::CancellationToken;

use crate::fleet::Shared;
use crate::metrics::RequestCounts;
use crate::ports::{BackendPlugin, Usage};
use crate::supervisor::member::Member;

/// Time between two readings of the gauges.
const LOOK: Duration = Duration::from_secs(5);
/// Length of a bucket.
const MINUTE: Millis = 60_000;
/// Minutes kept.
const KEPT_MINUTES: u64 = 24 * 60;
/// Minutes between two removals of old buckets.
const SWEEP_EVERY: u64 = 60;

/// What a Space did in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// When the minute began.
    pub at: Millis,
    /// What happened in it; `latency` by the bounds of [`crate::metrics::LATENCY_BOUNDS_MS`].
    pub bucket: MetricsBucket,
}

/// One Space at one moment.
#[derive(Debug, Clone)]
pub struct SpaceSnapshot {
    /// The Space.
    pub space: SpaceId,
    /// Its path.
    pub path: SpacePath,
    /// Its stage.
    pub stage: Stage,
    /// What the edge has counted since the host started.
    pub counts: RequestCounts,
    /// What its upstreams have used since then.
    pub usage: Usage,
}

/// All Spaces at one moment.
#[derive(Debug, Clone, Default)]
pub struct FleetSnapshot {
    /// Every Space.
    pub spaces: Vec<SpaceSnapshot>,
    /// Every backend that is a program of its own.
    pub backend_plugins: Vec<BackendPlugin>,
    /// Builds that wait for their turn.
    pub builds_waiting: usize,
    /// Builds under way.
    pub builds_running: usize,
    /// Lines of logs that were dropped because they came too fast.
    pub log_lines_dropped: u64,
}

/// What was read last of each Space that ever did something.
pub(crate) struct Samples {
    current: Mutex<Current>,
}

struct Current {
    /// The minute that is being counted.
    minute: u64,
    spaces: HashMap<SpaceId, Reading>,
}

/// A Space's counters at the beginning of the minute, and its peaks since.
#[derive(Default)]
struct Reading {
    counts: RequestCounts,
    usage: Usage,
    peak_memory: u64,
    peak_instances: u64,
}

impl Samples {
    pub(crate) fn new(now: Millis) -> Self {
        Self { current: Mutex::new(Current { minute: now / MINUTE, spaces: HashMap::new() }) }
    }
}

impl Reading {
    fn peak(&mut self, usage: &Usage) {
        self.peak_memory = self.peak_memory.max(usage.memory_bytes);
        self.peak_instances = self.peak_instances.max(usage.instances);
    }

    /// What happened since the last reading, which this one replaces; `None` if nothing did.
    fn turn(&mut self, counts: RequestCounts, usage: Usage) -> Option<MetricsBucket> {
        self.peak(&usage);
        let bucket = bucket(&self.counts, &counts, &self.usage, &usage);
        let bucket = MetricsBucket { memory_bytes: self.peak_memory, instances: self.peak_instances, ..bucket };
        let is_idle = bucket == MetricsBucket { latency: bucket.latency.clone(), ..MetricsBucket::default() };
        *self = Self { counts, usage, peak_memory: usage.memory_bytes, peak_instances: usage.instances };
        (!is_idle).then_some(bucket)
    }
}

fn bucket(from: &RequestCounts, to: &RequestCounts, used: &Usage, uses: &Usage) -> MetricsBucket {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    MetricsBucket {
        requests: to.requests.saturating_sub(from.requests),
        faults: to.faults.saturating_sub(from.faults),
        cache_hits: to.cache_hits.saturating_sub(from.cache_hits),
        response_bytes: to.response_bytes.saturating_sub(from.response_bytes),
        latency_sum_us: to.latency_sum_us.saturating_sub(from.latency_sum_us),
        latency: to.latency.iter().zip(from.latency).map(|(to, from)| to.saturating_sub(from)).collect(),
        fuel: uses.fuel.saturating_sub(used.fuel),
        cpu_us: micros(uses.cpu.saturating_sub(used.cpu)),
        memory_bytes: 0,
        instances: 0,
        cold_starts: uses.cold_starts.saturating_sub(used.cold_starts),
        cold_start_us: micros(uses.cold_start_time.saturating_sub(used.cold_start_time)),
    }
}

/// Reads counters and writes buckets until the fleet is gone.
pub(crate) async fn run(fleet: Weak<Shared>, closing: CancellationToken) {
    while closing.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let Some(shared) = fleet.upgrade() else { return };
        // The database writes to disk, if only to its cache.
        if tokio::task::spawn_blocking(move || look(&shared)).await.is_err() {
            tracing::error!("a round of the sampler has panicked");
        }
    }
}

/// One round: peaks, and at the turn of a minute the buckets of the one that ended.
fn look(shared: &Shared) {
    let now = shared.clock.now();
    let mut current = shared.samples.current.lock();
    let ended = (now / MINUTE > current.minute).then_some(current.minute);
    current.minute = now / MINUTE;
    for member in shared.members() {
        let usage = member.meter.lock().total();
        let counts = member.slot.metrics.counts();
        let is_known = current.spaces.contains_key(&member.space);
        if !is_known && usage == Usage::default() && counts == RequestCounts::default() {
            continue;
        }
        let reading = current.spaces.entry(member.space).or_default();
        match ended {
            None => reading.peak(&usage),
            Some(minute) => {
                if let Some(bucket) = reading.turn(counts, usage) {
                    shared.db.put_metrics(member.space, minute, &bucket);
                }
            }
        }
    }
    if let Some(minute) = ended.filter(|minute| minute.is_multiple_of(SWEEP_EVERY)) {
        current.spaces.retain(|space, _| shared.member(*space).is_some());
        drop(current);
        shared.db.sweep_metrics(minute.saturating_sub(KEPT_MINUTES), |space| shared.member(space).is_some());
    }
}

/// What a Space did by the minute, with the minute that is not over yet.
pub(crate) fn minutes(shared: &Shared, space: SpaceId, since: Millis) -> Result<Vec<Minute>, ReadError> {
    let now = shared.clock.now() / MINUTE;
    let from = (since / MINUTE).max(now.saturating_sub(KEPT_MINUTES));
    let stored = shared.db.metrics(space, from, now + 1)?;
    let mut minutes: Vec<Minute> =
        stored.into_iter().map(|(minute, bucket)| Minute { at: minute * MINUTE, bucket }).collect();
    minutes.extend(unfinished(shared, space).filter(|minute| minute.at / MINUTE >= from));
    Ok(minutes)
}

fn unfinished(shared: &Shared, space: SpaceId) -> Option<Minute> {
    let member = shared.member(space)?;
    let (counts, usage) = (member.slot.metrics.counts(), member.meter.lock().total());
    let current = shared.samples.current.lock();
    let before = Reading::default();
    let reading = current.spaces.get(&space).unwrap_or(&before);
    let bucket = MetricsBucket {
        memory_bytes: reading.peak_memory.max(usage.memory_bytes),
        instances: reading.peak_instances.max(usage.instances),
        ..bucket(&reading.counts, &counts, &reading.usage, &usage)
    };
    Some(Minute { at: current.minute * MINUTE, bucket })
}

/// Every Space now.
pub(crate) fn snapshot(shared: &Shared) -> FleetSnapshot {
    let (builds_waiting, builds_running) = shared.builder.counts();
    FleetSnapshot {
        spaces: shared.members().iter().map(space_snapshot).collect(),
        backend_plugins: (shared.backend_plugins)(),
        builds_waiting,
        builds_running,
        log_lines_dropped: shared.logs.dropped_lines(),
    }
}

fn space_snapshot(member: &Arc<Member>) -> SpaceSnapshot {
    SpaceSnapshot {
        space: member.space,
        path: member.slot.entry.load().path.clone(),
        stage: member.view.borrow().stage,
        counts: member.slot.metrics.counts(),
        usage: member.meter.lock().total(),
    }
}

#[cfg(test)]
mod tests {
    use spaceport_core::stage::Stage;

    use super::*;
    use crate::ports::Clock;
    use crate::testing::{World, readme};

    #[tokio::test]
    async fn a_day_of_minutes_can_be_read_back() {
        let world = World::new().await;
        let readme = readme("wasm");
        let space = world.create("hello", &[("README.md", &readme), ("app.wasm", "hello")]).await;
        world.reaches(&space, Stage::Running).await;
        let slot = world.slot("ada-hello.localhost");
        let begun = world.clock.now();
        let requests = |world: &World| -> Vec<u64> {
            let minutes = world.fleet.metrics(space.id, 0).unwrap();
            minutes.into_iter().map(|minute| minute.bucket.requests).filter(|requests| *requests > 0).collect()
        };
        slot.metrics.record(Duration::from_millis(3), false, false);
        assert_eq!(requests(&world), [1], "the minute that is not over is told too");
        world.clock.advance(MINUTE);
        look(world.fleet.shared());
        slot.metrics.record(Duration::from_millis(3), true, false);
        slot.metrics.record(Duration::from_millis(3), false, false);
        world.clock.advance(MINUTE);
        look(world.fleet.shared());
        assert_eq!(requests(&world), [1, 2]);
        let minutes = world.fleet.metrics(space.id, begun + MINUTE).unwrap();
        assert_eq!((minutes[0].at, minutes[0].bucket.faults), ((begun / MINUTE + 1) * MINUTE, 1));
        assert_eq!((minutes[0].bucket.latency[2], minutes[0].bucket.instances), (2, 1));

        world.clock.advance(KEPT_MINUTES * MINUTE);
        assert_eq!(requests(&world), [0; 0], "yesterday's are not told");
        assert_eq!(world.fleet.snapshot().spaces[0].counts.requests, 3);
    }

    #[test]
    fn a_minute_is_the_difference_of_two_readings_with_the_peaks_between() {
        let mut reading = Reading::default();
        let first = RequestCounts { requests: 5, latency_sum_us: 50, ..RequestCounts::default() };
        let usage = Usage { fuel: 100, memory_bytes: 10, instances: 1, ..Usage::default() };
        assert_eq!(reading.turn(first, usage).unwrap().requests, 5);

        reading.peak(&Usage { memory_bytes: 70, instances: 3, ..usage });
        let second = RequestCounts { requests: 7, faults: 1, ..first };
        let bucket = reading.turn(second, Usage { fuel: 150, memory_bytes: 20, instances: 1, ..usage }).unwrap();
        assert_eq!((bucket.requests, bucket.faults, bucket.latency_sum_us), (2, 1, 0));
        assert_eq!((bucket.fuel, bucket.memory_bytes, bucket.instances), (50, 70, 3));
    }

    #[test]
    fn a_minute_without_anything_is_not_kept() {
        let mut reading = Reading::default();
        let counts = RequestCounts { requests: 5, ..RequestCounts::default() };
        assert!(reading.turn(counts, Usage::default()).is_some());
        assert!(reading.turn(counts, Usage::default()).is_none());
    }
}
