//! Who am I.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde_json::{Value, json};
use spaceport_core::id::AccountId;

use super::time::iso;
use crate::auth::{Signed, oauth_bearer};
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

/// The signed-in user with the token at hand. Plans and payment do not exist here; clients want the members anyway.
pub(crate) async fn whoami(
    State(app): State<AppState>,
    headers: HeaderMap,
    signed: Result<Signed, ApiError>,
) -> ApiResult<Json<Value>> {
    if let Some(bearer) = oauth_bearer(&app, &headers)? {
        let account = &bearer.account;
        let mut about = about(&app, account.id, account.name.as_str(), account.is_admin)?;
        if !bearer.scopes.contains("email") {
            (about["email"], about["emailVerified"]) = (Value::Null, json!(false));
        }
        about["auth"] = json!({ "type": "oauth", "expiresAt": iso(bearer.expires_at) });
        return Ok(Json(about));
    }
    let Signed(signed) = signed?;
    let user = &signed.user;
    let mut about = about(&app, user.id, user.name.as_str(), user.is_admin)?;
    about["auth"] = json!({
        "type": "access_token",
        "accessToken": super::tokens::at_hand(&app, user, &signed.token)?,
    });
    Ok(Json(about))
}

fn about(app: &AppState, id: AccountId, name: &str, is_admin: bool) -> ApiResult<Value> {
    let organizations = app.control.accounts().organizations_of(id)?;
    let orgs: Vec<Value> =
        organizations.iter().map(|(account, role)| super::organizations::of_user(account, *role)).collect();
    let email = app.control.email_of(id)?;
    Ok(json!({
        "type": "user",
        "id": id.to_string(),
        "name": name,
        "fullname": name,
        "email": email.as_ref().map(|email| email.address.as_str()),
        "emailVerified": email.as_ref().is_some_and(|email| email.is_verified),
        "canPay": false,
        "isPro": false,
        "isAdmin": is_admin,
        "avatarUrl": "",
        "periodEnd": null,
        "orgs": orgs,
    }))
}
