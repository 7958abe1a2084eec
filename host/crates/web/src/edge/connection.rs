//! One connection: HTTP/1.1 or h2, whichever its first bytes say, plain or in TLS, from its first byte to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::body::EdgeBody;
use super::caps::Permit;
use super::config::Deadlines;
use super::io::GuardedIo;
use super::proxy;
use super::server::Shared;
use super::upload::Upload;

/// Read and write buffer of an HTTP/1.1 connection: holds the largest request line we take (64 KiB) with its headers.
const H1_BUFFER: usize = 128 << 10;
/// Streams of one h2 connection at once: what browsers and proxies are content with.
const H2_STREAMS: u32 = 100;
/// Bytes of one h2 request's headers, decoded.
const H2_HEADERS: u32 = 16 << 10;
/// Bytes one h2 stream may send ahead of its reader, and all of a connection's together.
const H2_STREAM_WINDOW: u32 = 256 << 10;
const H2_CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of one h2 response buffered for a slow reader; times [`H2_STREAMS`] bounds a connection.
const H2_SEND_BUFFER: usize = 64 << 10;
/// Streams reset by the peer before they were accepted, and by us for the peer's mistakes, before the connection is ended:
/// the two ways to make a server work without waiting for answers.
const H2_PENDING_RESETS: usize = 20;
const H2_LOCAL_RESETS: usize = 1024;
/// How often a silent h2 peer is asked whether it is there, and how long it may take to say so.
const H2_PING: Duration = Duration::from_secs(20);

/// What a connection is told by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Finish what is under way and take no more.
    Drain = 1,
    /// End now.
    Cut = 2,
}

