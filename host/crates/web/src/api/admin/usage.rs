//! What everybody has used, by Space or by owner.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::SpaceUsage;
use spaceport_core::billing::dollars;
use spaceport_core::id::AccountId;

use super::super::items::ListAt;
use super::super::usage::{days, space_json, summed};
use super::{Admin, name};
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

/// What was used in some days: with `by=owner` by owner, else by Space; with `owner` of this one alone.
pub(crate) async fn usage(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let days = days(&app, &list.query)?;
    let owner = match list.query.get("owner") {
        // Whose account is gone is named by its id.
        Some(text) => Some(match text.parse() {
            Ok(id) => id,
            Err(_) => app.control.accounts().account(&name(text)?)?.id,
        }),
        None => None,
    };
    let report = app.control.all_usage(&actor, owner, days)?;
    let part = match list.query.get("by") {
        None | Some("space") => list.part(&report.spaces, |used| with_owner(&app, used)),
        Some("owner") => list.part(by_owner(&app, &report.spaces), |item| item),
        Some(_) => return Err(ApiError::bad_request("\"by\" is \"space\" or \"owner\"")),
    };
    Ok(summed(&report, part))
}

fn with_owner(app: &AppState, used: &SpaceUsage) -> Value {
    let mut item = space_json(used);
    item["owner"] = owner_json(app, used.owner);
    item
}

fn by_owner(app: &AppState, spaces: &[SpaceUsage]) -> Vec<Value> {
    let mut sums = BTreeMap::<AccountId, (u64, u64, u64, usize)>::new();
    for used in spaces {
        let (minutes, cost, fuel, count) = sums.entry(used.owner).or_default();
        *minutes += used.minutes();
        *cost += used.cost();
        *fuel = fuel.saturating_add(used.fuel);
        *count += 1;
    }
    let item = |(owner, (minutes, cost, fuel, count)): (AccountId, (u64, u64, u64, usize))| {
        json!({
            "owner": owner_json(app, owner),
            "minutes": minutes,
            "costUSD": dollars(cost),
            "fuel": fuel,
            "numSpaces": count,
        })
    };
    sums.into_iter().map(item).collect()
}

/// An owner by id, and by name while there is such an account.
fn owner_json(app: &AppState, owner: AccountId) -> Value {
    let account = app.control.accounts().account_by_id(owner).ok().flatten();
    json!({ "id": owner.to_string(), "name": account.map(|account| account.name.to_string()) })
}
