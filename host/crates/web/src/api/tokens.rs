//! A user's own access tokens, and the end of those that leaked.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{AccessToken, EntityKind, NamedEntity, NewOwnToken};
use spaceport_core::permission::{Entity, Permission, TokenRole, User};

use super::items::ListAt;
use super::repos::invalid_name;
use super::time::iso;
use crate::auth::{Manager, Signed};
use crate::document::Kind::{A, Many, OneOf, Text};
use crate::document::shapes::accounts::{SCOPES, TOKEN};
use crate::document::{About, Described, needs, takes, takes_null};
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param};
use crate::router::AppState;

/// Texts in one report of leaked tokens that are looked at: one address may report as often as its quota allows.
const MAX_LEAKED: usize = 100;

/// The body of `POST /api/settings/tokens`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    display_name: Option<String>,
    role: Option<String>,
    fine_grained: Option<FineGrained>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FineGrained {
    #[serde(default)]
    global: Vec<String>,
    #[serde(default)]
    scoped: Vec<Scoped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scoped {
    entity: NamedThing,
    permissions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedThing {
    #[serde(rename = "type")]
    kind: String,
    name: String,
}

/// The body of `POST /api/credentials/revoke`.
#[derive(Deserialize)]
struct Leaked {
    credentials: Vec<String>,
}

/// The routes of tokens.
pub(crate) fn routes(routes: Described) -> Described {
    routes
        .get(
            "/api/settings/tokens",
            About::one("The caller's tokens, without the tokens themselves.").items(A(&TOKEN)),
            list,
        )
        .post(
            "/api/settings/tokens",
            About::one("Creates a token; it is told this once.")
                .answers(A(&TOKEN))
                .body([
                    needs("displayName", Text, "What it is for."),
                    needs("role", OneOf(&["read", "write", "admin", "fineGrained"]), "What it may do."),
                    takes_null(
                        "fineGrained",
                        A(&SCOPES),
                        "What a token of the role fineGrained may do, and with what.",
                    ),
                ])
                .exact()
                .also([409]),
            create,
        )
        .delete("/api/settings/tokens/{param}", About::one("Revokes a token.").nothing(204), revoke)
        .post(
            "/api/credentials/revoke",
            About::one("Revokes tokens that somebody has found. The answer is the same whatever is sent.")
                .body([takes("credentials", Many(&Text), "The tokens.")])
                .nothing(202)
                .open(),
            revoke_leaked,
        )
}

/// What clients are told of the token at hand.
pub(super) fn at_hand(app: &AppState, user: &User, token: &AccessToken) -> ApiResult<Value> {
    let mut value = json!({
        "displayName": token.label,
        "role": token.role.as_str(),
        "createdAt": iso(token.created_at),
    });
    if token.role == TokenRole::FineGrained {
        let words = |permissions: &[Permission]| -> Vec<&str> { permissions.iter().map(|one| one.as_str()).collect() };
        let scoped: Vec<Value> = app
            .control
            .named_scopes(user, &token.scopes)?
            .iter()
            .map(|scope| {
                let entity = json!({ "_id": entity_id(scope.entity), "type": word(scope.kind), "name": scope.name });
                json!({ "entity": entity, "permissions": words(&scope.permissions) })
            })
            .collect();
        value["fineGrained"] =
            json!({ "canReadGatedRepos": false, "global": words(&token.scopes.global), "scoped": scoped });
    }
    Ok(value)
}

/// The caller's tokens, without the tokens themselves.
async fn list(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Signed(signed): Signed,
    list: ListAt,
) -> ApiResult<Json<Value>> {
    let tokens = app.control.own_tokens(&actor)?;
    let items = tokens.iter().map(|token| row(&app, &signed.user, token)).collect::<ApiResult<Vec<Value>>>()?;
    Ok(list.part(items, |item| item))
}

/// Creates a token of the caller's. The answer is the only one that has it.
async fn create(
    State(app): State<AppState>,
    Manager(actor): Manager,
    Signed(signed): Signed,
    JsonBody(body): JsonBody<NewToken>,
) -> ApiResult<Json<Value>> {
    let (text, token) = app.control.create_own_token(&actor, body.wanted()?).await?;
    let mut value = row(&app, &signed.user, &token)?;
    value["token"] = json!(text.expose());
    Ok(Json(value))
}

/// Revokes a token of the caller's.
async fn revoke(State(app): State<AppState>, Manager(actor): Manager, Param(id): Param) -> ApiResult<StatusCode> {
    let id = id.parse().map_err(|_| ApiError::bad_request(format!("{id:?} is no id of a token")))?;
    app.control.revoke_own_token(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes tokens that somebody has found. Whoever finds one need not sign in, and learns nothing: the answer is the same
/// whatever was sent.
async fn revoke_leaked(State(app): State<AppState>, body: ApiResult<JsonBody<Leaked>>) -> ApiResult<StatusCode> {
    if let Ok(JsonBody(Leaked { mut credentials })) = body {
        credentials.truncate(MAX_LEAKED);
        app.control.accounts().revoke_leaked(&credentials).await?;
    }
    Ok(StatusCode::ACCEPTED)
}

fn row(app: &AppState, user: &User, token: &AccessToken) -> ApiResult<Value> {
    let mut value = at_hand(app, user, token)?;
    value["id"] = json!(token.id.to_string());
    value["lastFour"] = json!(token.last_four);
    Ok(value)
}

impl NewToken {
    fn wanted(self) -> ApiResult<NewOwnToken> {
        let label = self.display_name.filter(|name| !name.trim().is_empty());
        let label = label.ok_or_else(|| ApiError::bad_request("The body needs the member \"displayName\""))?;
        let role = match self.role.as_deref() {
            Some("fineGrained") => TokenRole::FineGrained,
            Some("read") => TokenRole::Read,
            Some("write") => TokenRole::Write,
            Some("admin") => TokenRole::Admin,
            other => {
                let message =
                    format!("role {:?} is not known; use read, write, admin or fineGrained", other.unwrap_or(""));
                return Err(ApiError::bad_request(message));
            }
        };
        let FineGrained { global, scoped } =
            self.fine_grained.unwrap_or(FineGrained { global: Vec::new(), scoped: Vec::new() });
        let scoped = scoped.into_iter().map(|scope| Ok((scope.entity.named()?, all_of(&scope.permissions)?)));
        Ok(NewOwnToken { label, role, global: all_of(&global)?, scoped: scoped.collect::<ApiResult<_>>()? })
    }
}

impl NamedThing {
    fn named(&self) -> ApiResult<NamedEntity> {
        match self.kind.as_str() {
            "user" | "org" => Ok(NamedEntity::Owner(self.name.parse().map_err(invalid_name)?)),
            "space" => Ok(NamedEntity::Space(self.name.parse().map_err(invalid_name)?)),
            other => {
                Err(ApiError::bad_request(format!("A scope is about a user, an org or a space, not about {other:?}")))
            }
        }
    }
}

fn all_of(words: &[String]) -> ApiResult<Vec<Permission>> {
    let read = words.iter().map(|word| Permission::from_str(word));
    read.collect::<Result<_, _>>().map_err(|error| ApiError::bad_request(error.to_string()))
}

fn entity_id(entity: Entity) -> String {
    match entity {
        Entity::Owner(id) => id.to_string(),
        Entity::Space(id) => id.to_string(),
    }
}

fn word(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::User => "user",
        EntityKind::Organization => "org",
        EntityKind::Space => "space",
    }
}
