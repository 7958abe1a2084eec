//! Previews of branches and pull requests.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::PreviewView;

use super::items::ListAt;
use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

/// The body of `POST` and `DELETE …/previews`.
#[derive(Deserialize)]
pub(crate) struct Reference {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

impl Reference {
    fn require(self) -> ApiResult<String> {
        let missing = || ApiError::bad_request("The body needs the member \"ref\": a branch, or refs/pr/ and a number");
        self.reference.filter(|reference| !reference.is_empty()).ok_or_else(missing)
    }
}

/// Builds and runs a ref beside the Space.
pub(crate) async fn open(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Reference>,
) -> ApiResult<Json<Value>> {
    let reference = body.require()?;
    let preview = app.control.open_preview(&actor, &path, &reference).await.map_err(told_to(&actor))?;
    Ok(Json(item(&preview)))
}

/// Ends a preview.
pub(crate) async fn end(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Reference>,
) -> ApiResult<StatusCode> {
    let reference = body.require()?;
    app.control.end_preview(&actor, &path, &reference).await.map_err(told_to(&actor))?;
    Ok(StatusCode::OK)
}

/// The previews there are.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let previews = app.control.previews(&actor, &path).map_err(told_to(&actor))?;
    Ok(list.part(&previews, item))
}

fn item(preview: &PreviewView) -> Value {
    json!({
        "ref": preview.reference,
        "url": preview.url,
        "stage": preview.stage.as_str(),
        "sha": preview.revision.map(|revision| revision.to_string()),
        "errorMessage": preview.error_message,
    })
}
