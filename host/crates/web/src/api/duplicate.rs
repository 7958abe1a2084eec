//! Duplicating a Space.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{NewCopy, ServiceError, Settled};
use spaceport_core::name::{OwnerName, SpaceName};

use super::not_offered::refuse_volumes;
use super::repos::{invalid_name, settings};
use super::types::{Setting, visibility};
use super::{told_to, warned};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

/// The body of `POST …/duplicate`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Duplicate {
    repository: Option<String>,
    visibility: Option<String>,
    private: Option<bool>,
    hardware: Option<String>,
    storage_tier: Option<String>,
    sleep_time_seconds: Option<i64>,
    secrets: Option<Vec<Setting>>,
    variables: Option<Vec<Setting>>,
    volumes: Option<Vec<Value>>,
}

/// Copies a Space. A name that is taken answers 409 with the address of what is there, which clients go on with.
pub(crate) async fn duplicate(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Duplicate>,
) -> ApiResult<Response> {
    let copy = body.into_copy(path.name.as_str())?;
    let page = |path| Value::String(app.control.addresses().page_url(path));
    match app.control.duplicate_space(&actor, &path, copy).await {
        Ok(Settled { value: space, warnings }) => {
            let body = json!({
                "url": page(&space.path),
                "name": space.path.to_string(),
                "id": space.id.to_string(),
                "filesCopyPending": false,
            });
            Ok(warned(Json(body), &warnings))
        }
        Err(ServiceError::NameTaken(there)) => {
            let url = page(&there);
            Err(ApiError::from(ServiceError::NameTaken(there)).with("url", url))
        }
        Err(error) => Err(told_to(&actor)(error)),
    }
}

impl Duplicate {
    fn into_copy(self, same_name: &str) -> ApiResult<NewCopy> {
        refuse_volumes(self.volumes.as_deref())?;
        let repository = self.repository.unwrap_or_else(|| same_name.to_owned());
        let (owner, name) = match repository.split_once('/') {
            Some((owner, name)) => (Some(owner.parse::<OwnerName>().map_err(invalid_name)?), name),
            None => (None, repository.as_str()),
        };
        Ok(NewCopy {
            owner,
            name: name.parse::<SpaceName>().map_err(invalid_name)?,
            visibility: visibility(self.visibility.as_deref(), self.private)?,
            hardware: self.hardware,
            storage: self.storage_tier,
            sleep_after: self.sleep_time_seconds,
            variables: settings(self.variables)?,
            secrets: settings(self.secrets)?,
        })
    }
}
