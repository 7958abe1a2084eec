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
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
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
        let open = || {
            let (config, options) = read_system_conf()?;
            Self::with(config, options)
        };
        Self(open().map_err(|error| error.to_string()))
    }

    fn with(mut config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, NetError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
    use tokio::net::UdpSocket;

    /// A name server that knows `known.test`, denies every other name, and keeps silent about `silent.test`. Tells what
    /// it was asked.
    async fn server() -> (System, Arc<Mutex<Vec<String>>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut server = ConnectionConfig::udp();
        server.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new("127.0.0.1".parse().unwrap(), true, vec![server]);
        let config = ResolverConfig::from_parts(Some("inside.test".parse().unwrap()), vec![], vec![server]);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = asked.clone();
        tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = answer(&packet[..length], &questions) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        (System(System::with(config, ResolverOpts::default()).map_err(|error| error.to_string())), asked)
    }

    fn answer(question: &[u8], asked: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
        let (mut name, mut at) = (String::new(), 12);
        while question[at] > 0 {
            let end = at + 1 + usize::from(question[at]);
            name += std::str::from_utf8(&question[at + 1..end]).unwrap();
            name.push('.');
            at = end;
        }
        let (kind, end) = (question[at + 2], at + 5);
        asked.lock().push(name.to_lowercase());
        let address: Option<&[u8]> = match (name.to_lowercase().as_str(), kind) {
            ("silent.test.", _) => return None,
            ("known.test.", 1) => Some(&[192, 0, 2, 7]),
            _ => None,
        };
        let known = name.to_lowercase() == "known.test.";
        let mut answer = question[..2].to_vec();
        // An answer to a recursive question; the last four bits say whether there is such a name.
        answer.extend([0x81, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
        answer.extend(&question[12..end]);
        if let Some(address) = address {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(address);
        }
        Some(answer)
    }

    #[tokio::test]
    async fn names_are_asked_for_as_they_stand_and_answers_remembered() {
        let (system, asked) = server().await;
        for _ in 0..3 {
            assert_eq!(system.resolve("known.test".into()).await, Ok(vec!["192.0.2.7".parse().unwrap()]));
        }
        assert_eq!(*asked.lock(), ["known.test.", "known.test."], "once for each family");
        assert_eq!(system.resolve("unknown".into()).await, Err(ResolveError::NotFound));
        assert!(!asked.lock().iter().any(|name| name.contains("inside")), "{:?}", asked.lock());
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up_within_the_time_of_a_lookup() {
        let (system, _) = server().await;
        let started = std::time::Instant::now();
        assert_eq!(system.resolve("silent.test".into()).await, Err(ResolveError::Timeout));
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    }
}
