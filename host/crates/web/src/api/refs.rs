//! Branches, tags and the history of a repository.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{LogEntry, NamedRef};

use super::page::Page;
use super::time::iso;
use super::{address, told_to};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult, X_REPO_COMMIT, header_text};
use crate::extract::{JsonBody, QueryPairs, RevisionName, SpaceAt};
use crate::router::AppState;

/// Commits on a page of a history.
const PAGE: usize = 50;

/// The body of `POST …/branch/{rev}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewBranch {
    starting_point: Option<String>,
}

/// The body of `POST …/tag/{rev}`.
#[derive(Deserialize)]
pub(crate) struct NewTag {
    tag: Option<String>,
    message: Option<String>,
}

/// The body of `POST …/super-squash/{rev}`.
#[derive(Deserialize)]
pub(crate) struct Squash {
    message: Option<String>,
}

/// Branches, tags, and pull requests if they are asked for.
pub(crate) async fn refs(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let refs = app.control.refs(&actor, &path).await.map_err(told_to(&actor))?;
    let list = |refs: &[NamedRef]| refs.iter().map(ref_json).collect::<Value>();
    let mut answer = json!({
        "branches": list(&refs.branches),
        "converts": list(&refs.converts),
        "tags": list(&refs.tags),
    });
    if query.is_set("include_prs") {
        answer["pullRequests"] = list(&refs.pull_requests);
    }
    Ok(Json(answer))
}

/// The history of a revision, newest first.
pub(crate) async fn commits(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let page = Page::of(&query, PAGE);
    let found = app.control.commits(&actor, &path, &revision, page.start, page.limit).await;
    let found = found.map_err(told_to(&actor))?;
    let is_formatted = query.all("expand").contains(&"formatted");
    let list: Value = found.commits.iter().map(|commit| commit_json(commit, is_formatted)).collect();
    let mut response = page.answer(&address(&app, &request), &query, list, found.total);
    response.headers_mut().insert(X_REPO_COMMIT, header_text(&found.head.to_string()));
    Ok(response)
}

/// Makes a branch.
pub(crate) async fn create_branch(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(branch): RevisionName,
    JsonBody(body): JsonBody<NewBranch>,
) -> ApiResult<&'static str> {
    let start = body.starting_point.as_deref();
    app.control.create_branch(&actor, &path, &branch, start).await.map_err(told_to(&actor))?;
    Ok("OK")
}

/// Removes a branch.
pub(crate) async fn delete_branch(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(branch): RevisionName,
) -> ApiResult<&'static str> {
    app.control.delete_branch(&actor, &path, &branch).await.map_err(told_to(&actor))?;
    Ok("OK")
}

/// Makes a tag.
pub(crate) async fn create_tag(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    JsonBody(body): JsonBody<NewTag>,
) -> ApiResult<&'static str> {
    let tag = body.tag.ok_or_else(|| ApiError::bad_request("The body needs the member \"tag\", the tag's name"))?;
    let message = body.message.as_deref();
    app.control.create_tag(&actor, &path, &revision, &tag, message).await.map_err(told_to(&actor))?;
    Ok("OK")
}

/// Removes a tag.
pub(crate) async fn delete_tag(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(tag): RevisionName,
) -> ApiResult<&'static str> {
    app.control.delete_tag(&actor, &path, &tag).await.map_err(told_to(&actor))?;
    Ok("OK")
}

/// Makes the history of a branch one commit.
pub(crate) async fn super_squash(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(branch): RevisionName,
    JsonBody(body): JsonBody<Squash>,
) -> ApiResult<Json<Value>> {
    let message = body.message.unwrap_or_else(|| format!("Super-squash branch '{branch}'"));
    let head = app.control.super_squash(&actor, &path, &branch, &message).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "commitOid": head.to_string() })))
}

fn ref_json(entry: &NamedRef) -> Value {
    json!({ "name": entry.name, "ref": entry.full_name, "targetCommit": entry.target.to_string() })
}

fn commit_json(commit: &LogEntry, is_formatted: bool) -> Value {
    let mut json = json!({
        "id": commit.oid.to_string(),
        "title": commit.summary,
        "message": commit.description,
        "authors": [{ "user": commit.author }],
        "date": iso(commit.at),
    });
    if is_formatted {
        json["formatted"] = json!({ "title": escaped(&commit.summary), "message": escaped(&commit.description) });
    }
    json
}

/// Text as HTML that shows it and nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}
