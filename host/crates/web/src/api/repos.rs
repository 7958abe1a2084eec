//! Creating and deleting Spaces, by the names `hf repos` uses.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{NewCopy, NewSetting, NewSpace, ServiceError, ServiceResult, Settled};
use spaceport_core::name::{InvalidName, OwnerName, SpacePath};
use spaceport_core::permission::{Actor, Denied};
use spaceport_core::plugin::Plugins;
use spaceport_core::space::{Sdk, Space, Visibility};

use super::not_offered::refuse_volumes;
use super::types::{Setting, visibility};
use super::{told_to, warned};
use crate::auth::{Caller, Signed};
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;
use crate::router::AppState;

/// The body of `POST /api/repos/create`. What clients send beside is for other kinds of repositories.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateRepo {
    name: Option<String>,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    sdk: Option<String>,
    visibility: Option<String>,
    private: Option<bool>,
    hardware: Option<String>,
    storage_tier: Option<String>,
    sleep_time_seconds: Option<i64>,
    #[serde(default)]
    secrets: Option<Vec<Setting>>,
    #[serde(default)]
    variables: Option<Vec<Setting>>,
    license: Option<String>,
    volumes: Option<Vec<Value>>,
    /// A Space to start from.
    template: Option<String>,
}

/// The body of `DELETE /api/repos/delete`.
#[derive(Deserialize)]
pub(crate) struct DeleteRepo {
    name: Option<String>,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Creates a Space. A name that is taken answers 409 with the address of what is there, which clients go on with.
pub(crate) async fn create(
    State(app): State<AppState>,
    Signed(signed): Signed,
    JsonBody(body): JsonBody<CreateRepo>,
) -> ApiResult<Response> {
    let template = body.template.clone();
    let new = body.into_space(Plugins::Only(&app.control.plugins()))?;
    let actor = Actor::User(signed.user.clone());
    let created = match template {
        Some(template) => from_template(&app, &actor, &template, new).await,
        None => app.control.create_space(&actor, new).await,
    };
    match created {
        Ok(Settled { value: space, warnings }) => {
            let url = app.control.addresses().page_url(&space.path);
            let body = json!({ "url": url, "name": space.path.to_string(), "id": space.id.to_string() });
            Ok(warned(Json(body), &warnings))
        }
        Err(ServiceError::NameTaken(path)) => {
            let url = Value::String(app.control.addresses().page_url(&path));
            Err(ApiError::from(ServiceError::NameTaken(path)).with("url", url))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a Space as a copy of a template, of which its history stays.
async fn from_template(app: &AppState, actor: &Actor, template: &str, new: NewSpace) -> ServiceResult<Settled<Space>> {
    let missing =
        || ServiceError::Invalid(format!("There is no template {template:?}: GET /api/spaces/templates lists them"));
    let from: SpacePath = template.parse().map_err(|_| missing())?;
    let copy = NewCopy {
        owner: new.owner,
        name: new.name,
        visibility: Some(new.visibility),
        hardware: new.hardware,
        storage: new.storage,
        sleep_after: new.sleep_after,
        variables: new.variables,
        secrets: new.secrets,
    };
    app.control.duplicate_space(actor, &from, copy).await.map_err(|error| match error {
        ServiceError::Denied(Denied::Hidden) | ServiceError::Moved(_) => missing(),
        error => error,
    })
}

/// Deletes a Space.
pub(crate) async fn delete(
    State(app): State<AppState>,
    Caller(actor): Caller,
    JsonBody(body): JsonBody<DeleteRepo>,
) -> ApiResult<(StatusCode, &'static str)> {
    only_spaces(body.kind.as_deref())?;
    let name = body.name.unwrap_or_default();
    let owner = match (&body.organization, &actor) {
        (Some(owner), _) => owner.clone(),
        (None, Actor::User(user)) => user.name.to_string(),
        (None, Actor::Nobody) => return Err(ApiError::sign_in()),
    };
    let text = if name.contains('/') { name } else { format!("{owner}/{name}") };
    let path: SpacePath = text.parse().map_err(|_| ApiError::repo_not_found())?;
    app.control.delete_space(&actor, &path).await.map_err(told_to(&actor))?;
    Ok((StatusCode::OK, "OK"))
}

impl CreateRepo {
    fn into_space(self, plugins: Plugins<'_>) -> ApiResult<NewSpace> {
        only_spaces(self.kind.as_deref())?;
        refuse_volumes(self.volumes.as_deref())?;
        let name = self.name.unwrap_or_default();
        let (owner, name) = match name.split_once('/') {
            Some((owner, name)) => (Some(owner.to_owned()), name.to_owned()),
            None => (self.organization, name),
        };
        let owner = owner.map(|owner| owner.parse::<OwnerName>()).transpose().map_err(invalid_name)?;
        Ok(NewSpace {
            owner,
            name: name.parse().map_err(invalid_name)?,
            sdk: sdk(self.sdk.as_deref(), plugins)?,
            visibility: visibility(self.visibility.as_deref(), self.private)?.unwrap_or(Visibility::Public),
            hardware: self.hardware,
            storage: self.storage_tier,
            sleep_after: self.sleep_time_seconds,
            variables: settings(self.variables)?,
            secrets: settings(self.secrets)?,
            license: self.license,
        })
    }
}

pub(super) fn settings(list: Option<Vec<Setting>>) -> ApiResult<Vec<NewSetting>> {
    list.unwrap_or_default().into_iter().map(Setting::into_setting).collect()
}

fn sdk(text: Option<&str>, plugins: Plugins<'_>) -> ApiResult<Sdk> {
    text.and_then(|text| Sdk::offered(text, plugins)).ok_or_else(|| {
        let offered = Sdk::offered_words(plugins);
        ApiError::bad_request(match text {
            Some(text) => format!("sdk {text:?} is not offered; use one of {offered}"),
            None => format!("A Space needs an sdk, one of {offered}"),
        })
    })
}

pub(super) fn only_spaces(kind: Option<&str>) -> ApiResult<()> {
    match kind {
        Some("space") => Ok(()),
        _ => Err(ApiError::bad_request("This host has Spaces only: send \"type\": \"space\" (--repo-type space)")),
    }
}

pub(super) fn invalid_name(error: InvalidName) -> ApiError {
    ApiError::bad_request(error.to_string())
}
