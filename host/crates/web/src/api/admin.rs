//! The admin API: what only an administrator of this host may ask for, with a token of the role `admin`. Each operation
//! checks that itself, too; everything that changes something is in the audit log.

pub(crate) mod audit;
pub(crate) mod grants;
pub(crate) mod hardware;
pub(crate) mod host;
pub(crate) mod quotas;
pub(crate) mod usage;
pub(crate) mod users;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Deserializer};
use spaceport_core::name::{InvalidName, OwnerName};
use spaceport_core::permission::{Actor, TokenRole};

use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::router::AppState;

/// An administrator. Whoever is none is refused before the body is read.
pub(crate) struct Admin(pub(crate) Actor);

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Caller(actor) = Caller::from_request_parts(parts, app).await?;
        app.control.require_administrator(&actor)?;
        Ok(Self(actor))
    }
}

/// A name out of an address or a body.
pub(crate) fn name(text: &str) -> ApiResult<OwnerName> {
    text.parse().map_err(|error: InvalidName| ApiError::bad_request(error.to_string()))
}

/// What a token that is made for somebody may do.
pub(crate) fn role(text: &str) -> ApiResult<TokenRole> {
    match text {
        "read" => Ok(TokenRole::Read),
        "write" => Ok(TokenRole::Write),
        "admin" => Ok(TokenRole::Admin),
        other => Err(ApiError::bad_request(format!("{other:?} is no role: use read, write or admin"))),
    }
}

/// A member that is there, whatever it holds: `null` says something else than nothing.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
