//! One request from the guest's hands to the head of its response.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Progress, RequestBody, ResponseBody};
use super::connect::{Connection, connect, interleaved};
use super::error::from_hyper;
use super::hooks::is_forbidden;
use super::lease::Lease;
use super::limits::{ADDRESSES, EgressLimits};
use super::resolve::ResolveError;
use super::space::SpaceEgress;
use super::target::{BadTarget, Host, Target};
use crate::log::GuestLog;

/// Headers by which proxies vouch for a visitor. A guest may read those of its own visitors, and vouches for nobody.
const VOUCHING: [HeaderName; 2] = [HeaderName::from_static("forwarded"), HeaderName::from_static("x-real-ip")];
/// The same, by their beginning.
const VOUCHING_PREFIX: &str = "x-forwarded-";

/// Who asks.
pub(super) struct Caller {
    pub(super) space: Arc<SpaceEgress>,
    pub(super) instance: Arc<Semaphore>,
    pub(super) log: Arc<dyn GuestLog>,
}

impl Caller {
    /// Sends a request under the Space's policy and limits.
    pub(super) async fn send(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        self.space.count(|counts| counts.requests.fetch_add(1, Ordering::Relaxed));
        let outcome = self.exchange(request, options.unwrap_or_default()).await;
        if let Err(error) = &outcome
            && !matches!(error, Error::HttpRequestDenied | Error::ConnectionLimitReached)
        {
            self.space.count(|counts| counts.failed.fetch_add(1, Ordering::Relaxed));
        }
        outcome
    }

    async fn exchange(&self, request: Request<WasiBody>, asked: RequestOptions) -> Result<Response<WasiBody>, Error> {
        let limits = within(self.space.limits(), asked);
        let target = self.check(&request)?;
        let lease = Lease::take(&self.instance, &self.space.slots, limits.connect)
            .await
            .map_err(|_| self.space.limit(&*self.log, &"too many requests are open at once"))?;
        let progress = Progress::new();
        let mut request = prepare(request, &target)?
            .map(|body| RequestBody::new(body, self.space.clone(), progress.clone(), lease.clone()));
        // A kept connection may have died since: then the request comes back unsent and the next one is tried.
        let (mut connection, mut kept) = self.connection(&target, &limits).await?;
        let response = loop {
            match head(&mut connection, request, &progress, limits.head).await {
                Ok(response) => break response,
                Err(Unsent { request: Some(unsent), .. }) if kept => request = *unsent,
                Err(Unsent { error, .. }) => return Err(error),
            }
            (connection, kept) = self.connection(&target, &limits).await?;
        };
        let (space, idle) = (self.space.clone(), limits.idle);
        Ok(response.map(|body| ResponseBody::new(body, (target, connection), (space, lease), idle).boxed_unsync()))
    }

    /// What can be told from the URL alone.
    fn check(&self, request: &Request<WasiBody>) -> Result<Target, Error> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            self.space.refuse(&*self.log, &format_args!("{}: this method is not offered", request.method()));
            return Err(Error::HttpRequestMethodInvalid);
        }
        let target = match Target::parse(request.uri()) {
            Ok(target) => target,
            Err(BadTarget::Invalid) => return Err(Error::HttpRequestUriInvalid),
            Err(BadTarget::Denied(denied)) => return Err(self.space.refuse(&*self.log, &denied)),
        };
        match self.space.policy.check_request(target.scheme(), &target.host.text(), target.port, false) {
            Ok(()) => Ok(target),
            Err(denied) => Err(self.space.refuse(&*self.log, &denied)),
        }
    }

    /// A connection to the target, and whether it is one that was kept.
    async fn connection(&self, target: &Target, limits: &EgressLimits) -> Result<(Connection, bool), Error> {
        if let Some(connection) = self.space.pool().take(target) {
            return Ok((connection, true));
        }
        let addresses = self.addresses(target, limits.resolve).await?;
        let connection = connect(target, &interleaved(&addresses), || self.space.tls(), limits).await?;
        Ok((connection, false))
    }

    /// The target's addresses that the policy accepts. One lookup; all that follows uses its answer.
    async fn addresses(&self, target: &Target, wait: Duration) -> Result<Vec<IpAddr>, Error> {
        let mut found = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let lookup = timeout(wait, self.space.resolver.resolve(name.clone()));
                lookup.await.unwrap_or(Err(ResolveError::Timeout))?
            }
        };
        found.truncate(ADDRESSES);
        let host = target.host.text();
        let mut refused = None;
        found.retain(|address| match self.space.policy.check_address(&host, *address) {
            Ok(()) => true,
            Err(denied) => {
                refused.get_or_insert(denied);
                false
            }
        });
        match (found.is_empty(), refused) {
            (false, _) => Ok(found),
            (true, Some(denied)) => Err(self.space.refuse(&*self.log, &denied)),
            (true, None) => Err(ResolveError::NotFound.into()),
        }
    }
}

