//! Hardware in use, and what builds and runs Spaces.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::HardwareInUse;

use super::super::hardware::hardware_json;
use super::super::items::ListAt;
use super::Admin;
use crate::error::ApiResult;
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

/// Plugins and backends with their health.
pub(crate) async fn plugins(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let backends = app.control.backends(&actor)?;
    let guests = backends.plugins.iter().map(
        |(sdk, app_file)| json!({ "name": sdk, "kind": "component", "sdk": sdk, "appFile": app_file, "healthy": true }),
    );
    let programs = backends.programs.iter().map(|program| {
        json!({
            "name": program.name,
            "kind": "program",
            "healthy": program.problem.is_none(),
            "problem": program.problem,
            "restarts": program.restarts,
        })
    });
    let Json(mut answer) = list.part(programs.chain(guests), |item| item);
    answer["sdks"] = json!(backends.sdks);
    Ok(Json(answer))
}

fn in_use_json(flavor: &HardwareInUse) -> Value {
    let mut row = hardware_json(&flavor.row);
    row["spaces"] = json!(flavor.spaces);
    row["running"] = json!(flavor.running);
    row["memoryBytes"] = json!(flavor.memory_bytes);
    row
}
