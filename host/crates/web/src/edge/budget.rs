//! What all answers together may take beside the cache's own bound: bytes that are held in memory, and encoders at work.
//!
//! Nothing waits for either. Where there is no room, a file is streamed instead of held and bytes are sent as they are, so
//! a crowd of visitors costs a slower answer and no more memory or processor time than stands here.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of bodies in memory beyond what the cache holds: those on their way into it, and those that fell out of it or
/// never went in and are still being sent.
const UNCACHED_BYTES: u64 = 64 << 20;
/// Bytes that one permit stands for.
const UNIT: u64 = 1024;
/// Of this many processors, one may encode: what is left is for guests and for bytes that go out as they are.
const CORES_PER_ENCODER: usize = 2;

/// The budget that all requests share.
pub(super) struct Budget {
    bytes: Arc<Semaphore>,
    encoders: Arc<Semaphore>,
}

impl Budget {
    /// A budget beside a cache of this size.
    pub(super) fn new(cache_bytes: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(cache_bytes.saturating_add(UNCACHED_BYTES), (cores / CORES_PER_ENCODER).max(1))
    }

    fn with(bytes: u64, encoders: usize) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { bytes: Arc::new(Semaphore::new(units)), encoders: Arc::new(Semaphore::new(encoders)) }
    }

    /// Room for a body of this size, if there is any.
    pub(super) fn room(&self, bytes: u64) -> Option<Room> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.bytes.clone().try_acquire_many_owned(units).ok().map(Room)
    }

    /// An encoder's place, if there is any.
    pub(super) fn encoder(&self) -> Option<OwnedSemaphorePermit> {
        self.encoders.clone().try_acquire_owned().ok()
    }
}

/// Room for a body in memory.
pub(super) struct Room(OwnedSemaphorePermit);

impl Room {
    /// The same bytes, which take up their part of the room until the last of them is gone. The rest is given back.
    pub(super) fn hold(mut self, bytes: Bytes) -> Bytes {
        let units = bytes.len().div_ceil(UNIT as usize);
        match self.0.split(units) {
            Some(room) => Bytes::from_owner(Held { bytes, _room: room }),
            None => bytes,
        }
    }
}

struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_room_until_the_last_of_them_is_gone() {
        let budget = Budget::with(8 * UNIT, 1);
        let held = budget.room(8 * UNIT).unwrap().hold(Bytes::from(vec![1; 5 * UNIT as usize]));
        assert!(budget.room(4 * UNIT).is_none());
        let part = held.slice(1..2);
        drop(held);
        assert!(budget.room(4 * UNIT).is_none());
        assert!(budget.room(3 * UNIT).is_some());
        drop(part);
        assert!(budget.room(8 * UNIT).is_some());
    }

    #[test]
    fn an_encoder_is_not_given_twice() {
        let budget = Budget::with(0, 1);
        let encoder = budget.encoder();
        assert!(encoder.is_some() && budget.encoder().is_none());
        drop(encoder);
        assert!(budget.encoder().is_some());
    }
}
