//! What Spaces run on: the list, and requests for it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_core::hardware::Hardware;
use spaceport_core::limits::Bytes;

use super::types::Runtime;
use super::{told_to, warned};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, SpaceAt};
use crate::router::AppState;

/// Minutes of an hour: clients know a price per minute.
const MINUTES: f64 = 60.0;

/// The body of `POST …/hardware`. `gradio_client` sends `null` when the Space it copies from is asleep.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HardwareRequest {
    flavor: Option<String>,
    sleep_time_seconds: Option<i64>,
}

/// The body of `POST …/sleeptime`.
#[derive(Deserialize)]
pub(crate) struct SleepTime {
    seconds: Option<i64>,
}

/// The body of `POST …/storage`.
#[derive(Deserialize)]
pub(crate) struct StorageRequest {
    tier: Option<String>,
}

/// The hardware on offer.
pub(crate) async fn list(State(app): State<AppState>) -> Json<Value> {
    Json(app.control.catalogue().hardware.iter().map(hardware_json).collect())
}

/// Moves a Space to other hardware.
pub(crate) async fn request(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<HardwareRequest>,
) -> ApiResult<Response> {
    let Some(flavor) = body.flavor else { return Err(missing(&app, "flavor")) };
    let settled =
        app.control.request_hardware(&actor, &path, &flavor, body.sleep_time_seconds).await.map_err(told_to(&actor))?;
    Ok(warned(Json(Runtime::from(&settled.value)), &settled.warnings))
}

/// Sets when a Space sleeps.
pub(crate) async fn set_sleep_time(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<SleepTime>,
) -> ApiResult<Response> {
    let seconds = body.seconds.ok_or_else(|| ApiError::bad_request("The body needs \"seconds\", -1 for never"))?;
    let settled = app.control.set_sleep_time(&actor, &path, seconds).await.map_err(told_to(&actor))?;
    Ok(warned(Json(Runtime::from(&settled.value)), &settled.warnings))
}

/// Gives a Space a persistent disk.
pub(crate) async fn set_storage(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<StorageRequest>,
) -> ApiResult<Json<Runtime>> {
    let Some(tier) = body.tier else { return Err(missing(&app, "tier")) };
    let runtime = app.control.set_storage(&actor, &path, Some(&tier)).await.map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

/// Takes a Space's persistent disk away.
pub(crate) async fn delete_storage(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Runtime>> {
    let runtime = app.control.set_storage(&actor, &path, None).await.map_err(told_to(&actor))?;
    Ok(Json(Runtime::from(&runtime)))
}

fn missing(app: &AppState, member: &str) -> ApiError {
    let catalogue = app.control.catalogue();
    let offered: Vec<&str> = match member {
        "tier" => catalogue.storage.iter().map(|row| row.name.as_str()).collect(),
        _ => catalogue.hardware.iter().map(|row| row.name.as_str()).collect(),
    };
    ApiError::bad_request(format!("The body needs {member:?}, one of {}", offered.join(", ")))
}

pub(super) fn hardware_json(row: &Hardware) -> Value {
    let per_minute = row.price_per_hour / MINUTES;
    let accelerator = row.gpu.as_ref().map(|gpu| {
        json!({
            "type": "gpu",
            "model": gpu.kind.to_uppercase(),
            "quantity": gpu.count.to_string(),
            "vram": size(gpu.memory),
            "manufacturer": "Nvidia",
        })
    });
    json!({
        "name": row.name,
        "prettyName": row.pretty_name,
        "cpu": format!("{} vCPU", row.vcpu),
        "ram": size(row.memory),
        "ephemeralStorage": size(row.disk),
        "accelerator": accelerator,
        "unitCostMicroUSD": (per_minute * 1e6).round() as i64,
        "unitCostUSD": (per_minute * 1e6).round() / 1e6,
        "unitLabel": "minute",
    })
}

/// `16 GB`: in the unit in which it is a whole number, as the list of the Hub has it.
fn size(bytes: Bytes) -> String {
    let units = [("GB", 1_000_000_000), ("GiB", 1 << 30), ("MB", 1_000_000), ("MiB", 1 << 20)];
    let whole = units.into_iter().find(|(_, unit)| bytes.0 >= *unit && bytes.0.is_multiple_of(*unit));
    whole.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{} {name}", bytes.0 / unit))
}
