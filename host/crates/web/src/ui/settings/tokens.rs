//! A user's access tokens. What a token is, is told once, to the script that has asked for it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::AccessToken;
use spaceport_core::permission::{Permission, TokenRole, User};

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::router::AppState;

/// Roles as the API names them, and what they are for.
const ROLES: [(TokenRole, &str, &str); 4] = [
    (TokenRole::Read, "read", "Sees what you see: for cloning and downloading"),
    (TokenRole::Write, "write", "Creates and changes what you may: for pushing and the command line"),
    (TokenRole::FineGrained, "fineGrained", "For some Spaces alone, as you choose below"),
    (TokenRole::Admin, "admin", "Administers this host as well"),
];
/// What a fine-grained token can be for, and in words.
const PERMISSIONS: [(Permission, &str); 3] = [
    (Permission::ReadContent, "See code and app"),
    (Permission::Write, "Change code and settings"),
    (Permission::Discuss, "Take part in discussions"),
];

#[derive(Template)]
#[template(path = "settings_tokens.html")]
struct TokensPage {
    chrome: Chrome,
    frame: Frame,
    tokens: Vec<TokenRow>,
    /// Where they are deleted.
    tokens_api: &'static str,
    /// Roles that a new one can have, and what they are for.
    roles: Vec<(&'static str, &'static str)>,
    /// Names of permissions, and what they are.
    permissions: Vec<(&'static str, &'static str)>,
    may_create: bool,
    /// A user who administers, signed in with what does not allow it.
    is_less_than_admin: bool,
}

/// A token as lists show it.
pub(in super::super) struct TokenRow {
    pub(in super::super) id: String,
    pub(in super::super) label: String,
    pub(in super::super) role: &'static str,
    pub(in super::super) last_four: String,
    pub(in super::super) created_at: String,
    /// What a fine-grained one is for: a name, and what is allowed there.
    pub(in super::super) scopes: Vec<(String, String)>,
}

impl TokenRow {
    /// A token of a user's.
    pub(in super::super) fn of(app: &AppState, user: &User, token: &AccessToken) -> ApiResult<Self> {
        let words = |all: &[Permission]| all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
        let scopes = match token.role {
            TokenRole::FineGrained => app.control.named_scopes(user, &token.scopes)?,
            _ => Vec::new(),
        };
        Ok(Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            role: token.role.as_str(),
            last_four: token.last_four.clone(),
            created_at: iso(token.created_at),
            scopes: scopes.into_iter().map(|scope| (scope.name, words(&scope.permissions))).collect(),
        })
    }
}

/// The page.
pub(super) async fn page(State(app): State<AppState>, Own { session, actor, chrome }: Own) -> ApiResult<Response> {
    let user = &session.user;
    let tokens = app.control.own_tokens(&actor)?;
    let page = TokensPage {
        chrome,
        frame: frame("Access tokens"),
        tokens: tokens.iter().map(|token| TokenRow::of(&app, user, token)).collect::<ApiResult<_>>()?,
        tokens_api: "/api/settings/tokens",
        roles: ROLES
            .into_iter()
            .filter(|(role, ..)| *role <= user.role)
            .map(|(_, name, about)| (name, about))
            .collect(),
        permissions: PERMISSIONS.into_iter().map(|(permission, words)| (permission.as_str(), words)).collect(),
        may_create: user.role >= TokenRole::Write,
        is_less_than_admin: user.is_admin && user.role < TokenRole::Admin,
    };
    show(&app, StatusCode::OK, &page)
}
