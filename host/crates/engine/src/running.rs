//! A Space that runs: what the host calls, watches and stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use spaceport_core::fault::Fault;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::call::Caller;
use crate::call::body::{Body, BoxError};

/// How long instances may take to end once they were told to: they end at the next slice or wake-up.
const END: Duration = Duration::from_secs(10);

/// What a Space has used since its launch; all but the gauges only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Fuel, in wasmtime's units.
    pub fuel: u64,
    /// Guest time on a CPU.
    pub cpu: Duration,
    /// Gauge: bytes its instances hold, as counted against the hardware's memory.
    pub memory_bytes: u64,
    /// Gauge: live instances.
    pub instances: u64,
    /// Instances started.
    pub cold_starts: u64,
    /// Time those starts took together.
    pub cold_start_time: Duration,
}

/// See the module. Dropping it ends everything at once; [`Running::stop`] lets requests end first.
pub struct Running {
    caller: Arc<Caller>,
}

impl Running {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller: Arc::new(caller) }
    }

    /// Answers one request. Dropping the future or the answer's body tells the guest's side that the client is gone.
    /// An answer that breaks off in the middle ends its body with an error, never cleanly.
    pub async fn call<B>(&self, request: http::Request<B>) -> Result<http::Response<Body>, Fault>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let data = &self.caller.space.core.data_runtime;
        if Handle::try_current().is_ok_and(|current| current.id() == data.id()) {
            return self.caller.call(request).await;
        }
        // Instances live where they are started, so a call from elsewhere moves over first.
        let caller = self.caller.clone();
        let mut call = AbortOnDrop(data.spawn(async move { caller.call(request).await }));
        match (&mut call.0).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Stopped),
        }
    }

    /// What it has used since it was launched.
    pub fn usage(&self) -> Usage {
        let space = &self.caller.space;
        let (cold_starts, cold_start_time) = space.cold_starts();
        Usage {
            fuel: space.cpu.fuel(),
            cpu: space.cpu.time(),
            memory_bytes: space.budget.used(),
            instances: space.population.live() as u64,
            cold_starts,
            cold_start_time,
        }
    }

    /// Requests that are being answered.
    pub fn in_flight(&self) -> usize {
        self.caller.in_flight()
    }

    /// Lets requests in flight end, at most for `grace`, then ends everything. May be called again.
    pub async fn stop(&self, grace: Duration) {
        let space = &self.caller.space;
        space.stopping.store(true, Ordering::SeqCst);
        // Those that do not end in time are cut off below.
        let _ = timeout(grace, self.caller.drained()).await;
        let ended = timeout(END, async {
            loop {
                let freed = space.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if space.population.live() == 0 {
                    break;
                }
                space.stop_all();
                freed.await;
            }
        });
        if ended.await.is_err() {
            tracing::error!(space = space.label, instances = space.population.live(), "instances do not end");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.caller.space.stopping.store(true, Ordering::SeqCst);
        self.caller.space.stop_all();
    }
}

/// Ends a task that nobody waits for any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
