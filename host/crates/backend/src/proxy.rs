//! The way to a running instance: HTTP/1.1 to its address, bodies as they come in both directions, and upgrades.
//!
//! Nothing is read ahead of who takes it: a slow reader slows the other side down. Connections are kept for the next
//! request and belong to this instance alone, so that none is left to whoever gets its address later.

mod body;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::watch;
use tokio::time::timeout;

pub use body::ProxyBody;

/// Longest wait for a connection: the other end is on this machine or next to it.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept for a next request: shorter than common servers keep theirs, so that we are the ones who
/// end it.
const KEEP: Duration = Duration::from_secs(4);
/// Connections that are kept at the same time.
const KEPT: usize = 64;
/// Bytes of the head of an answer.
const HEAD: usize = 128 << 10;
/// Headers of an answer.
const HEADERS: usize = 256;

/// Why an instance did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It takes no connection.
    #[error("it takes no connection: {0}")]
    Unreachable(String),
    /// It ended the connection, or spoke no HTTP.
    #[error("it broke off its answer: {0}")]
    Broken(String),
    /// It did not begin to answer in time.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// It is being stopped.
    #[error("it is being stopped")]
    Stopped,
}

/// Calls one instance.
pub struct Proxy<B> {
    client: Client<HttpConnector, B>,
    authority: Authority,
    silence: Duration,
    open: watch::Sender<Open>,
}

/// What goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    requests: usize,
    is_closed: bool,
}

impl<B> Proxy<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// The way to an address. `silence` is how long an instance may keep a request waiting for the next byte of its answer.
    pub fn new(address: SocketAddr, silence: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP)
            .pool_max_idle_per_host(KEPT)
            .http1_max_buf_size(HEAD)
            .http1_max_headers(HEADERS)
            .build(connector);
        let authority = Authority::try_from(address.to_string()).expect("an address is an authority");
        Self { client, authority, silence, open: watch::Sender::default() }
    }

    /// Sends a request, whose URI is in origin form and whose headers are those that the instance is to see; waits for the
    /// head of the answer. After 101 the connection is in the answer's extensions.
    pub fn call(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<ProxyBody>, ProxyError>> + Send + use<B> {
        let place = self.enter();
        let (silence, sent) = (self.silence, self.address(request).map(|request| self.client.request(request)));
        async move {
            let place = place?;
            let response = timeout(silence, sent?).await.map_err(|_| ProxyError::Silent(silence))?;
            let response = response.map_err(|error| match error.is_connect() {
                true => ProxyError::Unreachable(innermost(&error)),
                false => ProxyError::Broken(innermost(&error)),
            })?;
            Ok(response.map(|body: Incoming| ProxyBody::new(body, silence, place)))
        }
    }

    /// Takes no more requests, and waits for those under way, at most so long.
    pub async fn close(&self, grace: Duration) {
        self.open.send_modify(|open| open.is_closed = true);
        let mut open = self.open.subscribe();
        let _ = timeout(grace, open.wait_for(|open| open.requests == 0)).await;
    }

    fn enter(&self) -> Result<Place, ProxyError> {
        let mut is_closed = false;
        self.open.send_if_modified(|open| {
            is_closed = open.is_closed;
            open.requests += usize::from(!is_closed);
            false
        });
        if is_closed { Err(ProxyError::Stopped) } else { Ok(Place(self.open.clone())) }
    }

    fn address(&self, mut request: Request<B>) -> Result<Request<B>, ProxyError> {
        let target = request.uri().path_and_query().cloned();
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(target.unwrap_or(http::uri::PathAndQuery::from_static("/")));
        let uri = Uri::from_parts(parts).map_err(|error| ProxyError::Broken(error.to_string()))?;
        *request.uri_mut() = uri;
        Ok(request)
    }
}

/// A request under way.
struct Place(watch::Sender<Open>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|open| open.requests -= 1);
    }
}

/// What is at the bottom of an error: the layers above only say that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
