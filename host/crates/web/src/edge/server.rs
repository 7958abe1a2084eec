//! The accept loop: connections in, under caps; and their orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Edge;
use super::caps::Connections;
use super::connection::{self, Peer, Signal, TrackedExecutor};

/// Pause after an accept that failed for want of descriptors or memory: long enough for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After how much silence the kernel asks an idle peer whether it is there.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What every connection of a server shares.
pub(super) struct Shared {
    pub(super) edge: Arc<Edge>,
    pub(super) hub: Router,
    pub(super) hub_runtime: Handle,
    pub(super) tasks: TaskTracker,
    pub(super) http: auto::Builder<TrackedExecutor>,
    connections: Arc<Connections>,
}

/// How the end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because their requests did not end in time.
    pub cut: usize,
}

/// Serves connections of all `listeners` on the current runtime until `shutdown` is ready, then lets requests in flight
/// end within the configured time and cuts off the rest. Requests for the hub run on `hub_runtime`.
pub async fn serve(
    listeners: Vec<TcpListener>,
    hub: Router,
    hub_runtime: Handle,
    edge: Arc<Edge>,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared {
        connections: Connections::new(&edge.config),
        http: connection::http_builder(tasks.clone()),
        tasks: tasks.clone(),
        edge,
        hub,
        hub_runtime,
    });
    for listener in listeners {
        tasks.spawn(accept(listener, shared.clone(), stop.clone()));
    }
    shutdown.await;
    stop.cancel();
    tasks.close();
    shared.connections.end(Signal::Drain);
    let in_time = tokio::time::timeout(shared.edge.config.deadlines.drain, tasks.wait()).await;
    if in_time.is_ok() {
        return Drained { cut: 0 };
    }
    let cut = shared.connections.len();
    tracing::warn!(connections = cut, "cutting off connections whose requests did not end in time");
    shared.connections.end(Signal::Cut);
    // What the cut connections leave behind (bodies, guests' calls) ends by being dropped; nothing here waits for a peer.
    let _ = tokio::time::timeout(ACCEPT_PAUSE * 20, tasks.wait()).await;
    Drained { cut }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => admit(stream, address, &shared),
            Err(error) if concerns_one_peer(&error) => {}
            Err(error) => {
                // Connections wait in the kernel's queue meanwhile; those that end give their descriptors back.
                tracing::warn!(error = %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Begins to serve a connection, or closes it at once if there is no place for it.
fn admit(stream: TcpStream, address: SocketAddr, shared: &Arc<Shared>) {
    let peer = Peer::new(address.ip());
    let Some(permit) = shared.connections.admit(&peer, &shared.edge.config) else {
        tracing::debug!(peer = %peer.ip, "no place for another connection");
        return;
    };
    if let Err(error) = set_options(&stream, shared.edge.config.deadlines.write_idle) {
        tracing::debug!(peer = %peer.ip, error = %error, "connection ended before it began");
        return;
    }
    shared.tasks.spawn(connection::run(shared.clone(), stream, peer, permit));
}

/// No delay for small frames; peers that are gone are noticed even where the kernel alone waits for them.
fn set_options(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, patience_ms)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, TCP_KEEP_ALIVE)?;
    Ok(())
}

/// Errors of `accept` that are about a connection which is already gone, not about us.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
