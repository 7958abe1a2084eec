//! Xet, the other way to send large files: not offered. Clients that have it installed use nothing else, so they are told
//! what to do.

use axum::extract::State;
use http::StatusCode;
use spaceport_core::permission::Action;

use super::told_to;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::SpaceAt;
use crate::router::AppState;

/// What a client is told that asks for a token for it.
const REFUSAL: &str = "This host does not speak Xet, which files this large are sent by when hf_xet is installed. Set the \
                       environment variable HF_HUB_DISABLE_XET=1 and try again, or push the file with git and git-lfs";

/// Answers whoever asks for a token, if the Space may be seen.
pub(crate) async fn refuse(State(app): State<AppState>, Caller(actor): Caller, SpaceAt(path): SpaceAt) -> ApiError {
    match app.control.space(&actor, &path, Action::See) {
        Ok(_) => ApiError::new(StatusCode::BAD_REQUEST, "XetNotOffered", REFUSAL),
        Err(error) => told_to(&actor)(error),
    }
}
