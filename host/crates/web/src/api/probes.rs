//! Is the host alive, and can it answer.

use axum::extract::State;
use http::StatusCode;

use crate::router::AppState;

/// The process runs and takes requests.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Changes can be stored.
pub(crate) async fn ready(State(app): State<AppState>) -> (StatusCode, &'static str) {
    if app.control.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database takes no writes\n")
    }
}
