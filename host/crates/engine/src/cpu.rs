//! CPU time of a Space: measured exactly, refilled at its vCPUs, never a reason to trap.
//!
//! Whenever a store enters or leaves guest code a call hook tells its [`Meter`], which adds up the time between and
//! charges it to the Space's [`SpaceCpu`]. That is a bucket kept as one number: the moment at which all that was used
//! will have been paid for. Over it, a guest naps in its epoch callback and new requests are let in late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock;
use crate::engine::ticker::Activity;

/// Credit that an idle Space keeps, in wall time: short enough that no window of a second shows it.
const BURST: Duration = Duration::from_millis(100);
/// Time that a meter gathers before it goes to the Space's counter, which all its stores share.
const FLUSH: Duration = Duration::from_micros(50);

/// What a Space has used and may use now. Shared by its stores.
#[derive(Debug)]
pub(crate) struct SpaceCpu {
    /// Wall nanoseconds that one nanosecond of CPU must be paid with.
    price: f64,
    paid_at: AtomicU64,
    time: AtomicU64,
    fuel: AtomicU64,
}

impl SpaceCpu {
    pub(crate) fn new(vcpu: f64) -> Arc<Self> {
        // Less than a thousandth of a core would only be a slower way to stand still.
        let price = 1.0 / vcpu.max(0.001);
        Arc::new(Self { price, paid_at: AtomicU64::new(0), time: AtomicU64::new(0), fuel: AtomicU64::new(0) })
    }

    /// Books guest time.
    fn charge(&self, used: u64) {
        self.time.fetch_add(used, Ordering::Relaxed);
        let cost = (used as f64 * self.price) as u64;
        let oldest = clock::now().saturating_sub(clock::nanos(BURST));
        let pay = |paid_at: u64| Some(paid_at.max(oldest).saturating_add(cost));
        // The closure always answers; the result only repeats what was there.
        let _ = self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Books fuel.
    pub(crate) fn charge_fuel(&self, units: u64) {
        self.fuel.fetch_add(units, Ordering::Relaxed);
    }

    /// How long the Space has to wait until it may use the CPU again.
    pub(crate) fn debt(&self) -> Option<Duration> {
        let paid_at = self.paid_at.load(Ordering::Relaxed);
        let now = clock::now();
        (paid_at > now).then(|| Duration::from_nanos(paid_at - now))
    }

    /// Guest time so far.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.time.load(Ordering::Relaxed))
    }

    /// Fuel so far.
    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.load(Ordering::Relaxed)
    }
}

/// Guest time of one store. Shared with the naps that the store takes, which have no way to the store itself.
pub(crate) struct Meter {
    space: Arc<SpaceCpu>,
    activity: Arc<Activity>,
    /// When guest code was entered; 0 while none runs.
    entered: AtomicU64,
    unbooked: AtomicU64,
}

impl Meter {
    pub(crate) fn new(space: Arc<SpaceCpu>, activity: Arc<Activity>) -> Arc<Self> {
        Arc::new(Self { space, activity, entered: AtomicU64::new(0), unbooked: AtomicU64::new(0) })
    }

    // One thread at a time runs a store, so relaxed loads and stores see each other in order.

    /// Guest code starts, or goes on.
    #[inline]
    pub(crate) fn enter(&self) {
        self.activity.touch();
        self.entered.store(clock::now(), Ordering::Relaxed);
    }

    /// Guest code ends, or calls the host.
    #[inline]
    pub(crate) fn leave(&self) {
        let entered = self.entered.swap(0, Ordering::Relaxed);
        if entered == 0 {
            return;
        }
        let unbooked = self.unbooked.load(Ordering::Relaxed) + (clock::now() - entered);
        if unbooked < clock::nanos(FLUSH) {
            self.unbooked.store(unbooked, Ordering::Relaxed);
        } else {
            self.unbooked.store(0, Ordering::Relaxed);
            self.space.charge(unbooked);
        }
    }

    /// A slice of guest code is over: books it, and lets others run, or naps until the Space has CPU again. Time in
    /// here is not the guest's.
    pub(crate) fn pause(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.leave();
        let meter = self.clone();
        async move {
            match meter.space.debt() {
                None => tokio::task::yield_now().await,
                Some(mut debt) => loop {
                    tokio::time::sleep(debt).await;
                    // Other stores of the Space woke as well and may have used it up again.
                    match meter.space.debt() {
                        Some(more) => debt = more,
                        None => break,
                    }
                },
            }
            meter.enter();
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.leave();
        self.space.charge(self.unbooked.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_time_is_paid_at_the_rate_of_the_vcpus() {
        let half = SpaceCpu::new(0.5);
        assert_eq!(half.debt(), None);
        half.charge(clock::nanos(Duration::from_secs(10)));
        // 10 s of CPU are 20 s at half a core, less the burst.
        let debt = half.debt().unwrap();
        assert!(debt > Duration::from_millis(19_000) && debt <= Duration::from_millis(19_900), "{debt:?}");
        assert_eq!(half.time(), Duration::from_secs(10));
    }

    #[test]
    fn a_short_burst_costs_nothing() {
        let one = SpaceCpu::new(1.0);
        one.charge(clock::nanos(Duration::from_millis(50)));
        assert_eq!(one.debt(), None);
    }

    #[test]
    fn a_meter_books_what_it_gathered_when_it_goes() {
        let space = SpaceCpu::new(1.0);
        let meter = Meter::new(space.clone(), Arc::default());
        meter.enter();
        std::thread::sleep(Duration::from_millis(2));
        drop(meter);
        assert!(space.time() >= Duration::from_millis(2));
    }
}
