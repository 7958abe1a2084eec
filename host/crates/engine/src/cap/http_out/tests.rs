//! Outgoing HTTP against servers on loopback addresses that the policy of the test exempts, each test on its own.

mod limits;
mod policy;
mod pool;
mod server;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use parking_lot::Mutex;
use spaceport_core::egress::EgressPolicy;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpHooks};

use super::{EgressHooks, EgressLimits, EgressShared, SpaceEgress, Table};
use crate::log::GuestLog;

/// A log that can be read.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl GuestLog for Lines {
    fn write(&self, text: &[u8]) {
        self.0.lock().push(String::from_utf8(text.to_vec()).unwrap());
    }
}

impl Lines {
    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// One Space with one instance.
struct Space {
    hooks: EgressHooks,
    egress: Arc<SpaceEgress>,
    log: Arc<Lines>,
    names: Table,
}

impl Space {
    fn new(allow: &[&str]) -> Self {
        Self::with_limits(allow, EgressLimits::default())
    }

    fn with_limits(allow: &[&str], limits: EgressLimits) -> Self {
        let policy = EgressPolicy {
            operator_allow: allow.iter().map(|range| range.parse().unwrap()).collect(),
            ..EgressPolicy::default()
        };
        let names = Table::default();
        let shared = EgressShared::with_resolver(Arc::new(names.clone()));
        Self::of(policy, &shared, limits, names)
    }

    fn of(policy: EgressPolicy, shared: &EgressShared, limits: EgressLimits, names: Table) -> Self {
        let egress = Arc::new(SpaceEgress::with_limits(policy, "ada/space", shared, limits));
        let log = Arc::new(Lines::default());
        let hooks = EgressHooks::new(egress.clone(), log.clone());
        Self { hooks, egress, log, names }
    }

    fn name(&self, name: &str, answers: &[&[&str]]) {
        let address = |text: &&str| text.parse::<IpAddr>().unwrap();
        self.names.insert(name, answers.iter().map(|answer| answer.iter().map(address).collect()).collect());
    }

    /// Starts a request; the future is free of the instance.
    fn send(&mut self, request: Request<WasiBody>) -> impl Future<Output = Result<Response<WasiBody>, Error>> + use<> {
        let sending = self.hooks.send_request(request, None, Box::new(async { Ok(()) }));
        async move { Box::into_pin(sending).await.map(|(response, _)| response) }
    }

    fn get(&mut self, url: &str) -> impl Future<Output = Result<Response<WasiBody>, Error>> + use<> {
        self.send(Request::get(url).body(empty()).unwrap())
    }

    async fn text(&mut self, url: &str) -> Result<String, Error> {
        text(self.get(url).await?).await
    }
}

fn empty() -> WasiBody {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}

async fn text(response: Response<WasiBody>) -> Result<String, Error> {
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec()).unwrap())
}
