//! SSH, as far as it is arranged over HTTP: where this host listens and by which key it is recognised, and the keys of
//! its users.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::SshKeyView;
use spaceport_core::name::SpacePath;
use spaceport_core::ssh::Fingerprint;

use super::items::ListAt;
use super::time::iso;
use super::told_to;
use crate::auth::Manager;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// Where this host listens for SSH, as clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshDoor {
    /// The host's name, without a port.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The host's public key, as it stands in a `known_hosts` file behind the name.
    pub key: String,
    /// Its fingerprint, as a client shows it when it asks.
    pub fingerprint: String,
}

impl SshDoor {
    /// The address under which git clones a Space.
    pub(crate) fn clone_url(&self, path: &SpacePath) -> String {
        format!("ssh://git@{}:{}/spaces/{path}", self.host, self.port)
    }
}

/// The body of `POST /api/settings/keys`.
#[derive(Deserialize)]
pub(crate) struct NewKey {
    #[serde(default)]
    title: String,
    key: String,
}

/// `GET /api/ssh`: how this host is reached and recognised.
pub(crate) async fn door(State(app): State<AppState>) -> Json<Value> {
    let Some(SshDoor { host, port, key, fingerprint }) = &app.ssh else {
        return Json(json!({ "enabled": false }));
    };
    Json(json!({
        "enabled": true,
        "host": host,
        "port": port,
        "url": format!("ssh://git@{host}:{port}/spaces/"),
        "hostKey": key,
        "fingerprint": fingerprint,
        "knownHosts": format!("[{host}]:{port} {key}"),
    }))
}

/// `GET /api/settings/keys`.
pub(crate) async fn keys(State(app): State<AppState>, Manager(actor): Manager, list: ListAt) -> ApiResult<Json<Value>> {
    let keys = app.control.ssh_keys(&actor).map_err(told_to(&actor))?;
    Ok(list.part(&keys, shown))
}

/// `POST /api/settings/keys`.
pub(crate) async fn add_key(
    State(app): State<AppState>,
    Manager(actor): Manager,
    JsonBody(new): JsonBody<NewKey>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let added = app.control.add_ssh_key(&actor, &new.title, &new.key).await.map_err(told_to(&actor))?;
    Ok((StatusCode::CREATED, Json(shown(&added))))
}

/// `DELETE /api/settings/keys/{id}`.
pub(crate) async fn delete_key(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    let fingerprint = Fingerprint::from_id(&id).ok_or_else(ApiError::not_found)?;
    app.control.delete_ssh_key(&actor, fingerprint).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "success": true })))
}

fn shown(key: &SshKeyView) -> Value {
    json!({
        "id": key.fingerprint.id(),
        "title": key.title,
        "type": key.text.split(' ').next(),
        "key": key.text,
        "fingerprint": key.fingerprint.to_string(),
        "createdAt": iso(key.created_at),
        "lastUsedAt": key.last_used_at.map(iso),
    })
}
