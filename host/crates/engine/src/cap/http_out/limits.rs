//! Every figure that bounds outgoing HTTP, with its reason.

use std::time::Duration;

/// Requests that one instance may have open at once, as on other platforms of this kind; more wait for a turn.
const PER_INSTANCE: usize = 6;
/// Requests that all instances of a Space may have open at once: each holds a socket of the host.
const PER_SPACE: usize = 32;
/// Requests that a guest may make for one request of a visitor: what an app needs, below what makes it an amplifier.
const PER_REQUEST: u32 = 50;
/// Longest wait for a name. Resolvers answer in milliseconds; behind this they are broken.
const RESOLVE: Duration = Duration::from_secs(3);
/// Longest wait for a turn and for the connection together with its fallbacks.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest TLS handshake; two round trips and a signature.
const TLS: Duration = Duration::from_secs(5);
/// Longest wait for the head of a response after the last byte of the request: a visitor waits as long for ours.
const HEAD: Duration = Duration::from_secs(30);
/// Longest silence between two pieces of a body.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes of one response: more than what an app fetches in one piece, less than an endless stream costs a node.
const RESPONSE_BYTES: u64 = 4 << 30;
/// How long an unused connection is kept: less than what common servers keep it, so that it is rarely found dead.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Unused connections kept to one origin.
const POOL_PER_ORIGIN: usize = 4;
/// Unused connections kept by a Space: half of what it may have in use.
const POOL_PER_SPACE: usize = 16;

/// Addresses of one name that are tried at most.
pub(super) const ADDRESSES: usize = 8;
/// Head start of one address before the next is tried beside it (RFC 8305, section 5).
pub(super) const HEAD_START: Duration = Duration::from_millis(250);
/// Answers that the resolver remembers.
pub(super) const RESOLVER_CACHE: u64 = 1024;
/// Shortest time an answer is remembered, whatever its TTL says: a guest cannot make us hammer a name server.
pub(super) const RESOLVER_MIN_TTL: Duration = Duration::from_secs(5);
/// Longest time an answer is remembered, so that a moved service is found again.
pub(super) const RESOLVER_MAX_TTL: Duration = Duration::from_secs(300);
/// Bytes of a piece of a body that a guest hands over, and of our read buffer: each open body can hold two of them.
pub(super) const CHUNK: usize = 64 << 10;
/// Bodies with such pieces that one request makes: its answer and a few requests of its own.
pub(super) const WHOLE_BODIES: u32 = 4;
/// The same for the bodies after them, so that hoarding what is never sent costs the host little.
pub(super) const SMALL_CHUNK: usize = 4 << 10;
/// Header fields in a response, as many as our own server takes in a request.
pub(super) const RESPONSE_HEADERS: usize = 100;
/// TLS sessions that a Space can resume; each costs about 2 KiB.
pub(super) const TLS_SESSIONS: usize = 32;
/// Refusals written to the log at once before they are counted only.
pub(super) const REFUSAL_BURST: u32 = 30;
/// Time after which one more refusal is written.
pub(super) const REFUSAL_EVERY: Duration = Duration::from_secs(2);

/// The limits of one Space's outgoing requests. The default is what the platform promises; tests shorten it.
#[derive(Debug, Clone)]
pub struct EgressLimits {
    /// Requests that one instance may have open at once.
    pub per_instance: usize,
    /// Requests that all instances may have open at once.
    pub per_space: usize,
    /// Requests for one request of a visitor.
    pub per_request: u32,
    /// Longest wait for a name.
    pub resolve: Duration,
    /// Longest wait for a turn, and for a connection.
    pub connect: Duration,
    /// Longest TLS handshake.
    pub tls: Duration,
    /// Longest wait for the head of a response.
    pub head: Duration,
    /// Longest silence between two pieces of a body.
    pub idle: Duration,
    /// Bytes of one response.
    pub response_bytes: u64,
    /// How long an unused connection is kept.
    pub pool_idle: Duration,
    /// Unused connections kept to one origin.
    pub pool_per_origin: usize,
    /// Unused connections kept by a Space.
    pub pool_per_space: usize,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            per_instance: PER_INSTANCE,
            per_space: PER_SPACE,
            per_request: PER_REQUEST,
            resolve: RESOLVE,
            connect: CONNECT,
            tls: TLS,
            head: HEAD,
            idle: IDLE,
            response_bytes: RESPONSE_BYTES,
            pool_idle: POOL_IDLE,
            pool_per_origin: POOL_PER_ORIGIN,
            pool_per_space: POOL_PER_SPACE,
        }
    }
}
