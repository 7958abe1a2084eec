//! Counters of one Space, written by the data path without a lock and read by the sampler.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency histogram, in milliseconds; one more bucket takes the rest.
pub const LATENCY_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 25, 100, 250, 1_000, 5_000, 30_000];

/// What the edge counts for a Space since the host started.
#[derive(Debug, Default)]
pub struct SpaceMetrics {
    requests: AtomicU64,
    faults: AtomicU64,
    cache_hits: AtomicU64,
    response_bytes: AtomicU64,
    latency_sum_us: AtomicU64,
    latency: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestCounts {
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
    /// Requests per bucket of [`LATENCY_BOUNDS_MS`].
    pub latency: [u64; LATENCY_BOUNDS_MS.len() + 1],
}

impl SpaceMetrics {
    /// Counts an answered request. `latency` is the time to the head of the response.
    pub fn record(&self, latency: Duration, is_fault: bool, is_cache_hit: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.faults.fetch_add(u64::from(is_fault), Ordering::Relaxed);
        self.cache_hits.fetch_add(u64::from(is_cache_hit), Ordering::Relaxed);
        self.latency_sum_us.fetch_add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let ms = latency.as_micros().div_ceil(1000);
        let bucket = LATENCY_BOUNDS_MS.iter().position(|bound| ms <= u128::from(*bound));
        self.latency[bucket.unwrap_or(LATENCY_BOUNDS_MS.len())].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes of a response body.
    pub fn record_bytes(&self, bytes: u64) {
        self.response_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn counts(&self) -> RequestCounts {
        RequestCounts {
            requests: self.requests.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            cache_hits: self.cache_hits.load(Ordering::Relaxed),
            response_bytes: self.response_bytes.load(Ordering::Relaxed),
            latency_sum_us: self.latency_sum_us.load(Ordering::Relaxed),
            latency: std::array::from_fn(|bucket| self.latency[bucket].load(Ordering::Relaxed)),
        }
    }
}
