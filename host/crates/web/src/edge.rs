//! The edge: from an accepted connection to the answer of a Space.
//!
//! One request, as a straight line: [`server`] accepts under caps, `connection` speaks HTTP/1.1 or h2c under deadlines,
//! `route` finds who is meant by the host name alone, `cache` may answer at once, `proxy` wakes and calls the Space,
//! `headers` cleans both directions, `respond` turns what the Space said into what the visitor asked for (ranges,
//! conditions, compression), and the ledger in `body` counts and logs when the last byte is out.
//!
//! Invariants: a request touches no database and waits for no lock that another request holds across an await; whatever
//! a request holds (guards, permits, the guest's call) is dropped with its body; nothing a visitor sends is believed
//! beyond its own request; a body that fails in the middle is never ended cleanly; a request is read to its end
//! (`upload`), so that its answer arrives and its connection goes on. Neighbours: `spaceport_control::routes` is all
//! that is shared with the control plane; [`Platform`] is the door to the rest of it.

pub mod config;
pub mod server;
pub mod tls;

mod body;
mod budget;
mod cache;
mod caps;
mod compress;
mod conditional;
mod connection;
mod context;
mod deadline;
mod etag;
pub(crate) mod fault_page;
mod flights;
mod headers;
mod hub;
mod io;
mod pass;
mod proxy;
mod range;
mod refusal;
mod request_body;
mod respond;
mod route;
mod sendfile;
mod stall;
#[cfg(test)]
mod tests;
mod tunnel;
mod upload;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use spaceport_control::ports::Clock;
use spaceport_control::routes::{RouteEntry, RouteTable};
use spaceport_core::id::SpaceId;
use spaceport_core::permission::Subject;
use spaceport_core::stage::Stage;

use self::budget::Budget;
use self::cache::ResponseCache;
use self::config::EdgeConfig;
use self::flights::Flights;
use self::route::Hosts;

pub use self::context::{RequestContext, Scheme};

/// What the edge asks of the control plane, both only off the hot path.
pub trait Platform: Send + Sync + 'static {
    /// Wakes a sleeping Space and waits for it; one start for any number of waiters, with a deadline of its own.
    fn wake(&self, space: SpaceId) -> BoxFuture<'static, Result<Arc<RouteEntry>, WakeRefusal>>;

    /// Whether the bearer of this token, or of a pass to this Space, may visit its app, which is private.
    fn may_visit(&self, token: String, space: SpaceId, subject: Subject) -> BoxFuture<'static, bool>;
}

/// How many Spaces a request came through before this one; in the extensions of the request that an upstream gets, unless
/// there was none. An upstream that lets its guest reach this host again sends one more in `x-spaceport-hop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hops(pub u8);

/// Why a sleeping Space did not wake for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WakeRefusal {
    /// It did not start in time, or too many requests wait for it already; the next attempt may do better.
    #[error("the Space did not start in time")]
    Later,
    /// It cannot be woken: what its stage is instead.
    #[error("the Space is {stage}")]
    Unavailable {
        /// The stage.
        stage: Stage,
        /// Why, in a sentence that visitors may read.
        message: Option<String>,
    },
    /// Another Space has the hardware that it needs; what it waits for, in a sentence that visitors may read.
    #[error("{0}")]
    Waits(String),
    /// It no longer exists.
    #[error("the Space does not exist")]
    Gone,
}

/// Everything the requests share. One per process.
pub struct Edge {
    config: EdgeConfig,
    hosts: Hosts,
    hub_origin: String,
    embedding_policy: HeaderValue,
    routes: Arc<RouteTable>,
    platform: Arc<dyn Platform>,
    clock: Arc<dyn Clock>,
    cache: ResponseCache,
    budget: Arc<Budget>,
    flights: Flights,
}

impl Edge {
    /// An edge over this route table. Serves when handed to [`server::serve`].
    pub fn new(
        config: EdgeConfig,
        routes: Arc<RouteTable>,
        platform: Arc<dyn Platform>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let hub_origin = format!("{}://{}", config.public_scheme.as_str(), config.domain);
        let embedding_policy = HeaderValue::try_from(format!("frame-ancestors 'self' {hub_origin}"))
            .unwrap_or(HeaderValue::from_static("frame-ancestors 'self'"));
        Arc::new(Self {
            hosts: Hosts::new(&config.domain, &config.spaces_domain),
            cache: ResponseCache::new(config.cache_bytes),
            budget: Arc::new(Budget::new(config.cache_bytes)),
            flights: Flights::default(),
            hub_origin,
            embedding_policy,
            routes,
            platform,
            clock,
            config,
        })
    }
}
