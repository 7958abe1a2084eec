//! The rows of hardware with what is in use of them; making, changing and taking them back.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::HardwareInUse;
use spaceport_core::hardware::{Gpu, Hardware, InvalidHardware};
use spaceport_core::limits::Bytes;

use super::super::hardware::hardware_json;
use super::super::items::ListAt;
use super::{Admin, present};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// The body of `POST /api/admin/hardware`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRow {
    name: String,
    pretty_name: Option<String>,
    vcpu: f64,
    memory: String,
    disk: String,
    price_per_hour: Option<f64>,
    gpu: Option<GpuBody>,
    request_fuel: Option<u64>,
}

/// The body of `PATCH /api/admin/hardware/{name}`: what is not there stays. A row may have no GPU and no limit of its own
/// for fuel, so `null` there says that.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RowChanges {
    pretty_name: Option<String>,
    vcpu: Option<f64>,
    memory: Option<String>,
    disk: Option<String>,
    price_per_hour: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    gpu: Option<Option<GpuBody>>,
    #[serde(default, deserialize_with = "present")]
    request_fuel: Option<Option<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GpuBody {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "one")]
    count: u32,
    memory: String,
}

fn one() -> u32 {
    1
}

impl NewRow {
    fn into_row(self) -> Result<Hardware, InvalidHardware> {
        Ok(Hardware {
            pretty_name: self.pretty_name.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            vcpu: self.vcpu,
            memory: bytes("memory", &self.memory)?,
            disk: bytes("disk", &self.disk)?,
            price_per_hour: self.price_per_hour.unwrap_or(0.0),
            gpu: self.gpu.map(GpuBody::into_gpu).transpose()?,
            request_fuel: self.request_fuel,
        })
    }
}

impl RowChanges {
    fn apply(self, row: Hardware) -> Result<Hardware, InvalidHardware> {
        let size = |member, text: Option<String>, old| text.map_or(Ok(old), |text| bytes(member, &text));
        Ok(Hardware {
            pretty_name: self.pretty_name.unwrap_or(row.pretty_name),
            vcpu: self.vcpu.unwrap_or(row.vcpu),
            memory: size("memory", self.memory, row.memory)?,
            disk: size("disk", self.disk, row.disk)?,
            price_per_hour: self.price_per_hour.unwrap_or(row.price_per_hour),
            gpu: match self.gpu {
                None => row.gpu,
                Some(gpu) => gpu.map(GpuBody::into_gpu).transpose()?,
            },
            request_fuel: self.request_fuel.unwrap_or(row.request_fuel),
            name: row.name,
        })
    }
}

impl GpuBody {
    fn into_gpu(self) -> Result<Gpu, InvalidHardware> {
        Ok(Gpu { memory: bytes("gpu.memory", &self.memory)?, kind: self.kind, count: self.count })
    }
}

fn bytes(member: &'static str, text: &str) -> Result<Bytes, InvalidHardware> {
    let why = || "write a size, such as \"64MiB\" or \"16GB\"".to_owned();
    Bytes::parse(text).map_err(|_| InvalidHardware { member, why: why() })
}

/// The hardware on offer with what is in use of it.
pub(crate) async fn list(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let capacity = app.control.capacity(&actor)?;
    let (waiting, running) = capacity.builds;
    let Json(mut answer) = list.part(&capacity.hardware, row_json);
    answer["memoryLimitBytes"] = json!(capacity.memory_limit);
    answer["builds"] = json!({ "waiting": waiting, "running": running });
    Ok(Json(answer))
}

/// One row of it.
pub(crate) async fn get(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    Ok(Json(row_json(&app.control.hardware_row(&actor, &name)?)))
}

/// Makes a row.
pub(crate) async fn create(
    State(app): State<AppState>,
    Admin(actor): Admin,
    JsonBody(body): JsonBody<NewRow>,
) -> ApiResult<Json<Value>> {
    let row = body.into_row().map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(Json(row_json(&app.control.create_hardware(&actor, row).await?)))
}

/// Changes a row.
pub(crate) async fn change(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
    JsonBody(body): JsonBody<RowChanges>,
) -> ApiResult<Json<Value>> {
    Ok(Json(row_json(&app.control.change_hardware(&actor, &name, |row| body.apply(row)).await?)))
}

/// Takes a row back.
pub(crate) async fn delete(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    app.control.delete_hardware(&actor, &name).await?;
    Ok(Json(json!({})))
}

fn row_json(found: &HardwareInUse) -> Value {
    let row = &found.row;
    let mut answer = hardware_json(row);
    let gpu = row.gpu.as_ref();
    answer["vcpu"] = json!(row.vcpu);
    answer["memory"] = json!(row.memory.to_string());
    answer["disk"] = json!(row.disk.to_string());
    answer["pricePerHour"] = json!(row.price_per_hour);
    answer["gpu"] =
        json!(gpu.map(|gpu| json!({ "type": gpu.kind, "count": gpu.count, "memory": gpu.memory.to_string() })));
    answer["requestFuel"] = json!(row.request_fuel);
    answer["spaces"] = json!(found.spaces);
    answer["running"] = json!(found.running);
    answer["memoryBytes"] = json!(found.memory_bytes);
    answer
}
