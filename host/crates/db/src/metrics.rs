//! Metrics of Spaces by the minute, kept on disk for a day or so.
//!
//! They are worth keeping but not worth an fsync: they live in the index alone, and go with it if it must be made again.

use serde::{Deserialize, Serialize};
use spaceport_core::id::{ID_BYTES, SpaceId};

use crate::db::Db;
use crate::error::ReadError;
use crate::key::Key;
use crate::record::{Record, record_by_json};

/// What a Space did in one minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsBucket {
    /// Requests answered, from whatever source.
    pub requests: u64,
    /// Requests that the Space could not answer.
    pub faults: u64,
    /// Requests answered from the edge's cache.
    pub cache_hits: u64,
    /// Bytes of response bodies sent.
    pub response_bytes: u64,
    /// Time to the head of the response, summed, in microseconds.
    pub latency_sum_us: u64,
    /// Requests by time to the head; the bounds are the writer's.
    pub latency: Vec<u64>,
    /// Fuel used.
    pub fuel: u64,
    /// Guest time on a CPU, in microseconds.
    pub cpu_us: u64,
    /// Most memory held, in bytes.
    pub memory_bytes: u64,
    /// Most instances at once.
    pub instances: u64,
    /// Instances started.
    pub cold_starts: u64,
    /// Time those starts took together, in microseconds.
    pub cold_start_us: u64,
}

impl Db {
    /// Keeps what a Space did in a minute (minutes since the Unix epoch). Best effort: a failure is logged, no more.
    pub fn put_metrics(&self, space: SpaceId, minute: u64, bucket: &MetricsBucket) {
        let mut value = vec![MetricsBucket::VERSION];
        bucket.encode(&mut value);
        let kept = self.index().with_disk(|disk| disk.put_metrics(&key(space, minute), &value));
        if let Some(Err(failure)) = kept {
            tracing::warn!(%space, %failure, "metrics not kept");
        }
    }

    /// What a Space did from one minute up to, not including, another; minutes without a bucket are left out.
    pub fn metrics(&self, space: SpaceId, from: u64, to: u64) -> Result<Vec<(u64, MetricsBucket)>, ReadError> {
        let (from, to) = (key(space, from), key(space, to));
        if from >= to {
            return Ok(Vec::new());
        }
        let stored = self.index().with_disk(|disk| disk.metrics(&from, &to)).unwrap_or(Ok(Vec::new()));
        let stored = stored.map_err(|failure| ReadError::Index(failure.0))?;
        // A bucket that does not read is a gap in a diagram, not a reason to show none.
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let (version, bytes) = value.split_first()?;
            Some((minute(&key)?, MetricsBucket::decode(*version, bytes).ok()?))
        };
        Ok(stored.into_iter().filter_map(read).collect())
    }

    /// Forgets the metrics of all minutes before this one and of all Spaces but those that `exists` knows; returns how
    /// many buckets went.
    pub fn sweep_metrics(&self, before: u64, exists: impl Fn(SpaceId) -> bool) -> u64 {
        let keep = |key: &[u8]| {
            let space = key.get(..ID_BYTES).and_then(<SpaceId as Key>::decode);
            minute(key).is_some_and(|minute| minute >= before) && space.is_some_and(&exists)
        };
        match self.index().with_disk(|disk| disk.retain_metrics(keep)) {
            Some(Ok(removed)) => removed,
            Some(Err(failure)) => {
                tracing::warn!(%failure, "old metrics not removed");
                0
            }
            None => 0,
        }
    }
}

fn key(space: SpaceId, minute: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ID_BYTES + size_of::<u64>());
    (space, minute).encode(&mut bytes);
    bytes
}

fn minute(key: &[u8]) -> Option<u64> {
    <(SpaceId, u64)>::decode(key).map(|(_, minute)| minute)
}

record_by_json!(MetricsBucket, BucketV1);

/// One letter a field: a Space writes 1,440 of these a day.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BucketV1 {
    r: u64,
    f: u64,
    h: u64,
    b: u64,
    s: u64,
    l: Vec<u64>,
    u: u64,
    c: u64,
    m: u64,
    i: u64,
    n: u64,
    t: u64,
}

impl From<&MetricsBucket> for BucketV1 {
    fn from(bucket: &MetricsBucket) -> Self {
        Self {
            r: bucket.requests,
            f: bucket.faults,
            h: bucket.cache_hits,
            b: bucket.response_bytes,
            s: bucket.latency_sum_us,
            l: bucket.latency.clone(),
            u: bucket.fuel,
            c: bucket.cpu_us,
            m: bucket.memory_bytes,
            i: bucket.instances,
            n: bucket.cold_starts,
            t: bucket.cold_start_us,
        }
    }
}

impl From<BucketV1> for MetricsBucket {
    fn from(stored: BucketV1) -> Self {
        Self {
            requests: stored.r,
            faults: stored.f,
            cache_hits: stored.h,
            response_bytes: stored.b,
            latency_sum_us: stored.s,
            latency: stored.l,
            fuel: stored.u,
            cpu_us: stored.c,
            memory_bytes: stored.m,
            instances: stored.i,
            cold_starts: stored.n,
            cold_start_us: stored.t,
        }
    }
}