/// The other end of a connection, and what it is doing. Shared by the socket, which watches the clock, and the requests.
pub(super) struct Peer {
    /// Its address; IPv4 also where it came as an IPv6-mapped one.
    pub(super) ip: IpAddr,
    /// The same for headers.
    pub(super) ip_text: HeaderValue,
    accepted: Instant,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    is_h2: AtomicBool,
    // A response is under way whose end is the connection's end.
    expects_end: AtomicBool,
    // Milliseconds since `accepted`.
    idle_since: AtomicU64,
    // The same; 0 while no head has begun.
    head_since: AtomicU64,
    signal: AtomicU8,
    waker: AtomicWaker,
    tunnel: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Peer {
    /// A peer that connected just now.
    pub(super) fn new(ip: IpAddr) -> Arc<Self> {
        let ip = ip.to_canonical();
        Arc::new(Self {
            ip,
            ip_text: HeaderValue::try_from(ip.to_string()).unwrap_or(HeaderValue::from_static("unknown")),
            accepted: Instant::now(),
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            is_h2: AtomicBool::new(false),
            expects_end: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            signal: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            tunnel: Mutex::default(),
        })
    }

    /// A request's head is complete.
    pub(super) fn begin_request(&self, version: Version) {
        if self.requests.fetch_add(1, Ordering::Relaxed) == 0 && version == Version::HTTP_2 {
            self.is_h2.store(true, Ordering::Relaxed);
        }
        self.head_since.store(0, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// What nobody wants of a request's body is still read.
    pub(super) fn begin_rest(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        // What came of it since the answer was out is no head.
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// A response has left or was given up, or the rest of a request has come.
    pub(super) fn end_request(&self) {
        self.idle_since.store(self.elapsed_ms(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Bytes came in; between requests they are the beginning of a head.
    pub(super) fn received_bytes(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.elapsed_ms().max(1), Ordering::Relaxed);
        }
    }

    /// Bytes went out. What hyper still holds of an answer that is over for us keeps the connection as the answer did. On
    /// h2 they may be an answer to a ping, which is none.
    pub(super) fn sent_bytes(&self) {
        if self.in_flight.load(Ordering::Relaxed) > 0 || self.is_h2.load(Ordering::Relaxed) {
            return;
        }
        let now = self.elapsed_ms().max(1);
        self.idle_since.store(now, Ordering::Relaxed);
        if self.head_since.load(Ordering::Relaxed) != 0 {
            self.head_since.store(now, Ordering::Relaxed);
        }
    }

    /// Whether a response is under way that the visitor would take for whole if the connection just ended.
    pub(super) fn expect_end(&self, expects: bool) {
        self.expects_end.store(expects, Ordering::Relaxed);
    }

    /// The same, asked.
    pub(super) fn expects_end(&self) -> bool {
        self.expects_end.load(Ordering::Relaxed)
    }

    /// Until when the next head must have come; `None` while a request is being answered. On h2 the bytes of pings and
    /// window updates are no head and buy no time.
    pub(super) fn read_deadline(&self, deadlines: &Deadlines) -> Option<Instant> {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let since = |ms: &AtomicU64| self.accepted + Duration::from_millis(ms.load(Ordering::Relaxed));
        if self.requests.load(Ordering::Relaxed) == 0 {
            Some(self.accepted + deadlines.first_head)
        } else if self.is_h2.load(Ordering::Relaxed) || self.head_since.load(Ordering::Relaxed) == 0 {
            Some(since(&self.idle_since) + deadlines.keep_alive)
        } else {
            Some(since(&self.head_since) + deadlines.head)
        }
    }

    /// Tells the connection; the stronger word stays.
    pub(super) fn signal(&self, signal: Signal) {
        self.signal.fetch_max(signal as u8, Ordering::Release);
        self.waker.wake();
    }

    /// What the connection goes on with once the answer under way is out.
    pub(super) fn go_on_with(&self, tunnel: BoxFuture<'static, ()>) {
        *self.tunnel.lock() = Some(tunnel);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The HTTP settings of every connection.
pub(super) fn http_builder(tasks: TaskTracker) -> auto::Builder<TrackedExecutor> {
    let mut builder = auto::Builder::new(TrackedExecutor(tasks));
    // Never `pipeline_flush`: with it hyper buffers a response without bound for a visitor who reads nothing.
    builder.http1().max_buf_size(H1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(H2_HEADERS)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_SEND_BUFFER)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS)
        .max_local_error_reset_streams(H2_LOCAL_RESETS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING);
    builder
}

/// Serves one connection to its end. `permit` is given back then.
pub(super) async fn run(shared: Arc<Shared>, stream: TcpStream, peer: Arc<Peer>, permit: Permit) {
    let deadlines = shared.edge.config.deadlines;
    let guard = |stream| GuardedIo::new(stream, peer.clone(), deadlines);
    match &shared.edge.config.tls {
        None => serve(&shared, guard(stream), &peer).await,
        // Apart, so that a plain connection does not have room for the state of TLS for as long as it lives.
        Some(tls) => {
            Box::pin(async {
                let accepted = timeout(deadlines.first_head, tls.accept(stream, guard));
                match unless_told(&peer, accepted).await {
                    Some(Ok(Ok(stream))) => serve(&shared, stream, &peer).await,
                    Some(Ok(Err(error))) => {
                        tracing::debug!(peer = %peer.ip, %error, "connection ended before it began")
                    }
                    Some(Err(_)) | None => {}
                }
            })
            .await;
        }
    }
    drop(permit);
}

/// Serves requests until the peer or the server ends the connection.
async fn serve(shared: &Arc<Shared>, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: &Arc<Peer>) {
    let visitor = Visitor { shared: shared.clone(), peer: peer.clone() };
    let mut connection = Box::pin(shared.http.serve_connection_with_upgrades(TokioIo::new(io), visitor));
    let mut is_draining = false;
    let ended = poll_fn(|cx: &mut Context<'_>| {
        peer.waker.register(cx.waker());
        let signal = peer.signal.load(Ordering::Acquire);
        if signal >= Signal::Cut as u8 {
            return Poll::Ready(Ok(()));
        }
        if signal >= Signal::Drain as u8 && !is_draining {
            is_draining = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    drop(connection);
    // Taken in any case: it holds the peer that holds it.
    let tunnel = peer.tunnel.lock().take();
    match (ended, tunnel) {
        (Ok(()), Some(tunnel)) => unless_told(peer, tunnel).await.unwrap_or_default(),
        (Ok(()), None) => {}
        (Err(error), _) => tracing::debug!(peer = %peer.ip, error = %error, "connection ended early"),
    }
}

/// Does what comes before the first request, or after the last; `None` if the connection is told to end first.
async fn unless_told<T>(peer: &Peer, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx: &mut Context<'_>| {
        peer.waker.register(cx.waker());
        match peer.signal.load(Ordering::Acquire) {
            0 => work.as_mut().poll(cx).map(Some),
            _ => Poll::Ready(None),
        }
    })
    .await
}

/// Runs what hyper spawns for h2 streams where the server's end waits for it.
#[derive(Clone)]
pub(super) struct TrackedExecutor(TaskTracker);

impl<F> hyper::rt::Executor<F> for TrackedExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Answers the requests of one connection.
struct Visitor {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
}

impl Service<Request<Incoming>> for Visitor {
    type Response = Response<EdgeBody>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        proxy::dispatch(&self.shared, &self.peer, Upload::of(request, &self.peer))
    }
}

/// An answer that is there at once, as from the cache, or one to wait for.
#[expect(clippy::large_enum_variant, reason = "boxing the answer that is there would cost what it saves")]
pub(super) enum Answer {
    /// There; taken by the first poll.
    Ready(Option<Response<EdgeBody>>),
    /// To wait for.
    Later(Pin<Box<dyn Future<Output = Response<EdgeBody>> + Send>>),
}

impl Answer {
    /// An answer that is there.
    pub(super) fn ready(response: Response<EdgeBody>) -> Self {
        Self::Ready(Some(response))
    }
}

impl Future for Answer {
    type Output = Result<Response<EdgeBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Ready(response) => Poll::Ready(Ok(response.take().expect("an answer is polled until it is ready"))),
            Self::Later(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}
