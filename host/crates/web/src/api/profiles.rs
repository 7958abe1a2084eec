//! What is told of users and organizations. Plans, papers and followers do not exist here; clients want the members anyway.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use spaceport_control::service::{AccountKind, OwnedSpace, Profile};
use spaceport_core::name::OwnerName;
use spaceport_core::permission::Actor;

use super::address;
use super::page::Page;
use super::time::iso;
use crate::auth::{Caller, Signed};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Param, QueryPairs};
use crate::router::AppState;

/// Repositories on a page: each is measured.
const PAGE: usize = 50;

/// A user, by name or id.
pub(crate) async fn user(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    let Profile { account, spaces, likes, organizations, .. } =
        app.control.profile(&actor, &name, AccountKind::User)?;
    Ok(Json(json!({
        "_id": account.id.to_string(),
        "type": "user",
        "user": account.name.as_str(),
        "fullname": account.name.as_str(),
        "avatarUrl": "",
        "createdAt": iso(account.created_at),
        "isPro": false,
        "isFollowing": false,
        "numModels": 0,
        "numDatasets": 0,
        "numSpaces": spaces,
        "numDiscussions": 0,
        "numPapers": 0,
        "numUpvotes": 0,
        "numLikes": likes,
        "numFollowing": 0,
        "numFollowers": 0,
        "orgs": organizations.iter().map(|(account, _)| super::organizations::short(account)).collect::<Vec<_>>(),
    })))
}

/// An organization, by name or id.
pub(crate) async fn organization(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    let Profile { account, spaces, members, .. } = app.control.profile(&actor, &name, AccountKind::Organization)?;
    Ok(Json(json!({
        "_id": account.id.to_string(),
        "type": "org",
        "name": account.name.as_str(),
        "fullname": account.name.as_str(),
        "avatarUrl": "",
        "createdAt": iso(account.created_at),
        "details": null,
        "isVerified": false,
        "isFollowing": false,
        "numModels": 0,
        "numDatasets": 0,
        "numSpaces": spaces,
        "numUsers": members,
        "numFollowers": 0,
    })))
}

/// Nobody follows anybody here.
pub(crate) async fn nobody_of_user(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    app.control.profile(&actor, &name, AccountKind::User)?;
    Ok(Json(json!([])))
}

/// The same of an organization.
pub(crate) async fn nobody_of_organization(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    app.control.profile(&actor, &name, AccountKind::Organization)?;
    Ok(Json(json!([])))
}

/// The caller's repositories and what they take on disk.
pub(crate) async fn repositories(
    State(app): State<AppState>,
    Signed(signed): Signed,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let actor = Actor::User(signed.user.clone());
    owned(&app, &actor, None, &query, &address(&app, &request)).await
}

/// The same of an organization.
pub(crate) async fn repositories_of_organization(
    State(app): State<AppState>,
    Signed(signed): Signed,
    Param(name): Param,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let actor = Actor::User(signed.user.clone());
    let owner: OwnerName = name.parse().map_err(|_| ApiError::not_found())?;
    owned(&app, &actor, Some(&owner), &query, &address(&app, &request)).await
}

async fn owned(
    app: &AppState,
    actor: &Actor,
    owner: Option<&OwnerName>,
    query: &QueryPairs,
    address: &str,
) -> ApiResult<Response> {
    let page = Page::of(query, PAGE);
    let (total, owned) = app.control.owned_spaces(actor, owner, page.start, page.limit).await?;
    let item = |OwnedSpace { space, bytes }: &OwnedSpace| {
        json!({
            "id": space.path.to_string(),
            "type": "space",
            "updatedAt": iso(space.updated_at),
            "visibility": space.visibility.as_str(),
            "storage": bytes,
        })
    };
    let list: Value = owned.iter().map(item).collect();
    Ok(page.answer(address, query, list, total))
}
