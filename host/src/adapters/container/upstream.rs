//! A running container as the edge calls it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use spaceport_backend::{Proxy, ProxyError, Running, State};
use spaceport_control::ports::{Body, LaunchRequest, Upstream, Usage};
use spaceport_core::fault::Fault;
use tokio::sync::watch;

/// How long a container may take to end after it was asked to, before it is ended: what container engines give by default.
const END: Duration = Duration::from_secs(10);

/// A running container.
pub(super) struct ContainerUpstream {
    inner: Arc<Inner>,
}

struct Inner {
    running: Running,
    proxy: Proxy<Body>,
    backend: watch::Receiver<State>,
    begun: Instant,
    start_time: parking_lot::Mutex<Duration>,
    on_crash: Arc<dyn Fn(String) + Send + Sync>,
}

impl ContainerUpstream {
    pub(super) fn new(running: Running, request: &LaunchRequest, backend: watch::Receiver<State>) -> Self {
        // Apps of this kind think for minutes and stream for hours; what bounds a stream bounds its silence.
        let proxy = Proxy::new(running.address(), request.limits.stream);
        let (begun, on_crash) = (Instant::now(), request.on_crash.clone());
        let inner = Inner { running, proxy, backend, begun, start_time: Default::default(), on_crash };
        Self { inner: Arc::new(inner) }
    }

    /// Waits until it answers; why it ended instead.
    pub(super) async fn ready(&self) -> Result<(), String> {
        self.inner.running.ready().await?;
        *self.inner.start_time.lock() = self.inner.begun.elapsed();
        Ok(())
    }
}

impl Upstream for ContainerUpstream {
    fn call(&self, request: http::Request<Body>) -> BoxFuture<'static, Result<http::Response<Body>, Fault>> {
        let (call, inner) = (self.inner.proxy.call(request), self.inner.clone());
        async move {
            match call.await {
                Ok(response) => Ok(response.map(BodyExt::boxed_unsync)),
                Err(error) => Err(inner.fault(error)),
            }
        }
        .boxed()
    }

    fn usage(&self) -> Usage {
        let stats = self.inner.running.stats();
        let is_found = self.inner.running.was_running();
        Usage {
            cpu: Duration::from_micros(stats.cpu_us),
            memory_bytes: stats.memory_bytes,
            instances: 1,
            cold_starts: u64::from(!is_found),
            cold_start_time: if is_found { Duration::ZERO } else { *self.inner.start_time.lock() },
            ..Usage::default()
        }
    }

    fn stop(&self, grace: Duration) -> BoxFuture<'static, ()> {
        let inner = self.inner.clone();
        async move {
            inner.proxy.close(grace).await;
            inner.running.stop(END.min(grace)).await;
        }
        .boxed()
    }

    fn leave(&self, grace: Duration) -> BoxFuture<'static, ()> {
        let inner = self.inner.clone();
        async move {
            inner.proxy.close(grace).await;
            inner.running.leave().await;
        }
        .boxed()
    }
}

impl Inner {
    /// A container that does not answer while its engine is down is no fault of the app.
    fn fault(&self, error: ProxyError) -> Fault {
        if let Some(reason) = self.running.ended() {
            // It was told once, and may have been told too early: to a host that had just begun to lead visitors here.
            (self.on_crash)(reason);
        }
        match (error, self.backend.borrow().problem()) {
            (ProxyError::Stopped, _) => Fault::Stopped,
            (ProxyError::Silent(silence), _) => Fault::GuestDeadline(silence),
            (ProxyError::Unreachable(_) | ProxyError::Broken(_), Some(why)) => Fault::BackendUnavailable(why),
            (ProxyError::Unreachable(why) | ProxyError::Broken(why), None) => Fault::ContainerUnreachable(why),
        }
    }
}
