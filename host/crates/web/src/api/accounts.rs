//! Who am I.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::auth::Signed;
use crate::error::ApiResult;
use crate::router::AppState;

/// The signed-in user with the token at hand. Plans and payment do not exist here; clients want the members anyway.
pub(crate) async fn whoami(State(app): State<AppState>, Signed(signed): Signed) -> ApiResult<Json<Value>> {
    let name = signed.user.name.as_str();
    let orgs: Vec<Value> = app
        .control
        .accounts()
        .organizations_of(signed.user.id)?
        .iter()
        .map(|(account, role)| super::organizations::of_user(account, *role))
        .collect();
    Ok(Json(json!({
        "type": "user",
        "id": signed.user.id.to_string(),
        "name": name,
        "fullname": name,
        "email": null,
        "emailVerified": false,
        "canPay": false,
        "isPro": false,
        "isAdmin": signed.user.is_admin,
        "avatarUrl": "",
        "periodEnd": null,
        "orgs": orgs,
        "auth": {
            "type": "access_token",
            "accessToken": super::tokens::at_hand(&app, &signed.user, &signed.token)?,
        },
    })))
}
