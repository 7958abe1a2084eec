//! What has been used and what it costs.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{Days, HardwareUse, SpaceUsage, StorageUse, UsageReport};
use spaceport_core::billing::{dollars, micro_dollars};
use spaceport_core::lifecycle::Millis;

use super::items::ListAt;
use super::time::{iso, parse};
use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{QueryPairs, SpaceAt};
use crate::router::AppState;

/// Minutes of an hour: clients know a price per minute.
const MINUTES: f64 = 60.0;
/// Why minutes cost nothing although their flavor has a price.
const GRANT: &str = "community GPU grant";

/// What a Space has used, by hardware and month.
pub(crate) async fn of_space(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let days = days(&app, &query)?;
    let report = app.control.space_usage(&actor, &path, days).map_err(told_to(&actor))?;
    let mut answer = report.spaces.first().map_or_else(nothing_used, space_json);
    answer["space"] = json!(path.to_string());
    answer["from"] = json!(iso(report.from));
    answer["to"] = json!(iso(report.to));
    Ok(Json(answer))
}

/// What the caller's Spaces have used.
pub(crate) async fn own(State(app): State<AppState>, Caller(actor): Caller, list: ListAt) -> ApiResult<Json<Value>> {
    let days = days(&app, &list.query)?;
    let report = app.control.own_usage(&actor, days)?;
    Ok(summed(&report, list.part(&report.spaces, space_json)))
}

/// The days that a query asks for: `from` and `to`, days of UTC or moments in them, both with what they name.
pub(super) fn days(app: &AppState, query: &QueryPairs) -> ApiResult<Days> {
    let moment = |name: &str| -> ApiResult<Option<Millis>> {
        let Some(text) = query.get(name) else { return Ok(None) };
        let parsed = parse(text);
        let wrong = || ApiError::bad_request(format!("{name:?} is a day such as 2026-08-31, or a time of it"));
        parsed.map(Some).ok_or_else(wrong)
    };
    Ok(app.control.days(moment("from")?, moment("to")?)?)
}

/// The whole of a report, beside a part of the list of its parts.
pub(super) fn summed(report: &UsageReport, Json(mut part): Json<Value>) -> Json<Value> {
    part["from"] = json!(iso(report.from));
    part["to"] = json!(iso(report.to));
    part["minutes"] = json!(report.spaces.iter().map(SpaceUsage::minutes).sum::<u64>());
    part["costUSD"] = json!(dollars(report.spaces.iter().map(SpaceUsage::cost).sum()));
    part["fuel"] = json!(report.spaces.iter().map(|used| used.fuel).fold(0, u64::saturating_add));
    Json(part)
}

/// What a Space has used.
pub(super) fn space_json(used: &SpaceUsage) -> Value {
    json!({
        "space": used.path,
        "minutes": used.minutes(),
        "costUSD": dollars(used.cost()),
        "fuel": used.fuel,
        "hardware": used.hardware.iter().map(hardware_json).collect::<Vec<_>>(),
        "storage": used.storage.iter().map(storage_json).collect::<Vec<_>>(),
    })
}

fn nothing_used() -> Value {
    json!({ "minutes": 0, "costUSD": 0.0, "fuel": 0, "hardware": [], "storage": [] })
}

fn hardware_json(part: &HardwareUse) -> Value {
    let per_minute = micro_dollars(dollars(part.price) / MINUTES);
    json!({
        "flavor": part.flavor,
        "minutes": part.minutes,
        "unitCostUSD": dollars(per_minute),
        "costUSD": dollars(part.cost),
        "free": part.grant.map(|grant| json!({ "reason": GRANT, "grant": grant.to_string() })),
    })
}

fn storage_json(part: &StorageUse) -> Value {
    json!({
        "month": format!("{:04}-{:02}", part.month / 100, part.month % 100),
        "tier": part.tier,
        "costUSD": dollars(part.cost),
    })
}
