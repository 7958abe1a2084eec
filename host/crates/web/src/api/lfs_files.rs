//! The large files that a Space keeps, in its current revision and in older ones.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use spaceport_control::service::LargeFile;
use spaceport_core::permission::Action;
use spaceport_core::revision::DEPLOY_BRANCH;

use super::not_offered::not_offered;
use super::page::Page;
use super::time::iso;
use super::{address, told_to};
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::extract::{QueryPairs, SpaceAt};
use crate::router::AppState;

/// Files on a page.
const PAGE: usize = 1000;

/// What the Space keeps.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let files = app.control.large_files(&actor, &path).await.map_err(told_to(&actor))?;
    let page = Page::of(&query, PAGE);
    let shown: Value = files.iter().skip(page.start).take(page.limit).map(row).collect();
    Ok(page.answer(&address(&app, &request), &query, shown, files.len()))
}

/// Files stay as long as a revision refers to them, and history is not rewritten here.
pub(crate) async fn delete(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    Err(not_offered(
        "This host keeps a large file as long as the Space exists, since older revisions and releases refer to it. To be \
         rid of one, push a history without it to a new Space and delete this one",
    ))
}

/// A file; one that `main` does not have goes by its id.
fn row(file: &LargeFile) -> Value {
    let oid = file.oid.to_string();
    json!({
        "fileOid": oid,
        "oid": oid,
        "filename": file.path.as_deref().unwrap_or(&oid),
        "size": file.size,
        "pushedAt": iso(file.created_at),
        "ref": file.path.as_ref().map(|_| format!("refs/heads/{DEPLOY_BRANCH}")),
    })
}
