//! The organizations of a user, and the members of one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_core::permission::{OrgRole, TokenRole};

use super::super::chrome::{Chrome, show};
use super::{Frame, Own, frame};
use crate::api::time::iso;
use crate::error::{ApiError, ApiResult};
use crate::extract::OwnerAt;
use crate::router::AppState;

/// What members are, and what that allows.
const ROLES: [(OrgRole, &str); 4] = [
    (OrgRole::Read, "sees its Spaces"),
    (OrgRole::Contributor, "creates Spaces and changes those"),
    (OrgRole::Write, "changes all of its Spaces"),
    (OrgRole::Admin, "manages it and its members"),
];

#[derive(Template)]
#[template(path = "settings_organizations.html")]
struct ListPage {
    chrome: Chrome,
    frame: Frame,
    /// Names, and what the user is there.
    organizations: Vec<(String, &'static str)>,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "settings_organization.html")]
struct OnePage {
    chrome: Chrome,
    frame: Frame,
    name: String,
    members: Vec<MemberRow>,
    roles: Vec<(&'static str, &'static str)>,
    may_manage: bool,
    me: String,
}

struct MemberRow {
    name: String,
    role: &'static str,
    since: String,
    is_me: bool,
}

/// All of them.
pub(super) async fn list(State(app): State<AppState>, Own { session, chrome, .. }: Own) -> ApiResult<Response> {
    let mut organizations = app.control.accounts().organizations_of(session.user.id)?;
    organizations.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let page = ListPage {
        chrome,
        frame: frame("Organizations"),
        organizations: organizations.iter().map(|(account, role)| (account.name.to_string(), role.as_str())).collect(),
        may_create: session.user.role >= TokenRole::Write,
    };
    show(&app, StatusCode::OK, &page)
}

/// One, for its members.
pub(super) async fn one(
    State(app): State<AppState>,
    Own { session, actor, chrome }: Own,
    OwnerAt(name): OwnerAt,
) -> ApiResult<Response> {
    let (organization, members, _) = app.control.members(&actor, &name)?;
    let mine = members.iter().find(|view| view.account.id == session.user.id).ok_or_else(ApiError::not_found)?;
    let may_manage = mine.member.role == OrgRole::Admin && session.user.role >= TokenRole::Write;
    let row = |view: &spaceport_control::service::MemberView| MemberRow {
        name: view.account.name.to_string(),
        role: view.member.role.as_str(),
        since: iso(view.member.since),
        is_me: view.account.id == session.user.id,
    };
    let page = OnePage {
        chrome,
        frame: frame("Organizations"),
        name: organization.name.to_string(),
        members: members.iter().map(row).collect(),
        roles: ROLES.into_iter().map(|(role, words)| (role.as_str(), words)).collect(),
        may_manage,
        me: session.user.name.to_string(),
    };
    show(&app, StatusCode::OK, &page)
}