/// The Space's limits, or the guest's own where they are tighter.
fn within(limits: &EgressLimits, asked: RequestOptions) -> EgressLimits {
    let tighter = |limit: Duration, asked: Option<Duration>| asked.map_or(limit, |asked| asked.min(limit));
    EgressLimits {
        connect: tighter(limits.connect, asked.connect_timeout),
        tls: tighter(limits.tls, asked.connect_timeout),
        head: tighter(limits.head, asked.first_byte_timeout),
        idle: tighter(limits.idle, asked.between_bytes_timeout),
        ..limits.clone()
    }
}

/// The request as it goes over the wire: in origin form, addressed by the host that was checked, without headers that
/// are not the guest's to set. They get in by another way than its own hands where it passes on a request it received.
fn prepare(mut request: Request<WasiBody>, target: &Target) -> Result<Request<WasiBody>, Error> {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    clean(request.headers_mut());
    let host = HeaderValue::try_from(target.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

fn clean(headers: &mut HeaderMap) {
    let unwanted =
        |name: &HeaderName| is_forbidden(name) || VOUCHING.contains(name) || name.as_str().starts_with(VOUCHING_PREFIX);
    let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// A request that got no response; handed back where nothing of it was sent.
struct Unsent {
    error: Error,
    request: Option<Box<Request<RequestBody>>>,
}

/// Sends the request and waits for the head of its response, as long as the guest's body makes progress.
async fn head(
    connection: &mut Connection,
    request: Request<RequestBody>,
    progress: &Progress,
    wait: Duration,
) -> Result<Response<Incoming>, Unsent> {
    let mut sending = pin!(connection.sender.try_send_request(request));
    loop {
        tokio::select! {
            biased;
            outcome = &mut sending => return outcome.map_err(|mut failed| Unsent {
                request: failed.take_message().map(Box::new),
                error: from_hyper(failed.error()),
            }),
            () = sleep_until(progress.last() + wait) => {
                if progress.last() + wait <= Instant::now() {
                    return Err(Unsent { error: Error::HttpResponseTimeout, request: None });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_are_not_the_guests_are_taken_off() {
        let mut headers = HeaderMap::new();
        for name in
            ["host", "connection", "x-forwarded-for", "x-real-ip", "forwarded", "x-spaceport-hop", "accept", "via"]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        headers.append("x-forwarded-for", HeaderValue::from_static("again"));
        clean(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "via"]);
    }

    #[test]
    fn a_guest_can_tighten_its_time_limits_and_not_loosen_them() {
        let limits = EgressLimits::default();
        let asked = RequestOptions {
            connect_timeout: Some(Duration::from_secs(1)),
            first_byte_timeout: Some(Duration::from_secs(600)),
            between_bytes_timeout: None,
        };
        let limits = within(&limits, asked);
        assert_eq!((limits.connect, limits.tls), (Duration::from_secs(1), Duration::from_secs(1)));
        assert_eq!((limits.head, limits.idle), (Duration::from_secs(30), Duration::from_secs(30)));
    }
}
