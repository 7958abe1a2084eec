//! What builds and runs Spaces.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{PluginKindView, PluginView};

use super::super::items::ListAt;
use super::Admin;
use crate::error::ApiResult;
use crate::extract::{Param, whole};
use crate::router::AppState;

/// Plugins and backends with their health.
pub(crate) async fn plugins(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let plugins = app.control.plugins_of_host(&actor)?;
    let Json(mut answer) = list.part(&plugins, plugin_json);
    answer["sdks"] = json!(app.control.sdks(&actor)?);
    Ok(Json(answer))
}

/// One of them.
pub(crate) async fn plugin(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(plugin_json(&app.control.plugin_of_host(&actor, &name)?)))
}

/// Installs a component.
pub(crate) async fn install(State(app): State<AppState>, Admin(actor): Admin, body: Body) -> ApiResult<Json<Value>> {
    let most = app.control.largest_plugin();
    let component = whole(body, usize::try_from(most).unwrap_or(usize::MAX)).await?;
    Ok(Json(plugin_json(&app.control.install_plugin(&actor, component).await?)))
}

/// Removes one that is a component.
pub(crate) async fn remove(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    app.control.remove_plugin(&actor, &name).await?;
    Ok(Json(json!({})))
}

/// Lets one build and start Spaces.
pub(crate) async fn enable(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(plugin_json(&app.control.switch_plugin(&actor, &name, true).await?)))
}

/// Has one build and start nothing more.
pub(crate) async fn disable(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(plugin_json(&app.control.switch_plugin(&actor, &name, false).await?)))
}

fn plugin_json(plugin: &PluginView) -> Value {
    let mut item = match &plugin.kind {
        PluginKindView::Component(app_file) => {
            json!({ "kind": "component", "sdk": plugin.name, "appFile": app_file, "healthy": true })
        }
        PluginKindView::Program(program) => json!({
            "kind": "program",
            "healthy": program.problem.is_none(),
            "problem": program.problem,
            "restarts": program.restarts,
        }),
    };
    item["name"] = json!(plugin.name);
    item["enabled"] = json!(plugin.is_enabled);
    item
}
