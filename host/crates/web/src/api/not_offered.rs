//! What clients of the Hub may ask for and this host does not do: each says so in words, and what there is instead. A request
//! for what is the case already is granted.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use spaceport_core::permission::Action;
use spaceport_core::space::Sdk;

use super::told_to;
use super::types::Runtime;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

const NO_VOLUMES: &str = "This host mounts no buckets and no other repositories into Spaces. For files that stay, ask for \
                          persistent storage at /data: POST /api/spaces/{owner}/{name}/storage {\"tier\": \"small\"}";

/// The body of `POST …/dev-mode`.
#[derive(Deserialize)]
pub(crate) struct DevMode {
    enabled: Option<bool>,
}

/// The body of `POST …/replicas`.
#[derive(Deserialize)]
pub(crate) struct Replicas {
    replicas: Option<u32>,
}

/// The body of `PUT …/volumes`.
#[derive(Deserialize)]
pub(crate) struct Volumes {
    volumes: Option<Vec<Value>>,
}

/// Dev mode is always off.
pub(crate) async fn dev_mode(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<DevMode>,
) -> ApiResult<Json<Runtime>> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    let runtime = app.control.runtime(&actor, &path).map_err(told_to(&actor))?;
    match body.enabled {
        None => Err(ApiError::bad_request("The body needs the member \"enabled\", true or false")),
        Some(true) if runtime.sdk == Sdk::Static => {
            Err(not_offered("Dev mode is not possible for a static Space: nothing of it runs"))
        }
        Some(true) => Err(not_offered(
            "This host has no dev mode: its Spaces are no machines to log in to. Push with git, or commit by the API; \
             the logs are at GET /api/spaces/{owner}/{name}/logs/run",
        )),
        Some(false) => Ok(Json(Runtime::from(&runtime))),
    }
}

/// There is one replica, whose instances grow and shrink in number by themselves.
pub(crate) async fn replicas(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Replicas>,
) -> ApiResult<Json<Runtime>> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    match body.replicas {
        None => Err(ApiError::bad_request("The body needs the member \"replicas\", a number")),
        Some(1) => {
            let runtime = app.control.runtime(&actor, &path).map_err(told_to(&actor))?;
            Ok(Json(Runtime::from(&runtime)))
        }
        Some(_) => Err(not_offered(
            "This host runs each Space as one replica, with as many instances as its hardware allows: ask for larger \
             hardware instead",
        )),
    }
}

/// Volumes cannot be mounted; no volumes at all is how it is.
pub(crate) async fn set_volumes(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Volumes>,
) -> ApiResult<Json<Runtime>> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    if body.volumes.is_none() {
        return Err(ApiError::bad_request("The body needs the member \"volumes\", a list"));
    }
    refuse_volumes(body.volumes.as_deref())?;
    let runtime = app.control.runtime(&actor, &path).map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// There are none to be removed.
pub(crate) async fn delete_volumes(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    Err(ApiError::bad_request("This Space has no volumes"))
}

/// Refuses volumes, unless there are none.
pub(super) fn refuse_volumes(volumes: Option<&[Value]>) -> ApiResult<()> {
    match volumes {
        None | Some([]) => Ok(()),
        Some(_) => Err(not_offered(NO_VOLUMES)),
    }
}

/// A refusal that says what there is instead.
pub(super) fn not_offered(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "NotOffered", message)
}
