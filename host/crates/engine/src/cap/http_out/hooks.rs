//! What wasi:http asks its host, answered for one instance. Requests of 0.2 and of 0.3 take the same way.

use std::sync::{Arc, LazyLock};

use http::uri::Scheme;
use http::{HeaderName, Request, Response};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p3::bindings::http::types as p3;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use super::exchange::Caller;
use super::limits::{CHUNK, SMALL_CHUNK, WHOLE_BODIES};
use super::space::SpaceEgress;
use crate::log::GuestLog;

/// Headers by which the platform speaks to itself. A guest neither sees nor sets them.
const PLATFORM_PREFIX: &str = "x-spaceport-";

/// Work that is still to do for a request after its response came.
type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// The outgoing HTTP of one instance.
pub struct EgressHooks {
    space: Arc<SpaceEgress>,
    log: Arc<dyn GuestLog>,
    slots: Arc<Semaphore>,
    /// Requests that may still be sent; not counted before the first visitor's request began.
    allowance: Option<u32>,
    /// Bodies made since a visitor's request began.
    bodies: u32,
}

impl EgressHooks {
    /// For an instance of the Space. Refusals go to `log`.
    pub fn new(space: Arc<SpaceEgress>, log: Arc<dyn GuestLog>) -> Self {
        let slots = Arc::new(Semaphore::new(space.limits().per_instance));
        Self { space, log, slots, allowance: None, bodies: 0 }
    }

    /// A visitor's request begins in this instance, one of `live`: it may send so many requests of its own. Beside
    /// others it adds to what they have left, up to the allowance of each.
    pub fn begin_request(&mut self, live: u64) {
        self.bodies = 0;
        let each = self.space.limits().per_request;
        let left = self.allowance.unwrap_or(0);
        self.allowance = Some(match u32::try_from(live).unwrap_or(u32::MAX) {
            0 | 1 => each,
            live => left.saturating_add(each).min(each.saturating_mul(live)),
        });
    }

    fn spend(&mut self) -> bool {
        match &mut self.allowance {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// Whether a header is the host's: hop-by-hop, framing, addressing, or the platform's own.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || name.as_str().starts_with(PLATFORM_PREFIX)
}

impl WasiHttpHooks for EgressHooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        static FILTER: LazyLock<ForbiddenHeaderFilter> = LazyLock::new(|| Arc::new(is_forbidden));
        FILTER.clone()
    }

    fn is_supported_scheme(&mut self, _scheme: &Scheme) -> bool {
        // All of them get as far as the policy, so that its refusal is one more line in the Space's log.
        true
    }

    fn set_host_header(&mut self) -> bool {
        // Written from the checked target when the request goes out.
        false
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        // Nothing is guessed about where a request goes.
        None
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _response_read: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission), Error>> + Send> {
        if !self.spend() {
            let each = self.space.limits().per_request;
            let error =
                self.space.limit(&*self.log, &format_args!("more than {each} requests for one visitor's request"));
            return Box::new(std::future::ready(Err(error)));
        }
        let caller = Caller { space: self.space.clone(), instance: self.slots.clone(), log: self.log.clone() };
        Box::new(async move {
            let response = caller.send(request, options).await?;
            // The connection has a task of its own and needs no further driving.
            Ok((response, Box::new(std::future::ready(Ok(()))) as Transmission))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        1
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        // A body that is never sent keeps its buffers in the host for as long as the guest holds it.
        self.bodies = self.bodies.saturating_add(1);
        if self.bodies > WHOLE_BODIES { SMALL_CHUNK } else { CHUNK }
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> p2::ErrorCode {
        tracing::debug!(%error, "a body of a guest failed");
        p2::ErrorCode::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> p2::ErrorCode {
        tracing::debug!(%error, "a guest's connection failed");
        p2::ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> p2::ErrorCode {
        tracing::debug!(%error, "a guest's TLS handshake failed");
        p2::ErrorCode::TlsProtocolError
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_error_from_hyper(&mut self, error: &hyper::Error) -> p3::ErrorCode {
        tracing::debug!(%error, "a body of a guest failed");
        p3::ErrorCode::HttpProtocolError
    }

    fn p3_error_from_connect(&mut self, error: &std::io::Error) -> p3::ErrorCode {
        tracing::debug!(%error, "a guest's connection failed");
        p3::ErrorCode::ConnectionRefused
    }

    fn p3_error_from_tls(&mut self, error: &std::io::Error) -> p3::ErrorCode {
        tracing::debug!(%error, "a guest's TLS handshake failed");
        p3::ErrorCode::TlsProtocolError
    }
}
