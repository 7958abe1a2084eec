//! Discussions and pull requests: there are none on this host. Lists say so by being empty, everything else in words.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use spaceport_core::permission::Action;

use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Param, SpaceAt};
use crate::router::AppState;

/// The discussions of a Space.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?;
    Ok(Json(json!({ "count": 0, "start": 0, "numClosedDiscussions": 0, "discussions": [] })))
}

/// None can be opened.
pub(crate) async fn open(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?;
    let message = "Discussions and pull requests are not offered on this host: commit to a branch instead";
    Err(ApiError::new(StatusCode::BAD_REQUEST, "NotOffered", message))
}

/// So none has a number.
pub(crate) async fn one(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    Param(number): Param,
) -> ApiResult<Json<Value>> {
    app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?;
    let message = format!("There is no discussion {number:?} of this Space");
    Err(ApiError::new(StatusCode::NOT_FOUND, "DiscussionNotFound", message))
}
