//! Users of this host, and one with its tokens.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::Account;
use spaceport_core::permission::{TokenRole, User};

use super::super::chrome::{Chrome, show};
use super::super::settings::{Frame, TokenRow};
use super::{Administrator, Listed, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::{OwnerAt, QueryPairs};
use crate::router::AppState;

#[derive(Template)]
#[template(path = "admin_users.html")]
struct UsersPage {
    chrome: Chrome,
    frame: Frame,
    /// What names are to have in them.
    search: String,
    total: usize,
    users: Listed<UserRow>,
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct UserPage {
    chrome: Chrome,
    frame: Frame,
    user: UserRow,
    spaces: usize,
    email: String,
    is_verified: bool,
    tokens: Vec<TokenRow>,
    tokens_api: &'static str,
    may_create: bool,
}

struct UserRow {
    name: String,
    created_at: String,
    is_admin: bool,
    has_password: bool,
}

impl UserRow {
    fn of(account: &Account) -> Self {
        Self {
            name: account.name.to_string(),
            created_at: iso(account.created_at),
            is_admin: account.is_admin,
            has_password: account.password.is_some(),
        }
    }
}

/// All of them, or those whose names have a text in them.
pub(super) async fn list(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    query: QueryPairs,
) -> ApiResult<Response> {
    let search = query.get("search").unwrap_or_default().trim().to_owned();
    let wanted = search.to_ascii_lowercase();
    let mut users = app.control.users(&actor)?;
    users.retain(|account| account.name.as_str().to_ascii_lowercase().contains(&wanted));
    let total = users.len();
    let users = Listed::of(users.iter().map(UserRow::of), &query);
    show(&app, StatusCode::OK, &UsersPage { chrome, frame: frame("Users"), search, total, users })
}

/// One.
pub(super) async fn one(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
    OwnerAt(name): OwnerAt,
) -> ApiResult<Response> {
    let (account, spaces) = app.control.user(&actor, &name)?;
    let (email, tokens) = (app.control.email_of(account.id)?, app.control.tokens_of(&actor, &name)?);
    // Scopes are named as their owner reads them.
    let owner = User::new(account.id, account.name.clone(), account.is_admin, TokenRole::Read);
    let page = UserPage {
        chrome,
        frame: frame("Users"),
        spaces,
        is_verified: email.as_ref().is_some_and(|email| email.is_verified),
        email: email.map_or_else(String::new, |email| email.address.to_string()),
        tokens: tokens.iter().map(|token| TokenRow::of(&app, &owner, token)).collect::<ApiResult<_>>()?,
        tokens_api: "/api/admin/tokens",
        may_create: true,
        user: UserRow::of(&account),
    };
    show(&app, StatusCode::OK, &page)
}
