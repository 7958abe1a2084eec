//! Answering grants.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use spaceport_control::service::GrantAnswer;
use spaceport_core::id::GrantId;

use super::super::grants::{grant_json, status};
use super::super::items::ListAt;
use super::Admin;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// The body of `POST /api/admin/grants/{id}/deny`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denial {
    reason: Option<String>,
}

/// Every grant, or those of a `status`, newest first.
pub(crate) async fn list(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let mut grants = app.control.all_grants(&actor)?;
    if let Some(wanted) = list.query.get("status") {
        grants.retain(|found| status(&found.grant.state) == wanted);
    }
    Ok(list.part(grants, grant_json))
}

/// One grant.
pub(crate) async fn get(State(app): State<AppState>, Admin(actor): Admin, Param(id): Param) -> ApiResult<Json<Value>> {
    Ok(Json(grant_json(app.control.grant_of(&actor, grant_id(&id)?)?)))
}

pub(crate) async fn approve(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    answer(&app, &actor, &id, GrantAnswer::Approve).await
}

pub(crate) async fn deny(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(id): Param,
    JsonBody(body): JsonBody<Denial>,
) -> ApiResult<Json<Value>> {
    let reason = body.reason.ok_or_else(|| ApiError::bad_request("The body needs the member \"reason\""))?;
    answer(&app, &actor, &id, GrantAnswer::Deny(reason)).await
}

async fn answer(
    app: &AppState,
    actor: &spaceport_core::permission::Actor,
    id: &str,
    answer: GrantAnswer,
) -> ApiResult<Json<Value>> {
    Ok(Json(grant_json(app.control.answer_grant(actor, grant_id(id)?, answer).await?)))
}

fn grant_id(id: &str) -> ApiResult<GrantId> {
    id.parse().map_err(|_| ApiError::bad_request("A grant is named by its id"))
}
