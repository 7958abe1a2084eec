//! From a name to addresses, once per connection.
//!
//! Names are asked for as they stand: the search list of the host's resolver configuration is for the host's own names,
//! and a guest that asks for `db` must not get `db.internal.example`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Resolver, TokioResolver};
use parking_lot::Mutex;
use wasmtime_wasi_http::Error;

use super::limits::{ADDRESSES, RESOLVER_CACHE, RESOLVER_MAX_TTL, RESOLVER_MIN_TTL};

/// Tries of one question within the time that a lookup has.
const ATTEMPTS: usize = 2;
/// How long one try waits for an answer; with the tries it fits into the time of a lookup.
const ATTEMPT: Duration = Duration::from_millis(1400);

/// What turns names into addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, which is in lower case and has no dot at its end.
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, ResolveError>>;
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such name, or it has no address.
    #[error("no such name")]
    NotFound,
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is an error, or there is nobody to ask.
    #[error("{0}")]
    Failed(String),
}

impl From<ResolveError> for Error {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound => Self::DnsError { rcode: Some("NXDOMAIN".into()), info_code: None },
            ResolveError::Timeout => Self::DnsTimeout,
            ResolveError::Failed(_) => Self::DnsError { rcode: Some("SERVFAIL".into()), info_code: None },
        }
    }
}

/// The name servers that the system is configured with.
pub(super) struct System(Result<TokioResolver, String>);

impl System {
    /// Reads the configuration. A machine without one is no error before a name is asked for.
    pub(super) fn new() -> Self {
        Self(Self::open().map_err(|error| error.to_string()))
    }

    fn open() -> Result<TokioResolver, NetError> {
        let (mut config, mut options) = read_system_conf()?;
        config.domain = None;
        config.search = Vec::new();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = ATTEMPT;
        options.attempts = ATTEMPTS;
        options.cache_size = RESOLVER_CACHE;
        options.positive_min_ttl = Some(RESOLVER_MIN_TTL);
        options.negative_min_ttl = Some(RESOLVER_MIN_TTL);
        options.positive_max_ttl = Some(RESOLVER_MAX_TTL);
        options.negative_max_ttl = Some(RESOLVER_MAX_TTL);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
    }
}

impl Resolve for System {
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, ResolveError>> {
        let resolver = self.0.clone();
        Box::pin(async move {
            let resolver = resolver.map_err(ResolveError::Failed)?;
            match resolver.lookup_ip(format!("{name}.")).await {
                Ok(answer) => Ok(answer.iter().take(ADDRESSES).collect()),
                Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Err(ResolveError::NotFound),
                Err(NetError::Timeout) => Err(ResolveError::Timeout),
                Err(error) => Err(ResolveError::Failed(error.to_string())),
            }
        })
    }
}

/// A fixed table of answers: for each name one after the other, the last for ever. For hosts with names of their own
/// and for tests of names whose answer changes.
#[derive(Clone, Default)]
pub struct Table {
    names: Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>,
    lookups: Arc<AtomicUsize>,
}

impl Table {
    /// Adds a name with its answers in the order in which they are given.
    pub fn insert(&self, name: &str, answers: Vec<Vec<IpAddr>>) {
        self.names.lock().insert(name.to_owned(), answers);
    }

    /// Lookups made so far.
    pub fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

impl Resolve for Table {
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, ResolveError>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut names = self.names.lock();
        let answer = names.get_mut(&name).and_then(|answers| match answers.len() {
            0 => None,
            1 => answers.first().cloned(),
            _ => Some(answers.remove(0)),
        });
        Box::pin(async move { answer.ok_or(ResolveError::NotFound) })
    }
}
