//! What is offered, where, and the key by which tokens are checked.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_core::oauth::Scopes;

use crate::error::ApiResult;
use crate::router::AppState;

/// The provider's metadata, for OpenID Connect and for RFC 8414 alike.
pub(crate) async fn configuration(State(app): State<AppState>) -> Json<Value> {
    let hub = app.control.addresses().hub_url();
    Json(json!({
        "issuer": hub,
        "authorization_endpoint": format!("{hub}/oauth/authorize"),
        "token_endpoint": format!("{hub}/oauth/token"),
        "userinfo_endpoint": format!("{hub}/oauth/userinfo"),
        "jwks_uri": format!("{hub}/oauth/jwks"),
        "scopes_supported": Scopes::all().collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "device_authorization_endpoint": format!("{hub}/oauth/device"),
        "revocation_endpoint": format!("{hub}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent"],
        "claims_supported": [
            "sub", "iss", "aud", "iat", "exp", "auth_time", "at_hash", "nonce", "name", "preferred_username", "profile",
            "picture", "email", "email_verified", "isPro", "canPay", "orgs",
        ],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// The public half of the key that signs.
pub(crate) async fn keys(State(app): State<AppState>) -> ApiResult<Json<Value>> {
    Ok(Json(json!({ "keys": [app.control.oauth_key()?] })))
}
