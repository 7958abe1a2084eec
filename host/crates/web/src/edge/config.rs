//! What the edge is told by the operator, and every limit it holds visitors to, with its reason.

use std::time::Duration;

use ipnet::IpNet;

use super::context::Scheme;
use super::tls::Tls;

/// From accept to the end of the first request's head. A browser needs milliseconds; a client that dribbles bytes to hold
/// a connection gets no more than this.
pub const FIRST_HEAD: Duration = Duration::from_secs(10);
/// From the first byte of a later head to its end, for the same reason.
pub const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request: longer than the pause between a page and its next click's
/// resources, shorter than what would let idle visitors fill the connection table.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// The longest silence within a request's body. Mobile networks pause for seconds, not for half a minute.
pub const BODY_IDLE: Duration = Duration::from_secs(30);
/// How long bytes may wait for a visitor who takes none. A guest and its memory are held meanwhile.
pub const WRITE_IDLE: Duration = Duration::from_secs(60);
/// How long requests in flight may go on once the host is told to stop.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Largest request body for a Space. Bodies are streamed, so this bounds time and traffic, not memory; it leaves room for
/// the uploads that model demos live on.
pub const REQUEST_BODY: u64 = 1 << 30;
/// Bytes of responses kept in memory: enough for the hot files of some hundred Spaces, little beside the guests.
pub const CACHE_BYTES: u64 = 256 << 20;
/// Connections of one address (one /64 in IPv6). An office behind one address opens six a browser; one machine must not
/// take all that the process has.
pub const CONNECTIONS_PER_IP: usize = 1024;
/// Share of the process's file descriptors that visitors' connections may take; the rest is for files, guests'
/// outgoing connections and git.
pub const DESCRIPTOR_SHARE: f64 = 0.7;
/// Connections when the descriptor limit cannot be read or is "unlimited": at some 30 KiB each within two gigabytes.
pub const MAX_CONNECTIONS: usize = 65_536;

/// What the edge is told by the operator.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The hub's host name, with its public port if that is not the scheme's own.
    pub domain: String,
    /// The host name under which Spaces have theirs, likewise with its port.
    pub spaces_domain: String,
    /// How visitors reach this host, as far as a trusted proxy does not say otherwise.
    pub public_scheme: Scheme,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// Connections at once, all together.
    pub max_connections: usize,
    /// Connections at once of one address; loopback and trusted proxies are exempt.
    pub max_connections_per_ip: usize,
    /// Largest request body for a Space, in bytes.
    pub max_request_body: u64,
    /// Weight of the response cache, in bytes.
    pub cache_bytes: u64,
    /// The operator's certificate; without one connections are plain, as from a proxy that has ended TLS.
    pub tls: Option<Tls>,
}

/// How long things may take; see the constants of this module for the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From accept to the end of the first head.
    pub first_head: Duration,
    /// From the first byte of a later head to its end.
    pub head: Duration,
    /// From a response to the next request.
    pub keep_alive: Duration,
    /// Silence within a request's body.
    pub body_idle: Duration,
    /// A visitor who takes no bytes.
    pub write_idle: Duration,
    /// Requests in flight after the word to stop.
    pub drain: Duration,
}

impl EdgeConfig {
    /// The defaults for a hub at `domain`, with its Spaces beneath it.
    pub fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            spaces_domain: domain.to_owned(),
            public_scheme: Scheme::Http,
            trusted_proxies: Vec::new(),
            deadlines: Deadlines {
                first_head: FIRST_HEAD,
                head: HEAD,
                keep_alive: KEEP_ALIVE,
                body_idle: BODY_IDLE,
                write_idle: WRITE_IDLE,
                drain: DRAIN,
            },
            max_connections: connections_allowed(),
            max_connections_per_ip: CONNECTIONS_PER_IP,
            max_request_body: REQUEST_BODY,
            cache_bytes: CACHE_BYTES,
            tls: None,
        }
    }
}

/// [`DESCRIPTOR_SHARE`] of the descriptors the process may open now.
fn connections_allowed() -> usize {
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        Some(limit) => ((limit as f64 * DESCRIPTOR_SHARE) as usize).clamp(1, MAX_CONNECTIONS),
        None => MAX_CONNECTIONS,
    }
}
