//! How much owners may have.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_core::limits::Bytes;

use super::super::chrome::{Chrome, show};
use super::super::hardware::size;
use super::super::settings::Frame;
use super::{Administrator, Listed, frame};
use crate::error::ApiResult;
use crate::extract::QueryPairs;
use crate::router::AppState;

/// Where there is no limit.
const UNLIMITED: &str = "no limit";

#[derive(Template)]
#[template(path = "admin_quotas.html")]
struct QuotasPage {
    chrome: Chrome,
    frame: Frame,
    quotas: Listed<QuotaRow>,
}

struct QuotaRow {
    owner: String,
    /// Used and allowed, for Spaces, repositories and large files.
    parts: [(String, String); 3],
}

/// The page.
pub(super) async fn page(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    query: QueryPairs,
) -> ApiResult<Response> {
    let found = Listed::of(app.control.quotas(&actor)?, &query);
    let mut rows = Vec::with_capacity(found.rows.len());
    for (owner, _) in found.rows {
        let view = app.control.quota(&actor, &owner).await?;
        let number = |value: Option<u64>| value.map_or_else(|| UNLIMITED.to_owned(), |value| value.to_string());
        let bytes = |value: Option<u64>| value.map_or_else(|| UNLIMITED.to_owned(), |value| size(Bytes(value)));
        let (used, quota) = (view.used, view.quota);
        let parts = [
            (number(used.spaces), number(quota.spaces)),
            (bytes(used.storage_bytes), bytes(quota.storage_bytes)),
            (bytes(used.lfs_bytes), bytes(quota.lfs_bytes)),
        ];
        rows.push(QuotaRow { owner: owner.to_string(), parts });
    }
    let quotas = Listed { rows, before: found.before, after: found.after };
    show(&app, StatusCode::OK, &QuotasPage { chrome, frame: frame("Quotas"), quotas })
}
