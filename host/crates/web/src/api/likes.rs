//! Likes: of a Space, and of a user.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use spaceport_core::name::OwnerName;

use super::page::Page;
use super::time::iso;
use super::{address, told_to};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Param, QueryPairs, SpaceAt};
use crate::router::AppState;

/// Likes on a page.
const PAGE: usize = 100;

/// Likes a Space.
pub(crate) async fn like(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.like(&actor, &path).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "success": true })))
}

/// Likes a Space no more.
pub(crate) async fn unlike(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    app.control.unlike(&actor, &path).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "success": true })))
}

/// Who likes a Space.
pub(crate) async fn likers(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let likers = app.control.likers(&actor, &path).map_err(told_to(&actor))?;
    let page = Page::of(&query, PAGE);
    let shown = likers.iter().skip(page.start).take(page.limit);
    let list: Value = shown
        .map(|account| {
            json!({
                "_id": account.id.to_string(),
                "user": account.name.as_str(),
                "fullname": account.name.as_str(),
                "avatarUrl": "",
                "type": "user",
                "isPro": false,
            })
        })
        .collect();
    Ok(page.answer(&address(&app, &request), &query, list, likers.len()))
}

/// What a user likes.
pub(crate) async fn liked_by(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(user): Param,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let user: OwnerName = user.parse().map_err(|_| ApiError::not_found())?;
    let liked = app.control.liked_by(&actor, &user)?;
    let page = Page::of(&query, PAGE);
    let shown = liked.iter().skip(page.start).take(page.limit);
    let list: Value = shown
        .map(
            |(space, at)| json!({ "createdAt": iso(*at), "repo": { "name": space.path.to_string(), "type": "space" } }),
        )
        .collect();
    Ok(page.answer(&address(&app, &request), &query, list, liked.len()))
}
