//! A front door on a free port, fake Spaces behind it, and clients that speak plain bytes, HTTP/1.1 and h2c.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use spaceport_control::metrics::SpaceMetrics;
use spaceport_control::ports::{Body, Clock, Mount, Upstream, Usage};
use spaceport_control::routes::{RouteEntry, RouteSlot, RouteTable, RouteTarget};
use spaceport_core::fault::Fault;
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::permission::Subject;
use spaceport_core::space::{Sdk, Visibility};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::edge::config::EdgeConfig;
use crate::edge::server::{Drained, serve};
use crate::edge::{Edge, Platform, WakeRefusal};

/// Longest a test waits for what it expects.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Front {
    pub(super) addr: SocketAddr,
    pub(super) routes: Arc<RouteTable>,
    pub(super) platform: Arc<FakePlatform>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
}

impl Front {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(super) async fn start_with(configure: impl FnOnce(&mut EdgeConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut config = EdgeConfig::new(&format!("localhost:{}", addr.port()));
        configure(&mut config);
        let (routes, platform) = (Arc::new(RouteTable::default()), Arc::new(FakePlatform::default()));
        let edge = Edge::new(config, routes.clone(), platform.clone(), Arc::new(StoppedClock));
        let (stop, stopped) = oneshot::channel::<()>();
        let hub = hub();
        let served = tokio::spawn(async move {
            serve(vec![listener], hub, tokio::runtime::Handle::current(), edge, async move {
                let _ = stopped.await;
            })
            .await
        });
        Self { addr, routes, platform, stop, served }
    }

    /// A Space at `<name>.localhost` that answers by `answer`.
    pub(super) fn space<F, R>(&self, name: &str, answer: F) -> Space
    where
        F: Fn(Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<Body>, Fault>> + Send + 'static,
    {
        self.space_in(Path::new("/"), name, answer)
    }

    /// The same with its revision in a directory.
    pub(super) fn space_in<F, R>(&self, app: &Path, name: &str, answer: F) -> Space
    where
        F: Fn(Request<Body>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response<Body>, Fault>> + Send + 'static,
    {
        let upstream = Arc::new(FakeUpstream {
            answer: Box::new(move |request| Box::pin(answer(request))),
            calls: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let dir = Dir::open_ambient_dir(app, ambient_authority()).unwrap();
        let app = Mount { path: app.to_owned(), dir: Arc::new(dir) };
        let slot = RouteSlot::new(entry(name, live(&upstream, &app)), Arc::new(SpaceMetrics::default()));
        self.routes.update(vec![(format!("{name}.localhost"), slot.clone())], &[]);
        Space { host: format!("{name}.localhost:{}", self.addr.port()), name: name.to_owned(), slot, upstream, app }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    pub(super) async fn raw(&self, sent: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may close while we still send.
        let _ = stream.write_all(sent.as_ref()).await;
        read_to_end(&mut stream).await
    }

    /// One request over HTTP/1.1 on a connection of its own.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        Reply::read(self.h1().await.send_request(request).await.unwrap()).await
    }

    pub(super) async fn get(&self, host: &str, path: &str) -> Reply {
        self.get_with(host, path, &[]).await
    }

    pub(super) async fn get_with(&self, host: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(get(host, path, headers)).await
    }

    pub(super) async fn h1(&self) -> http1::SendRequest<Full<Bytes>> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(super) async fn h2(&self) -> http2::SendRequest<Full<Bytes>> {
        self.h2_with(|_| {}).await
    }

    pub(super) async fn h2_with(
        &self,
        configure: impl FnOnce(&mut http2::Builder<TokioExecutor>),
    ) -> http2::SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        configure(&mut builder);
        let (sender, connection) = builder.handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Begins to drain; the future says how it went.
    pub(super) fn drain(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        self.served
    }
}

pub(super) fn get(host: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::get(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

pub(super) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    // A reset is an end as well.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&received).into_owned()
}

/// Waits for a condition without guessing how long it takes.
#[track_caller]
pub(super) fn eventually(
    what: &'static str,
    condition: impl Fn() -> bool + Send + Sync + 'static,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"));
    })
}

pub(super) struct Space {
    pub(super) host: String,
    pub(super) slot: Arc<RouteSlot>,
    pub(super) upstream: Arc<FakeUpstream>,
    name: String,
    app: Mount,
}

impl Space {
    /// Publishes a changed entry, as the control plane does.
    pub(super) fn change(&self, change: impl FnOnce(&mut RouteEntry)) {
        let old = self.slot.entry.load_full();
        let mut new = entry(&self.name, live(&self.upstream, &self.app));
        new.visibility = old.visibility;
        new.sdk = old.sdk;
        new.generation = old.generation;
        change(&mut new);
        self.slot.entry.store(Arc::new(new));
    }

    pub(super) fn calls(&self) -> usize {
        self.upstream.calls.load(Ordering::SeqCst)
    }

    /// The head of the last request that the guest saw.
    pub(super) fn seen(&self) -> Request<()> {
        self.upstream.seen.lock().take().expect("the guest was called")
    }

    pub(super) fn live_entry(&self) -> Arc<RouteEntry> {
        Arc::new(entry(&self.name, live(&self.upstream, &self.app)))
    }
}

fn live(upstream: &Arc<FakeUpstream>, app: &Mount) -> RouteTarget {
    RouteTarget::Live { upstream: upstream.clone(), app: app.clone() }
}

fn entry(name: &str, target: RouteTarget) -> RouteEntry {
    let mut id = [0; 12];
    for (byte, letter) in id.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    RouteEntry {
        space: SpaceId::from_bytes(id),
        path: format!("ada/{name}").parse().unwrap(),
        owner: AccountId::from_bytes([7; 12]),
        creator: AccountId::from_bytes([7; 12]),
        visibility: Visibility::Public,
        sdk: Sdk::Wasm,
        generation: 1,
        custom_headers: Default::default(),
        disable_embedding: false,
        headers: Default::default(),
        target,
    }
}

type FakeAnswer = dyn Fn(Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Fault>> + Send + Sync;

pub(super) struct FakeUpstream {
    answer: Box<FakeAnswer>,
    calls: AtomicUsize,
    seen: Mutex<Option<Request<()>>>,
}

impl Upstream for FakeUpstream {
    fn call(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Fault>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (parts, body) = request.into_parts();
        *self.seen.lock() = Some(Request::from_parts(parts.clone(), ()));
        (self.answer)(Request::from_parts(parts, body))
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    fn stop(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

type FakeWake = dyn Fn(SpaceId) -> BoxFuture<'static, Result<Arc<RouteEntry>, WakeRefusal>> + Send + Sync;

#[derive(Default)]
pub(super) struct FakePlatform {
    pub(super) wakes: AtomicUsize,
    wake: Mutex<Option<Arc<FakeWake>>>,
}

impl FakePlatform {
    pub(super) fn on_wake<R>(&self, wake: impl Fn(SpaceId) -> R + Send + Sync + 'static)
    where
        R: Future<Output = Result<Arc<RouteEntry>, WakeRefusal>> + Send + 'static,
    {
        *self.wake.lock() = Some(Arc::new(move |space| Box::pin(wake(space))));
    }
}

impl Platform for FakePlatform {
    fn wake(&self, space: SpaceId) -> BoxFuture<'static, Result<Arc<RouteEntry>, WakeRefusal>> {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        match self.wake.lock().clone() {
            Some(wake) => wake(space),
            None => Box::pin(async { Err(WakeRefusal::Later) }),
        }
    }

    fn may_visit(&self, token: String, _: SpaceId, _: Subject) -> BoxFuture<'static, bool> {
        Box::pin(async move { token == "sp_member" || token == "a.pass.here" })
    }
}

struct StoppedClock;

/// Where [`StoppedClock`] stands.
pub(super) const NOW: u64 = 1_800_000_000_000;

impl Clock for StoppedClock {
    fn now(&self) -> u64 {
        NOW
    }
}

/// A hub that echoes bodies and says what it was told of the request.
fn hub() -> Router {
    use crate::edge::RequestContext;
    use axum::Extension;
    use axum::routing::{get, post};
    Router::new()
        .route("/", get(|| async { "the hub" }))
        .route("/large", get(|| async { vec![b'x'; 1 << 20] }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("as a test wants")
                }
            }),
        )
        .route("/echo", post(|body: axum::body::Body| async { Response::new(body) }))
        .route(
            "/who",
            get(|Extension(context): Extension<RequestContext>| async move {
                format!("{} {}", context.client_ip, context.scheme.as_str())
            }),
        )
}

/// A response, read to its end.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) async fn read<B: http_body::Body<Data = Bytes> + Unpin>(response: Response<B>) -> Self
    where
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("the body ends").unwrap();
        Self { status: head.status, headers: head.headers, body: body.to_bytes() }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers)).to_str().unwrap()
    }

    /// The code of the error contract, which header and body must agree on.
    #[track_caller]
    pub(super) fn error(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["error"], self.header("x-spaceport-error"));
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(!body["message"].as_str().unwrap().is_empty());
        body["error"].as_str().unwrap().to_owned()
    }
}

/// A guest's answer.
pub(super) fn says(headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Result<Response<Body>, Fault> {
    let mut response = Response::builder();
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(full(body)).unwrap())
}

pub(super) fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// What comes on a connection, up to and with this text.
pub(super) async fn read_until(stream: &mut TcpStream, what: &str) -> String {
    let mut received = String::new();
    let reading = async {
        while !received.contains(what) {
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "closed after {received:?}");
            received.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {what:?}"));
    received
}
