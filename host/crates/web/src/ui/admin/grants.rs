//! Who has asked for hardware that costs nothing.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::SpaceGrant;
use spaceport_core::grant::GrantState;

use super::super::chrome::{Chrome, show};
use super::super::settings::Frame;
use super::{Administrator, Listed, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::QueryPairs;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "admin_grants.html")]
struct GrantsPage {
    chrome: Chrome,
    frame: Frame,
    pending: Vec<GrantRow>,
    answered: Listed<GrantRow>,
}

struct GrantRow {
    id: String,
    space: String,
    flavor: String,
    reason: String,
    asked_by: String,
    asked_at: String,
    answer: String,
}

/// The page.
pub(super) async fn page(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    query: QueryPairs,
) -> ApiResult<Response> {
    let (pending, answered): (Vec<_>, Vec<_>) =
        app.control.all_grants(&actor)?.into_iter().partition(|found| found.grant.is_pending());
    let page = GrantsPage {
        chrome,
        frame: frame("Grants"),
        pending: pending.into_iter().map(|found| row(&app, found)).collect(),
        answered: Listed::of(answered.into_iter().map(|found| row(&app, found)), &query),
    };
    show(&app, StatusCode::OK, &page)
}

fn row(app: &AppState, found: SpaceGrant) -> GrantRow {
    let grant = found.grant;
    let asked_by = app.control.accounts().account_by_id(grant.asked_by).ok().flatten();
    GrantRow {
        id: grant.id.to_string(),
        space: found.space.to_string(),
        answer: match &grant.state {
            GrantState::Pending => String::new(),
            GrantState::Approved { ended_at: None, .. } => "approved".to_owned(),
            GrantState::Approved { ended_at: Some(_), .. } => "approved; the Space has left the hardware".to_owned(),
            GrantState::Denied { reason, .. } => format!("denied: {reason}"),
        },
        flavor: grant.flavor,
        reason: grant.reason,
        asked_by: asked_by.map_or_else(|| "somebody who is gone".to_owned(), |account| account.name.to_string()),
        asked_at: iso(grant.asked_at),
    }
}
