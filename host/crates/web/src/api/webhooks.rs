//! Webhooks, under the addresses and with the members that clients of the Hub use.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{Delivery, NewWebhook, Outcome, WebhookView};
use spaceport_core::webhook::{Domain, Target, Watched};

use super::items::ListAt;
use super::time::iso;
use super::told_to;
use crate::auth::Manager;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// The body of a request that makes or changes one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    url: Option<String>,
    watched: Option<Vec<Item>>,
    domains: Option<Vec<String>>,
    secret: Option<String>,
    /// What has no place here: jobs are not offered.
    job_source_id: Option<String>,
    secrets: Option<BTreeMap<String, String>>,
}

/// Something to watch.
#[derive(Deserialize)]
pub(crate) struct Item {
    r#type: String,
    name: String,
}

impl Body {
    fn into_new(self) -> ApiResult<NewWebhook> {
        if self.job_source_id.is_some() || self.secrets.is_some() {
            return Err(ApiError::bad_request("This host runs no jobs: a webhook here sends to a \"url\""));
        }
        let watched = self.watched.map(|items| items.into_iter().map(|item| (item.r#type, item.name)).collect());
        Ok(NewWebhook { url: self.url, watched, domains: self.domains, secret: self.secret })
    }
}

/// Lists the caller's.
pub(crate) async fn list(State(app): State<AppState>, Manager(actor): Manager) -> ApiResult<Json<Value>> {
    let webhooks = app.control.webhooks(&actor).map_err(told_to(&actor))?;
    Ok(Json(webhooks.iter().map(webhook_json).collect()))
}

/// Shows one.
pub(crate) async fn show(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    Ok(wrapped(&app.control.webhook(&actor, &id).map_err(told_to(&actor))?))
}

/// Makes one.
pub(crate) async fn create(
    State(app): State<AppState>,
    Manager(actor): Manager,
    JsonBody(body): JsonBody<Body>,
) -> ApiResult<Json<Value>> {
    let made = app.control.create_webhook(&actor, body.into_new()?).await.map_err(told_to(&actor))?;
    Ok(wrapped(&made))
}

/// Changes one.
pub(crate) async fn update(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
    JsonBody(body): JsonBody<Body>,
) -> ApiResult<Json<Value>> {
    let changed = app.control.update_webhook(&actor, &id, body.into_new()?).await.map_err(told_to(&actor))?;
    Ok(wrapped(&changed))
}

/// Has one told again.
pub(crate) async fn enable(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    Ok(wrapped(&app.control.enable_webhook(&actor, &id, true).await.map_err(told_to(&actor))?))
}

/// Has one told no more.
pub(crate) async fn disable(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    Ok(wrapped(&app.control.enable_webhook(&actor, &id, false).await.map_err(told_to(&actor))?))
}

/// Deletes one.
pub(crate) async fn delete(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    app.control.delete_webhook(&actor, &id).await.map_err(told_to(&actor))?;
    Ok(Json(json!({})))
}

/// What became of the last messages to one, newest first.
pub(crate) async fn deliveries(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Param(id): Param,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let deliveries = app.control.webhook_deliveries(&actor, &id).map_err(told_to(&actor))?;
    Ok(list.part(&deliveries, delivery_json))
}

fn wrapped(view: &WebhookView) -> Json<Value> {
    Json(json!({ "webhook": webhook_json(view) }))
}

fn webhook_json(view: &WebhookView) -> Value {
    let webhook = &view.webhook;
    let watched = |watched: &Watched| {
        let kind = match watched.target {
            Target::User(_) => "user",
            Target::Organization(_) => "org",
            Target::Space(_) => "space",
        };
        json!({ "type": kind, "name": watched.name })
    };
    let domains = webhook.domains.iter().copied().map(Domain::as_str);
    json!({
        "id": webhook.id.to_string(),
        "url": webhook.url,
        "watched": webhook.watched.iter().map(watched).collect::<Vec<_>>(),
        "domains": domains.collect::<Vec<_>>(),
        "secret": view.secret,
        "disabled": webhook.disabled.is_some(),
        "disabledReason": webhook.disabled,
        "createdAt": iso(webhook.created_at),
        "updatedAt": iso(webhook.updated_at),
    })
}

fn delivery_json(delivery: &Delivery) -> Value {
    let (state, status, error) = match &delivery.outcome {
        Outcome::Waiting(error) => ("waiting", None, error.as_deref()),
        Outcome::Delivered(status) => ("delivered", Some(*status), None),
        Outcome::Failed(error) => ("failed", None, Some(error.as_str())),
    };
    json!({
        "id": delivery.id.to_string(),
        "number": delivery.number,
        "at": iso(delivery.at),
        "event": delivery.event,
        "repo": delivery.space.to_string(),
        "tries": delivery.tries,
        "state": state,
        "status": status,
        "error": error,
    })
}
