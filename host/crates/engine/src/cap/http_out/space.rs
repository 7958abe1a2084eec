//! What a Space needs for outgoing HTTP, and what all Spaces share.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use spaceport_core::egress::EgressPolicy;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::Error;

use super::limits::{EgressLimits, TLS_SESSIONS};
use super::pool::Pool;
use super::refusals::Refusals;
use super::resolve::{Resolve, System};
use crate::log::GuestLog;

/// What the Spaces of a process share: the resolver, the system's trusted certificates and the sum of all counts.
///
/// Works on a machine without network and without certificates; requests fail there, nothing else.
pub struct EgressShared {
    resolver: Arc<dyn Resolve>,
    tls: Arc<ClientConfig>,
    counts: Arc<Counts>,
}

/// One Space's outgoing HTTP: its policy, its turns, its connections.
pub struct SpaceEgress {
    pub(super) policy: EgressPolicy,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) slots: Arc<Semaphore>,
    label: String,
    limits: EgressLimits,
    pool: Arc<Pool>,
    refusals: Refusals,
    base_tls: Arc<ClientConfig>,
    tls: OnceLock<Arc<ClientConfig>>,
    counts: Counts,
    total: Arc<Counts>,
}

/// Running counts.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

/// What was sent so far; only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EgressCounts {
    /// Requests that guests asked for.
    pub requests: u64,
    /// Those that a rule refused.
    pub denied: u64,
    /// Those that failed otherwise: names, connections, time-outs, caps.
    pub failed: u64,
    /// Bytes of request bodies.
    pub sent: u64,
    /// Bytes of response bodies.
    pub received: u64,
}

impl EgressShared {
    /// Reads the system's name servers and certificates.
    pub fn new() -> Self {
        Self::with_resolver(Arc::new(System::new()))
    }

    /// With another source of addresses than the system's name servers.
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        Self::with_resolver_and_roots(resolver, system_roots())
    }

    pub(super) fn with_resolver_and_roots(resolver: Arc<dyn Resolve>, roots: RootCertStore) -> Self {
        Self { resolver, tls: Arc::new(tls_config(roots)), counts: Arc::default() }
    }

    /// What all Spaces sent together.
    pub fn counts(&self) -> EgressCounts {
        self.counts.read()
    }
}

impl Default for EgressShared {
    fn default() -> Self {
        Self::new()
    }
}

impl SpaceEgress {
    /// With the platform's limits. `label` names the Space in the host's own log.
    pub fn new(policy: EgressPolicy, label: impl Into<String>, shared: &EgressShared) -> Self {
        Self::with_limits(policy, label, shared, EgressLimits::default())
    }

    /// With limits of one's own.
    pub fn with_limits(
        policy: EgressPolicy,
        label: impl Into<String>,
        shared: &EgressShared,
        limits: EgressLimits,
    ) -> Self {
        Self {
            policy,
            resolver: shared.resolver.clone(),
            slots: Arc::new(Semaphore::new(limits.per_space)),
            label: label.into(),
            pool: Pool::new(&limits),
            limits,
            refusals: Refusals::new(),
            base_tls: shared.tls.clone(),
            tls: OnceLock::new(),
            counts: Counts::default(),
            total: shared.counts.clone(),
        }
    }

    /// What the Space sent.
    pub fn counts(&self) -> EgressCounts {
        self.counts.read()
    }

    pub(super) fn limits(&self) -> &EgressLimits {
        &self.limits
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The Space's own TLS state: a session resumed by another Space would tell its server that the two are one host.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.tls
            .get_or_init(|| {
                let mut config = ClientConfig::clone(&self.base_tls);
                config.resumption = Resumption::in_memory_sessions(TLS_SESSIONS);
                Arc::new(config)
            })
            .clone()
    }

    pub(super) fn count(&self, add: impl Fn(&Counts) -> u64) {
        add(&self.counts);
        add(&self.total);
    }

    /// Tells the Space's owner why a request was refused; the guest learns only that it was.
    pub(super) fn refuse(&self, log: &dyn GuestLog, why: &dyn Display) -> Error {
        self.count(|counts| counts.denied.fetch_add(1, Ordering::Relaxed));
        tracing::debug!(space = %self.label, %why, "an outgoing request was refused");
        self.refusals.write(log, why);
        Error::HttpRequestDenied
    }

    /// The same for a limit, which has an error code of its own.
    pub(super) fn limit(&self, log: &dyn GuestLog, why: &dyn Display) -> Error {
        self.refuse(log, why);
        Error::ConnectionLimitReached
    }
}

impl Counts {
    fn read(&self) -> EgressCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EgressCounts {
            requests: get(&self.requests),
            denied: get(&self.denied),
            failed: get(&self.failed),
            sent: get(&self.sent),
            received: get(&self.received),
        }
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!("the system has no trusted certificates: Spaces cannot call https addresses");
    }
    roots
}

fn tls_config(roots: RootCertStore) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
