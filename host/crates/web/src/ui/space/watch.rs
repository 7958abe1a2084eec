//! Pages on which its people watch a Space: its logs, what it uses, and what was built.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::ReleaseView;
use spaceport_core::permission::Action;

use super::super::chrome::{Chrome, Reader, show};
use super::{SHORT_ID, SpaceHead};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::{QueryPairs, SpaceAt};
use crate::router::AppState;

#[derive(Template)]
#[template(path = "space_logs.html")]
struct LogsPage {
    chrome: Chrome,
    head: SpaceHead,
    is_build: bool,
}

#[derive(Template)]
#[template(path = "space_metrics.html")]
struct MetricsPage {
    chrome: Chrome,
    head: SpaceHead,
}

#[derive(Template)]
#[template(path = "space_releases.html")]
struct ReleasesPage {
    chrome: Chrome,
    head: SpaceHead,
    releases: Vec<Release>,
}

/// A built revision.
struct Release {
    number: u64,
    revision: String,
    short: String,
    created_at: String,
    is_live: bool,
}

impl From<&ReleaseView> for Release {
    fn from(view: &ReleaseView) -> Self {
        let revision = view.release.revision.to_string();
        Self {
            number: view.release.number,
            short: revision.chars().take(SHORT_ID).collect(),
            revision,
            created_at: iso(view.created_at),
            is_live: view.is_live,
        }
    }
}

/// The logs, as they are written.
pub(crate) async fn logs_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Response> {
    app.control.space(&visitor.actor, &path, Action::SeeSettings)?;
    let head = SpaceHead::at(&app, &visitor, &path, "Logs").await?;
    show(&app, StatusCode::OK, &LogsPage { chrome, head, is_build: query.get("log") == Some("build") })
}

/// What the Space uses.
pub(crate) async fn metrics_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    app.control.space(&visitor.actor, &path, Action::SeeSettings)?;
    let head = SpaceHead::at(&app, &visitor, &path, "Metrics").await?;
    show(&app, StatusCode::OK, &MetricsPage { chrome, head })
}

/// What was built, and the way back to it.
pub(crate) async fn releases_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    let releases = app.control.releases(&visitor.actor, &path)?;
    let head = SpaceHead::at(&app, &visitor, &path, "Releases").await?;
    let releases = releases.iter().map(Release::from).collect();
    show(&app, StatusCode::OK, &ReleasesPage { chrome, head, releases })
}
