//! One call for any number of requests that wait for the same answer, where the answer will be kept.
//!
//! Only for answers that are known to be kept: others would queue behind each other for nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::cache::Key;

/// Longest wait for somebody else's call; then a request makes its own. Static answers take milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the call was made to its end, by whoever holds this.
type Seat = tokio::sync::Mutex<bool>;

/// The calls that are under way.
#[derive(Default)]
pub(super) struct Flights {
    under_way: Mutex<HashMap<Key, Arc<Seat>>>,
}

/// The right to make the call. Dropped without [`Flight::land`], as when the visitor has left, it goes to the next.
pub(super) struct Flight<'a> {
    // Before `_place`, which must find nobody in the seat.
    seat: OwnedMutexGuard<bool>,
    _place: Place<'a>,
}

struct Place<'a> {
    flights: &'a Flights,
    key: Key,
    seat: Arc<Seat>,
}

impl Flights {
    /// Waits while somebody else makes this call. `None` once they have made it, or after too long a wait.
    pub(super) async fn join(&self, key: Key) -> Option<Flight<'_>> {
        let seat = self.under_way.lock().entry(key.clone()).or_default().clone();
        let place = Place { flights: self, key, seat };
        let seat = tokio::time::timeout(PATIENCE, place.seat.clone().lock_owned()).await.ok()?;
        (!*seat).then(|| Flight { seat, _place: place })
    }
}

impl Flight<'_> {
    /// The call was made; what could be kept of its answer is.
    pub(super) fn land(mut self) {
        *self.seat = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock();
        // The table's and this one.
        if Arc::strong_count(&self.seat) == 2 {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http::Uri;

    use super::*;
    use crate::edge::cache::KeyRef;

    fn key() -> Key {
        KeyRef::example(&Uri::from_static("/x")).to_key()
    }

    #[tokio::test]
    async fn whoever_waits_needs_no_call_of_their_own() {
        let flights = Flights::default();
        let first = flights.join(key()).await.unwrap();
        let mut second = Box::pin(flights.join(key()));
        assert!((&mut second).now_or_never().is_none());
        first.land();
        assert!(second.await.is_none());
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_is_made_by_the_next() {
        let flights = Flights::default();
        let first = flights.join(key()).await.unwrap();
        let mut second = Box::pin(flights.join(key()));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!(second.await.is_some());
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let flights = Flights::default();
        let _first = flights.join(key()).await.unwrap();
        assert!(flights.join(key()).await.is_none());
    }
}
