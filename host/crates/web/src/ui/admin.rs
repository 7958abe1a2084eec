//! What administrators of this host see and decide, a page for each matter. Whoever is none is told so.

mod audit;
mod grants;
mod host;
mod quotas;
mod usage;
mod users;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::request::Parts;
use spaceport_core::permission::Actor;

use super::chrome::{Chrome, Reader};
use super::form::see_other;
use super::settings::{Frame, sign_in};
use crate::error::ApiError;
use crate::extract::QueryPairs;
use crate::router::AppState;

const PAGES: [(&str, &str); 7] = [
    ("/admin/users", "Users"),
    ("/admin/hardware", "Hardware"),
    ("/admin/plugins", "Plugins"),
    ("/admin/grants", "Grants"),
    ("/admin/quotas", "Quotas"),
    ("/admin/audit", "Audit log"),
    ("/admin/usage", "Usage"),
];
/// Rows of a table on one page: few enough to look through.
pub(super) const ROWS: usize = 100;

/// The frame of one of them.
fn frame(current: &'static str) -> Frame {
    Frame { label: "Administration", pages: &PAGES, current }
}

/// An administrator who looks at a page.
pub(super) struct Administrator {
    actor: Actor,
    chrome: Chrome,
}

impl FromRequestParts<AppState> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Response> {
        let reader = Reader::from_request_parts(parts, app).await.map_err(ApiError::into_response)?;
        let Reader { visitor, chrome } = reader;
        if matches!(visitor.actor, Actor::Nobody) {
            return Err(see_other(&sign_in(&chrome.here)));
        }
        let allowed = app.control.require_administrator(&visitor.actor);
        allowed.map_err(|error| ApiError::from(error).into_response())?;
        Ok(Self { actor: visitor.actor, chrome })
    }
}

/// A part of a list, and where the parts beside it are.
struct Listed<T> {
    rows: Vec<T>,
    before: Option<String>,
    after: Option<String>,
}

impl<T> Listed<T> {
    /// The part that a query asks for.
    fn of(all: impl IntoIterator<Item = T>, query: &QueryPairs) -> Self {
        let skip: usize = query.get("skip").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut rows: Vec<T> = all.into_iter().skip(skip).take(ROWS + 1).collect();
        let at = |skip: usize| format!("?{}", query.with("skip", &skip.to_string()));
        let after = (rows.len() > ROWS).then(|| at(skip + ROWS));
        rows.truncate(ROWS);
        Self { rows, before: (skip > 0).then(|| at(skip.saturating_sub(ROWS))), after }
    }
}

/// Every page.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin", get(async |_: Administrator| see_other("/admin/users")))
        .route("/admin/users", get(users::list))
        .route("/admin/users/{param}", get(users::one))
        .route("/admin/hardware", get(host::hardware))
        .route("/admin/plugins", get(host::plugins))
        .route("/admin/grants", get(grants::page))
        .route("/admin/quotas", get(quotas::page))
        .route("/admin/audit", get(audit::page))
        .route("/admin/usage", get(usage::page))
}
