//! Variables and secrets. Variables answer with all of them, secrets never with a value.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spaceport_core::space::Variable;

use super::time::iso;
use super::types::Setting;
use super::{told_to, warned};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

/// The body of a `DELETE`.
#[derive(Deserialize)]
pub(crate) struct Key {
    key: Option<String>,
}

/// Lists variables.
pub(crate) async fn variables(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    let variables = app.control.variables(&actor, &path).map_err(told_to(&actor))?;
    Ok(Json(variables_json(&variables)))
}

/// Sets a variable.
pub(crate) async fn set_variable(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Setting>,
) -> ApiResult<Json<Value>> {
    let new = body.into_setting()?;
    let variables = app.control.set_variable(&actor, &path, new).await.map_err(told_to(&actor))?;
    Ok(Json(variables_json(&variables)))
}

/// Deletes a variable; one that is not there is deleted already.
pub(crate) async fn delete_variable(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Key>,
) -> ApiResult<Json<Value>> {
    let key = body.required()?;
    let variables = app.control.delete_variable(&actor, &path, &key).await.map_err(told_to(&actor))?;
    Ok(Json(variables_json(&variables)))
}

/// Lists secrets, without their values.
pub(crate) async fn secrets(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    let secrets = app.control.secrets(&actor, &path).map_err(told_to(&actor))?;
    let map: Map<String, Value> = secrets
        .into_iter()
        .map(|(name, secret)| (name, json!({ "description": secret.description, "updatedAt": iso(secret.updated_at) })))
        .collect();
    Ok(Json(Value::Object(map)))
}

/// Sets a secret.
pub(crate) async fn set_secret(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Setting>,
) -> ApiResult<Response> {
    let new = body.into_setting()?;
    let settled = app.control.set_secret(&actor, &path, new).await.map_err(told_to(&actor))?;
    Ok(warned(Json(json!({})), &settled.warnings))
}

/// Deletes a secret; one that is not there is deleted already.
pub(crate) async fn delete_secret(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Key>,
) -> ApiResult<Json<Value>> {
    let key = body.required()?;
    app.control.delete_secret(&actor, &path, &key).await.map_err(told_to(&actor))?;
    Ok(Json(json!({})))
}

impl Key {
    fn required(self) -> ApiResult<String> {
        self.key.ok_or_else(|| ApiError::bad_request("The body needs the member \"key\""))
    }
}

fn variables_json(variables: &BTreeMap<String, Variable>) -> Value {
    let member = |(name, variable): (&String, &Variable)| {
        let value = json!({
            "key": name,
            "value": variable.value,
            "description": variable.description,
            "updatedAt": iso(variable.updated_at),
        });
        (name.clone(), value)
    };
    Value::Object(variables.iter().map(member).collect())
}

/// Gives the Space a new secret as an application; the old one is worth nothing any more.
pub(crate) async fn rotate_oauth_secret(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.rotate_oauth_secret(&actor, &path).await.map_err(told_to(&actor))?;
    Ok(Json(json!({})))
}
