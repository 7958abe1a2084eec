//! What everybody has used this month.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::SpaceUsage;
use spaceport_core::id::AccountId;

use super::super::chrome::{Chrome, show};
use super::super::settings::{Frame, SpaceUsed, Used, price};
use super::{Administrator, Listed, frame};
use crate::error::ApiResult;
use crate::extract::QueryPairs;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "admin_usage.html")]
struct UsagePage {
    chrome: Chrome,
    frame: Frame,
    used: Used,
    owners: Vec<OwnerRow>,
    before: Option<String>,
    after: Option<String>,
}

struct OwnerRow {
    name: String,
    spaces: usize,
    minutes: u64,
    cost: String,
}

/// The page.
pub(super) async fn page(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    query: QueryPairs,
) -> ApiResult<Response> {
    let report = app.control.all_usage(&actor, None, app.control.days(None, None)?)?;
    let owners = by_owner(&app, &report.spaces);
    let mut used = Used::of(&report);
    let Listed::<SpaceUsed> { rows, before, after } = Listed::of(std::mem::take(&mut used.spaces), &query);
    used.spaces = rows;
    show(&app, StatusCode::OK, &UsagePage { chrome, frame: frame("Usage"), used, owners, before, after })
}

/// The owners that have used most, dearest first.
fn by_owner(app: &AppState, spaces: &[SpaceUsage]) -> Vec<OwnerRow> {
    let mut sums = BTreeMap::<AccountId, (u64, u64, usize)>::new();
    for used in spaces {
        let (cost, minutes, count) = sums.entry(used.owner).or_default();
        *cost += used.cost();
        *minutes += used.minutes();
        *count += 1;
    }
    let mut owners: Vec<_> = sums.into_iter().collect();
    owners.sort_by_key(|(_, (cost, minutes, _))| std::cmp::Reverse((*cost, *minutes)));
    let row = |(owner, (cost, minutes, spaces)): (AccountId, (u64, u64, usize))| OwnerRow {
        // Whose account is gone is named by its id.
        name: match app.control.accounts().account_by_id(owner) {
            Ok(Some(account)) => account.name.to_string(),
            _ => owner.to_string(),
        },
        spaces,
        minutes,
        cost: price(cost),
    };
    owners.into_iter().take(super::ROWS).map(row).collect()
}
