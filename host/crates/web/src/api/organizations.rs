//! Organizations and their members: for everybody, for those who manage one, and under `/api/admin/` for the host's
//! administrators.

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::from_extractor_with_state;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{Account, Member, MemberView};
use spaceport_core::name::OwnerName;
use spaceport_core::permission::{OrgRole, UnknownRole};

use super::address;
use super::admin::Admin;
use super::items::ListAt;
use super::page::Page;
use super::repos::invalid_name;
use super::time::iso;
use crate::auth::{Caller, Manager};
use crate::document::Kind::{A, Name};
use crate::document::shapes::accounts::{ORGANIZATION, PERSON, PLACED, ROLE};
use crate::document::shapes::host::ORGANIZATION_ROW;
use crate::document::{About, Described, Field, needs};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, OwnerAt, QueryPairs, UserAt};
use crate::router::AppState;

/// Members or organizations on a page: few bytes each.
const PAGE: usize = 500;

/// The body that creates an organization.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganization {
    name: Option<String>,
    /// Its first admin; only administrators of the host name one.
    owner: Option<String>,
}

/// The body that puts a member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    role: Option<String>,
}

/// What somebody is in an organization.
const NEW_ROLE: [Field; 1] = [needs("role", ROLE, "What the member may do: read, write or administer.")];

/// Every route of organizations that is more than a profile.
pub(crate) fn routes(routes: Described, app: &AppState) -> Described {
    let routes = routes
        .post(
            "/api/organizations",
            About::one("Creates an organization of the caller's.")
                .answers(A(&ORGANIZATION))
                .body([needs("name", Name, "Its name.")])
                .exact()
                .also([409]),
            create,
        )
        .delete(
            "/api/organizations/{param}",
            About::one("Deletes an organization that owns nothing.").nothing(204).also([409]),
            remove,
        )
        .get(
            "/api/organizations/{param}/members",
            About::array("Who is in an organization; only its members are told what everybody is.", &A(&PERSON)),
            members,
        )
        .put(
            "/api/organizations/{param}/members/{user}",
            About::one("Makes somebody a member, or changes what they are.")
                .answers(A(&PLACED))
                .body(NEW_ROLE)
                .exact()
                .also([409]),
            put_member,
        )
        .delete(
            "/api/organizations/{param}/members/{user}",
            About::one("Ends a membership.").nothing(204).also([409]),
            remove_member,
        );
    routes.and(of_admins(app))
}

/// Those of administrators lead to the same operations, and ask first who it is.
fn of_admins(app: &AppState) -> Described {
    Described::new("Organizations")
        .get("/api/admin/organizations", About::list("Every organization.").answers(A(&ORGANIZATION_ROW)), admin_list)
        .post(
            "/api/admin/organizations",
            About::one("Creates an organization for a user.")
                .answers(A(&ORGANIZATION_ROW))
                .body([needs("name", Name, "Its name."), needs("owner", Name, "The user who is its first admin.")])
                .exact()
                .also([404, 409]),
            admin_create,
        )
        .get(
            "/api/admin/organizations/{param}",
            About::one("An organization with its members.").answers(A(&ORGANIZATION_ROW)),
            admin_get,
        )
        .delete(
            "/api/admin/organizations/{param}",
            About::one("Deletes an organization that owns nothing.").nothing(204).also([409]),
            remove,
        )
        .put(
            "/api/admin/organizations/{param}/members/{user}",
            About::one("Makes somebody a member, or changes what they are.")
                .answers(A(&PLACED))
                .body(NEW_ROLE)
                .exact()
                .also([409]),
            put_member,
        )
        .delete(
            "/api/admin/organizations/{param}/members/{user}",
            About::one("Ends a membership.").nothing(204).also([409]),
            remove_member,
        )
        .within(|routes| routes.route_layer(from_extractor_with_state::<Admin, _>(app.clone())))
}

/// An organization in a user's profile.
pub(super) fn short(organization: &Account) -> Value {
    let name = organization.name.as_str();
    json!({ "type": "org", "id": organization.id.to_string(), "name": name, "fullname": name, "avatarUrl": "" })
}

/// An organization as its member is told of it.
pub(super) fn of_user(organization: &Account, role: OrgRole) -> Value {
    let mut value = short(organization);
    value["email"] = Value::Null;
    value["canPay"] = json!(false);
    value["isEnterprise"] = json!(false);
    value["roleInOrg"] = json!(role.as_str());
    value
}

