//! What is told of users and organizations. Plans, papers and followers do not exist here; clients want the members anyway.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{AccountKind, Profile};

use super::time::iso;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::extract::Param;
use crate::router::AppState;

/// A user, by name or id.
pub(crate) async fn user(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    let Profile { account, spaces, likes } = app.control.profile(&actor, &name, AccountKind::User)?;
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
        "orgs": [],
    })))
}

/// An organization, by name or id.
pub(crate) async fn organization(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(name): Param,
) -> ApiResult<Json<Value>> {
    let Profile { account, spaces, .. } = app.control.profile(&actor, &name, AccountKind::Organization)?;
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
