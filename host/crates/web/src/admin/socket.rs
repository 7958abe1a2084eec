//! Creating users, organizations and tokens over `DATA/admin.sock`. The bodies are public: the shell sends them.

use axum::extract::State;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use spaceport_control::service::{Account, AccountKind, Control, NewToken, NewUser};
use spaceport_core::id::AccountId;
use spaceport_core::name::OwnerName;

use crate::api::admin::{name, role};
use crate::error::{ApiError, ApiResult};
use crate::extract::JsonBody;
use crate::middleware;

/// The body of `POST /users`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// Its name.
    pub name: String,
    /// Whether it administers the host.
    #[serde(default)]
    pub admin: bool,
    /// Without one it signs in by token.
    pub password: Option<String>,
}

/// The answer to `POST /users`.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct CreatedUser {
    /// The account's id.
    pub id: AccountId,
    /// Its name.
    pub name: OwnerName,
    /// Whether it administers the host.
    pub admin: bool,
}

/// The body of `POST /tokens`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Whose it is.
    pub user: String,
    /// `read`, `write` or `admin`.
    pub role: String,
    /// What it is for.
    pub name: String,
}

/// The answer to `POST /tokens`.
#[derive(Serialize, Deserialize)]
pub struct CreatedToken {
    /// The token. It cannot be read again.
    pub token: String,
}

/// The body of `POST /organizations`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    /// Its name.
    pub name: String,
    /// The user who is its first admin.
    pub owner: String,
}

/// The answer to `POST /organizations`.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct CreatedOrganization {
    /// The account's id.
    pub id: AccountId,
    /// Its name.
    pub name: OwnerName,
}

/// The routes of the admin socket.
pub fn admin_socket_router(control: Control) -> Router {
    Router::new()
        .route("/users", get(list_users).post(create_user))
        .route("/tokens", post(create_token))
        .route("/organizations", post(create_organization))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn(middleware::observe))
        .with_state(control)
}

async fn list_users(State(control): State<Control>) -> ApiResult<Json<Vec<CreatedUser>>> {
    let users = control.accounts().list()?.into_iter().filter(|account| account.kind == AccountKind::User);
    Ok(Json(users.map(CreatedUser::from).collect()))
}

async fn create_user(
    State(control): State<Control>,
    JsonBody(body): JsonBody<CreateUser>,
) -> ApiResult<Json<CreatedUser>> {
    let new = NewUser { name: name(&body.name)?, is_admin: body.admin, password: body.password };
    Ok(Json(control.accounts().create_user(new).await?.into()))
}

async fn create_token(
    State(control): State<Control>,
    JsonBody(body): JsonBody<CreateToken>,
) -> ApiResult<Json<CreatedToken>> {
    let new = NewToken { user: name(&body.user)?, role: role(&body.role)?, label: body.name };
    let token = control.accounts().create_token(new).await?;
    Ok(Json(CreatedToken { token: token.expose().to_owned() }))
}

async fn create_organization(
    State(control): State<Control>,
    JsonBody(body): JsonBody<CreateOrganization>,
) -> ApiResult<Json<CreatedOrganization>> {
    let made = control.accounts().create_organization(name(&body.name)?, &name(&body.owner)?).await?;
    Ok(Json(CreatedOrganization { id: made.id, name: made.name }))
}

impl From<Account> for CreatedUser {
    fn from(account: Account) -> Self {
        Self { id: account.id, name: account.name, admin: account.is_admin }
    }
}
