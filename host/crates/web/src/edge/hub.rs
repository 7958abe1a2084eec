//! Requests for the hub: same connections, same hygiene, another runtime, so that a busy Space and a busy hub do not take
//! each other's threads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http::Response;
use http::header;
use tower::ServiceExt;

use super::body::EdgeBody;
use super::context::{RequestContext, X_REQUEST_ID};
use super::headers;
use super::proxy::Visit;
use super::request_body::{BodyWatch, WatchedBody};
use super::server::Shared;
use super::upload::Upload;
use crate::middleware::RequestId;

/// Runs a request through the hub's router on the control runtime. A visitor who leaves ends the response, not the
/// operation: what a handler has begun it finishes.
pub(super) async fn answer(
    shared: Arc<Shared>,
    mut visit: Visit,
    request: http::Request<Upload>,
) -> Response<EdgeBody> {
    let (mut parts, upload) = request.into_parts();
    headers::clean_request(&mut parts.headers);
    headers::set_forwarded(&mut parts.headers, &visit);
    // The hub writes its own line, which knows routes and actors.
    let line = visit.ledger.leave_log_to_hub();
    parts.extensions.insert(RequestId::given(visit.ledger.request_id.to_str().unwrap_or_default()));
    parts.extensions.insert(RequestContext {
        request_id: visit.ledger.request_id.clone(),
        client_ip: visit.ledger.client_ip,
        scheme: visit.scheme,
    });
    // Sizes are the handlers' affair; silence is ours.
    let idle = shared.edge.config.deadlines.body_idle;
    let body = Body::new(WatchedBody::new(upload, u64::MAX, idle, Arc::new(BodyWatch::default())));
    let answer = shared.hub.clone().oneshot(Request::from_parts(parts, body));
    let answer = shared.hub_runtime.spawn(shared.tasks.track_future(answer));
    match answer.await {
        Ok(Ok(response)) => {
            visit.ledger.answered(response.status(), false);
            let mut response = response.map(EdgeBody::hub);
            response.headers_mut().insert(X_REQUEST_ID, visit.ledger.request_id.clone());
            visit.close(&shared.edge, response)
        }
        Ok(Err(never)) => match never {},
        Err(error) => {
            tracing::error!(error = %error, request_id = ?visit.ledger.request_id, "a handler of the hub panicked");
            let mut response = Response::new(EdgeBody::full(r#"{"error":"internal_error"}"#.into()));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            response.headers_mut().insert(X_REQUEST_ID, visit.ledger.request_id.clone());
            visit.ledger.log_for_hub(line);
            visit.ledger.refused(response.status(), "internal_error", true);
            visit.close(&shared.edge, response)
        }
    }
}
