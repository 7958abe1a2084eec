//! Users and their tokens.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{AccessToken, Account, AccountChanges, AccountEmail, NewToken, NewUser, TokenChanges};
use spaceport_core::name::OwnerName;

use super::super::items::ListAt;
use super::super::time::iso;
use super::{Admin, name, present, role};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// The body of `POST /api/admin/users`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewUserBody {
    name: String,
    #[serde(default)]
    is_admin: bool,
    password: Option<String>,
}

/// The body of `PATCH /api/admin/users/{name}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserChanges {
    is_admin: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    password: Option<Option<String>>,
}

/// The body of `POST /api/admin/users/{name}/tokens`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenBody {
    role: String,
    #[serde(default)]
    name: String,
}

/// The body of `PATCH /api/admin/tokens/{id}`; what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenChangesBody {
    role: Option<String>,
    name: Option<String>,
}

/// The body of `PUT /api/admin/users/{name}/email`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailBody {
    address: String,
    #[serde(default)]
    verified: bool,
}

pub(crate) async fn list(State(app): State<AppState>, Admin(actor): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    let users = app.control.users(&actor)?;
    Ok(list.part(&users, user_json))
}

pub(crate) async fn get(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
) -> ApiResult<Json<Value>> {
    let (account, spaces) = app.control.user(&actor, &name(&user)?)?;
    let mut answer = user_json(&account);
    answer["numSpaces"] = json!(spaces);
    let email = app.control.email_of(account.id)?;
    answer["email"] = email.map_or(Value::Null, |email| email_json(&email));
    Ok(Json(answer))
}

pub(crate) async fn set_email(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
    JsonBody(body): JsonBody<EmailBody>,
) -> ApiResult<Json<Value>> {
    Ok(Json(email_json(&app.control.set_email(&actor, &name(&user)?, &body.address, body.verified).await?)))
}

pub(crate) async fn remove_email(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
) -> ApiResult<Json<Value>> {
    app.control.remove_email(&actor, &name(&user)?).await?;
    Ok(Json(json!({})))
}

pub(crate) async fn create(
    State(app): State<AppState>,
    Admin(actor): Admin,
    JsonBody(body): JsonBody<NewUserBody>,
) -> ApiResult<Json<Value>> {
    let new = NewUser { name: name(&body.name)?, is_admin: body.is_admin, password: body.password };
    Ok(Json(user_json(&app.control.create_user(&actor, new).await?)))
}

pub(crate) async fn change(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
    JsonBody(body): JsonBody<UserChanges>,
) -> ApiResult<Json<Value>> {
    let changes = AccountChanges { is_admin: body.is_admin, password: body.password };
    Ok(Json(user_json(&app.control.change_user(&actor, &name(&user)?, changes).await?)))
}

pub(crate) async fn delete(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
) -> ApiResult<Json<Value>> {
    app.control.delete_user(&actor, &name(&user)?).await?;
    Ok(Json(json!({})))
}

pub(crate) async fn tokens(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let tokens = app.control.tokens_of(&actor, &name(&user)?)?;
    Ok(list.part(&tokens, token_json))
}

pub(crate) async fn create_token(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(user): Param,
    JsonBody(body): JsonBody<NewTokenBody>,
) -> ApiResult<Json<Value>> {
    let new = NewToken { user: name(&user)?, role: role(&body.role)?, label: body.name };
    let token = app.control.create_token_for(&actor, new).await?;
    Ok(Json(json!({ "token": token.expose() })))
}

/// Changes what a token is called, and what it may do.
pub(crate) async fn change_token(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(id): Param,
    JsonBody(body): JsonBody<TokenChangesBody>,
) -> ApiResult<Json<Value>> {
    let id = id.parse().map_err(|_| ApiError::bad_request("A token is named by its id"))?;
    let changes = TokenChanges { role: body.role.as_deref().map(role).transpose()?, label: body.name };
    Ok(Json(owned_token_json(&app.control.change_token(&actor, id, changes).await?)))
}

pub(crate) async fn revoke_token(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    let id = id.parse().map_err(|_| ApiError::bad_request("A token is named by its id"))?;
    app.control.revoke_token(&actor, id).await?;
    Ok(Json(json!({})))
}

/// Every token, without the tokens themselves.
pub(crate) async fn all_tokens(
    State(app): State<AppState>,
    Admin(actor): Admin,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let tokens = app.control.tokens(&actor)?;
    Ok(list.part(&tokens, owned_token_json))
}

/// One of them.
pub(crate) async fn token(
    State(app): State<AppState>,
    Admin(actor): Admin,
    Param(id): Param,
) -> ApiResult<Json<Value>> {
    let id = id.parse().map_err(|_| ApiError::bad_request("A token is named by its id"))?;
    Ok(Json(owned_token_json(&app.control.token(&actor, id)?)))
}

fn owned_token_json((token, owner): &(AccessToken, OwnerName)) -> Value {
    let mut item = token_json(token);
    item["user"] = json!(owner.as_str());
    item
}

fn user_json(account: &Account) -> Value {
    json!({
        "id": account.id.to_string(),
        "name": account.name.as_str(),
        "isAdmin": account.is_admin,
        "hasPassword": account.password.is_some(),
        "createdAt": iso(account.created_at),
    })
}

fn email_json(email: &AccountEmail) -> Value {
    json!({ "address": email.address.as_str(), "verified": email.is_verified, "setAt": iso(email.set_at) })
}

fn token_json(token: &AccessToken) -> Value {
    json!({
        "id": token.id.to_string(),
        "name": token.label,
        "role": token.role.as_str(),
        "lastFour": token.last_four,
        "createdAt": iso(token.created_at),
    })
}
