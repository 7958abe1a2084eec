//! Community GPU grants, as whoever asks for them sees them.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::SpaceGrant;
use spaceport_core::grant::GrantState;

use super::items::ListAt;
use super::time::iso;
use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

/// The body of `POST …/grants`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    flavor: Option<String>,
    reason: Option<String>,
}

/// Asks for a flavor to cost nothing.
pub(crate) async fn ask(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Asked>,
) -> ApiResult<Json<Value>> {
    let flavor = body.flavor.ok_or_else(|| ApiError::bad_request("The body needs \"flavor\""))?;
    let reason = body.reason.unwrap_or_default();
    let grant = app.control.ask_for_grant(&actor, &path, &flavor, &reason).await.map_err(told_to(&actor))?;
    Ok(Json(grant_json(grant)))
}

/// The grants of a Space, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let grants = app.control.grants(&actor, &path).map_err(told_to(&actor))?;
    Ok(list.part(grants, grant_json))
}

/// A grant.
pub(super) fn grant_json(SpaceGrant { space, grant }: SpaceGrant) -> Value {
    let mut answer = json!({
        "id": grant.id.to_string(),
        "space": space.to_string(),
        "flavor": grant.flavor,
        "reason": grant.reason,
        "askedAt": iso(grant.asked_at),
        "status": status(&grant.state),
    });
    match grant.state {
        GrantState::Pending => {}
        GrantState::Approved { at, ended_at, .. } => {
            answer["answeredAt"] = json!(iso(at));
            answer["endedAt"] = json!(ended_at.map(iso));
        }
        GrantState::Denied { at, reason, .. } => {
            answer["answeredAt"] = json!(iso(at));
            answer["answer"] = json!(reason);
        }
    }
    answer
}

/// What has become of a grant, in a word.
pub(super) fn status(state: &GrantState) -> &'static str {
    match state {
        GrantState::Pending => "pending",
        GrantState::Approved { ended_at: None, .. } => "approved",
        GrantState::Approved { ended_at: Some(_), .. } => "ended",
        GrantState::Denied { .. } => "denied",
    }
}