/// Creates an organization of the caller's.
async fn create(
    State(app): State<AppState>,
    Manager(actor): Manager,
    JsonBody(body): JsonBody<NewOrganization>,
) -> ApiResult<Json<Value>> {
    if body.owner.is_some() {
        let message = "The first admin is who creates the organization: leave out the member \"owner\"";
        return Err(ApiError::bad_request(message));
    }
    let made = app.control.create_organization(&actor, account_name("name", body.name)?).await?;
    Ok(Json(short(&made)))
}

/// Deletes an organization that owns nothing.
async fn remove(State(app): State<AppState>, Manager(actor): Manager, OwnerAt(name): OwnerAt) -> ApiResult<StatusCode> {
    app.control.delete_organization(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is in an organization; what everybody is there, only its members are told.
async fn members(
    State(app): State<AppState>,
    Caller(actor): Caller,
    OwnerAt(name): OwnerAt,
    query: QueryPairs,
    request: Request,
) -> ApiResult<Response> {
    let (_, members, is_inside) = app.control.members(&actor, &name)?;
    let (page, total) = (Page::of(&query, PAGE), members.len());
    let shown = members.iter().skip(page.start).take(page.limit);
    let list: Value = shown.map(|member| person(member, is_inside)).collect();
    Ok(page.answer(&address(&app, &request), &query, list, total))
}

/// Makes somebody a member, or changes what they are.
async fn put_member(
    State(app): State<AppState>,
    Manager(actor): Manager,
    OwnerAt(organization): OwnerAt,
    UserAt(user): UserAt,
    JsonBody(body): JsonBody<NewRole>,
) -> ApiResult<Json<Value>> {
    let member = app.control.put_member(&actor, &organization, &user, body.role()?).await?;
    Ok(Json(placed(&user, member)))
}

/// Ends a membership.
async fn remove_member(
    State(app): State<AppState>,
    Manager(actor): Manager,
    OwnerAt(organization): OwnerAt,
    UserAt(user): UserAt,
) -> ApiResult<StatusCode> {
    app.control.remove_member(&actor, &organization, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every organization of this host.
async fn admin_list(State(app): State<AppState>, Admin(_): Admin, list: ListAt) -> ApiResult<Json<Value>> {
    Ok(list.part(&app.control.accounts().organizations()?, row))
}

/// Creates an organization for a user.
async fn admin_create(
    State(app): State<AppState>,
    Admin(actor): Admin,
    JsonBody(body): JsonBody<NewOrganization>,
) -> ApiResult<Json<Value>> {
    let (name, owner) = (account_name("name", body.name)?, account_name("owner", body.owner)?);
    let made = app.control.create_organization_for(&actor, name, &owner).await?;
    Ok(Json(row(&made)))
}

/// An organization with its members.
async fn admin_get(State(app): State<AppState>, Admin(actor): Admin, OwnerAt(name): OwnerAt) -> ApiResult<Json<Value>> {
    let (organization, members, _) = app.control.members(&actor, &name)?;
    let mut value = row(&organization);
    value["members"] = members.iter().map(|view| placed(&view.account.name, view.member)).collect();
    Ok(Json(value))
}

impl NewRole {
    fn role(self) -> ApiResult<OrgRole> {
        let role = self.role.ok_or_else(|| ApiError::bad_request("The body needs the member \"role\""))?;
        role.parse().map_err(|error: UnknownRole| ApiError::bad_request(error.to_string()))
    }
}

fn account_name(member: &str, text: Option<String>) -> ApiResult<OwnerName> {
    let text = text.ok_or_else(|| ApiError::bad_request(format!("The body needs the member {member:?}")))?;
    text.parse().map_err(invalid_name)
}

/// A member as clients of the Hub read one.
fn person(view: &MemberView, with_role: bool) -> Value {
    let name = view.account.name.as_str();
    let mut value = json!({
        "_id": view.account.id.to_string(),
        "type": "user",
        "user": name,
        "fullname": name,
        "avatarUrl": "",
        "isPro": false,
    });
    if with_role {
        value["role"] = json!(view.member.role.as_str());
    }
    value
}

fn placed(user: &OwnerName, member: Member) -> Value {
    json!({ "user": user.as_str(), "role": member.role.as_str(), "since": iso(member.since) })
}

fn row(organization: &Account) -> Value {
    let (id, name) = (organization.id.to_string(), organization.name.as_str());
    json!({ "id": id, "name": name, "createdAt": iso(organization.created_at) })
}
