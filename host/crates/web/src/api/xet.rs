//! Xet, the other way to send large files: not offered. Clients that have it installed use nothing else for what preupload
//! calls large, so they are told what to do: by a warning with preupload's answer, which they print, and by the refusal of a
//! token. Of that they show nothing but the address, hence its words.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use spaceport_core::permission::Action;

use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::SpaceAt;
use crate::router::AppState;

/// The address that refuses, in words.
pub(crate) const REFUSAL_PATH: &str =
    "/api/xet/is-not-offered-by-this-host:set-HF_HUB_DISABLE_XET=1-and-try-again,or-push-with-git-lfs";
/// The refusal.
const REFUSAL: &str = "This host does not speak Xet, which files this large are sent by when hf_xet is installed. Set the \
                       environment variable HF_HUB_DISABLE_XET=1 and try again, or push the file with git and git-lfs";
/// What is said before anybody asks for a token.
pub(super) const WARNING: &str = "large-files; Some of these files are too large for a commit and are sent by LFS. Where \
                                  hf_xet is installed, set the environment variable HF_HUB_DISABLE_XET=1, or push them \
                                  with git and git-lfs: this host does not speak Xet";

/// Leads whoever asks for a token to the refusal, if the Space may be seen.
pub(crate) async fn token(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?;
    Ok(Redirect::temporary(REFUSAL_PATH).into_response())
}

/// The refusal.
pub(crate) async fn refuse() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "XetNotOffered", REFUSAL)
}
