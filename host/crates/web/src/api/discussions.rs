//! Discussions and pull requests: listed, read, opened, talked in, closed and merged. The shapes are in `json`.

mod json;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{DiscussionFilter, KindFilter, NewDiscussion, StatusFilter};
use spaceport_core::discussion::DiscussionStatus;
use spaceport_core::name::SpacePath;

use super::told_to;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param, QueryPairs, SpaceAt};
use crate::router::AppState;
use json::{details_json, discussion_json, event_json};

/// Discussions on a page of the list. Clients name pages by their number, from 0.
const PAGE: usize = 50;

/// The body of `POST …/discussions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    pull_request: Option<bool>,
}

/// The body of `POST …/comment`, and of `…/merge`.
#[derive(Deserialize)]
pub(crate) struct Say {
    comment: Option<String>,
}

/// The body of `POST …/comment/{id}/edit`.
#[derive(Deserialize)]
pub(crate) struct Edit {
    content: Option<String>,
}

/// The body of `POST …/title`.
#[derive(Deserialize)]
pub(crate) struct Rename {
    title: Option<String>,
}

/// The body of `POST …/status`.
#[derive(Deserialize)]
pub(crate) struct SetStatus {
    status: Option<String>,
    comment: Option<String>,
}

/// `{owner}/{name}/discussions/{number}` of the address.
pub(crate) struct DiscussionAt(pub(crate) SpacePath, pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for DiscussionAt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let SpaceAt(path) = SpaceAt::from_request_parts(parts, state).await?;
        let number = Param::named(parts, state, "number").await?;
        // No discussion has the number 0, by which one is asked for that is written otherwise.
        Ok(Self(path, number.parse().unwrap_or(0)))
    }
}

/// A page of the discussions of a Space, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let page = query.get("p").map_or(Ok(0), str::parse::<usize>);
    let page = page.map_err(|_| ApiError::bad_request("p is the number of a page, from 0"))?;
    let start = page.saturating_mul(PAGE);
    let Some(filter) = filter(&query)? else {
        // A name that nobody can have has opened nothing; the caller must see the Space all the same.
        app.control.discussions(&actor, &path, &DiscussionFilter::default(), 0, 0).map_err(told_to(&actor))?;
        return Ok(Json(json!({ "count": 0, "start": start, "numClosedDiscussions": 0, "discussions": [] })));
    };
    let found = app.control.discussions(&actor, &path, &filter, start, PAGE).map_err(told_to(&actor))?;
    Ok(Json(json!({
        "count": found.total,
        "start": start,
        "numClosedDiscussions": found.closed,
        "discussions": found.discussions.iter().map(discussion_json).collect::<Value>(),
    })))
}

/// Opens one.
pub(crate) async fn open(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<Open>,
) -> ApiResult<Json<Value>> {
    let is_pull_request = body.pull_request.unwrap_or(false);
    let new = NewDiscussion {
        title: member(body.title, "title")?,
        description: body.description.unwrap_or_default(),
        is_pull_request,
    };
    let number = app.control.open_discussion(&actor, &path, new).await.map_err(told_to(&actor))?;
    let url = format!("{}/discussions/{number}", app.control.addresses().page_url(&path));
    Ok(Json(json!({ "num": number, "url": url, "pullRequest": is_pull_request })))
}

/// One with all that happened in it.
pub(crate) async fn one(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let found = app.control.discussion(&actor, &path, number, query.is_set("diff")).await;
    Ok(Json(details_json(&found.map_err(told_to(&actor))?)))
}

/// Removes one.
pub(crate) async fn delete(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
) -> ApiResult<&'static str> {
    app.control.delete_discussion(&actor, &path, number).await.map_err(told_to(&actor))?;
    Ok("OK")
}

/// Says something.
pub(crate) async fn comment(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    JsonBody(body): JsonBody<Say>,
) -> ApiResult<Json<Value>> {
    let text = member(body.comment, "comment")?;
    let event = app.control.comment(&actor, &path, number, text).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "newMessage": event_json(&event) })))
}

/// Says something otherwise.
pub(crate) async fn edit(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    Param(comment): Param,
    JsonBody(body): JsonBody<Edit>,
) -> ApiResult<Json<Value>> {
    let text = member(body.content, "content")?;
    let event = app.control.edit_comment(&actor, &path, number, &comment, text).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "updatedComment": event_json(&event) })))
}

/// Takes back what was said, for good.
pub(crate) async fn hide(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    Param(comment): Param,
) -> ApiResult<Json<Value>> {
    let event = app.control.hide_comment(&actor, &path, number, &comment).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "updatedComment": event_json(&event) })))
}

/// Gives it another title.
pub(crate) async fn rename(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<Json<Value>> {
    let title = member(body.title, "title")?;
    let event = app.control.rename_discussion(&actor, &path, number, &title).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "newTitle": event_json(&event) })))
}

/// Closes it, or opens it again.
pub(crate) async fn set_status(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    JsonBody(body): JsonBody<SetStatus>,
) -> ApiResult<Json<Value>> {
    let status = match member(body.status, "status")?.as_str() {
        "open" => DiscussionStatus::Open,
        "closed" => DiscussionStatus::Closed,
        other => {
            return Err(ApiError::bad_request(format!("status {other:?} cannot be set; set \"open\" or \"closed\"")));
        }
    };
    let event = app.control.set_discussion_status(&actor, &path, number, status, body.comment).await;
    Ok(Json(json!({ "newStatus": event_json(&event.map_err(told_to(&actor))?) })))
}

/// Merges a pull request.
pub(crate) async fn merge(
    State(app): State<AppState>,
    Caller(actor): Caller,
    DiscussionAt(path, number): DiscussionAt,
    JsonBody(body): JsonBody<Say>,
) -> ApiResult<Json<Value>> {
    let commit = app.control.merge_pull_request(&actor, &path, number, body.comment).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "success": true, "mergeCommitId": commit.to_string() })))
}

/// The filter of a query; `None` if nothing can pass it.
fn filter(query: &QueryPairs) -> ApiResult<Option<DiscussionFilter>> {
    let kind = match query.get("type") {
        None | Some("all") => KindFilter::All,
        Some("discussion") => KindFilter::Discussions,
        Some("pull_request") => KindFilter::PullRequests,
        Some(other) => {
            let message = format!("type {other:?} is not known; use all, discussion or pull_request");
            return Err(ApiError::bad_request(message));
        }
    };
    let status = match query.get("status") {
        None | Some("all") => StatusFilter::All,
        Some("open") => StatusFilter::Open,
        Some("closed") => StatusFilter::Closed,
        Some(other) => {
            return Err(ApiError::bad_request(format!("status {other:?} is not known; use all, open or closed")));
        }
    };
    match query.get("author").map(str::parse) {
        Some(Err(_)) => Ok(None),
        Some(Ok(author)) => Ok(Some(DiscussionFilter { author: Some(author), kind, status })),
        None => Ok(Some(DiscussionFilter { author: None, kind, status })),
    }
}

fn member(value: Option<String>, name: &str) -> ApiResult<String> {
    value.ok_or_else(|| ApiError::bad_request(format!("The body needs the member {name:?}")))
}
