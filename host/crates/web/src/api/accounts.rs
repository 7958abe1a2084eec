//! Who am I.

use axum::Json;
use serde_json::{Value, json};
use spaceport_core::permission::TokenRole;

use super::time::iso;
use crate::auth::Signed;
use crate::error::ApiResult;

/// The signed-in user with the token at hand. Plans and payment do not exist here; clients want the members anyway.
pub(crate) async fn whoami(Signed(signed): Signed) -> ApiResult<Json<Value>> {
    let name = signed.user.name.as_str();
    let role = match signed.token.role {
        TokenRole::Read => "read",
        TokenRole::Write => "write",
        TokenRole::Admin => "admin",
    };
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
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": signed.token.label,
                "role": role,
                "createdAt": iso(signed.token.created_at),
            },
        },
    })))
}
