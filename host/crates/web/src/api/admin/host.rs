//! Hardware in use, and what builds and runs Spaces.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{HardwareInUse, PluginKindView, PluginView};

use super::super::hardware::hardware_json;
use super::super::items::ListAt;
use super::Admin;
use crate::error::{ApiError, ApiResult};
use crate::extract::Param;
use crate::router::AppState;

/// The hardware on offer with what is in use of it.
pub(crate) async fn hardware(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let capacity = app.control.capacity(&actor)?;
    let (waiting, running) = capacity.builds;
    let Json(mut answer) = list.part(&capacity.hardware, in_use_json);
    answer["memoryLimitBytes"] = json!(capacity.memory_limit);
    answer["builds"] = json!({ "waiting": waiting, "running": running });
    Ok(Json(answer))
}

/// One row of it.
pub(crate) async fn flavor(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    let capacity = app.control.capacity(&actor)?;
    let found = capacity.hardware.iter().find(|in_use| in_use.row.name == name);
    Ok(Json(in_use_json(found.ok_or_else(ApiError::not_found)?)))
}

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

fn in_use_json(flavor: &HardwareInUse) -> Value {
    let mut row = hardware_json(&flavor.row);
    row["spaces"] = json!(flavor.spaces);
    row["running"] = json!(flavor.running);
    row["memoryBytes"] = json!(flavor.memory_bytes);
    row
}
