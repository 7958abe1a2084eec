//! Quotas of owners.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{OwnerQuota, QuotaView};

use super::super::items::ListAt;
use super::{Admin, name};
use crate::error::ApiResult;
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// The body of `PUT /api/admin/quotas/{owner}`; what is not there is without a limit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QuotaBody {
    spaces: Option<u64>,
    storage_bytes: Option<u64>,
    lfs_bytes: Option<u64>,
}

pub(crate) async fn list(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let quotas = app.control.quotas(&actor)?;
    Ok(list.part(quotas, |(owner, quota)| {
        let mut item = quota_json(&quota);
        item["owner"] = json!(owner.as_str());
        item
    }))
}

pub(crate) async fn get(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(owner): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(view_json(&app.control.quota(&actor, &name(&owner)?).await?)))
}

pub(crate) async fn set(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(owner): Param,
    JsonBody(body): JsonBody<QuotaBody>,
) -> ApiResult<Json<Value>> {
    let quota = OwnerQuota { spaces: body.spaces, storage_bytes: body.storage_bytes, lfs_bytes: body.lfs_bytes };
    Ok(Json(view_json(&app.control.set_quota(&actor, &name(&owner)?, quota).await?)))
}

pub(crate) async fn remove(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(owner): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(view_json(&app.control.set_quota(&actor, &name(&owner)?, OwnerQuota::default()).await?)))
}

fn view_json(view: &QuotaView) -> Value {
    let mut answer = quota_json(&view.quota);
    answer["owner"] = json!(view.owner.as_str());
    answer["used"] = quota_json(&view.used);
    answer
}

fn quota_json(quota: &OwnerQuota) -> Value {
    json!({ "spaces": quota.spaces, "storageBytes": quota.storage_bytes, "lfsBytes": quota.lfs_bytes })
}
