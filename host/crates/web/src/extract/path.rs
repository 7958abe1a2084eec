//! Parts of the address. The router matches the address as sent, so that `%2F` within a revision stays one segment;
//! each part is decoded afterwards.

use axum::extract::{FromRequestParts, RawPathParams};
use http::header::COOKIE;
use http::request::Parts;
use spaceport_control::service::ServiceError;
use spaceport_core::name::{OwnerName, SpacePath};

use crate::auth::token;
use crate::error::ApiError;

/// `{owner}/{name}` of the address.
pub(crate) struct SpaceAt(pub(crate) SpacePath);

/// `{rev}` of the address: a branch, a tag or a commit id.
pub(crate) struct RevisionName(pub(crate) String);

/// `{*path}` of the address, or nothing.
pub(crate) struct EntryPath(pub(crate) String);

/// `{user}` of the address: the name of an account.
pub(crate) struct UserAt(pub(crate) OwnerName);

/// `{param}` of the address, as the name of an account.
pub(crate) struct OwnerAt(pub(crate) OwnerName);

/// `{param}` of the address.
pub(crate) struct Param(pub(crate) String);

async fn parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<Option<String>, ApiError> {
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
    Ok(params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()))
}

/// What a Space is that cannot exist: told as one that does not, to nobody in the same words as a hidden one.
fn missing(parts: &Parts) -> ApiError {
    let is_nobody = token(&parts.headers).is_none() && !parts.headers.contains_key(COOKIE);
    if is_nobody { ApiError::repo_not_found().for_anonymous() } else { ApiError::repo_not_found() }
}

impl Param {
    /// A part of the address by its name.
    pub(crate) async fn named<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<String, ApiError> {
        Ok(parameter(parts, state, name).await?.unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SpaceAt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let owner = parameter(parts, state, "owner").await?.unwrap_or_default();
        let name = parameter(parts, state, "name").await?.unwrap_or_default();
        let path = format!("{owner}/{name}").parse().map_err(|_| missing(parts))?;
        Ok(Self(path))
    }
}

async fn account<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<OwnerName, ApiError> {
    let text = Param::named(parts, state, name).await?;
    text.parse().map_err(|_| ServiceError::AccountNotFound(text).into())
}

impl<S: Send + Sync> FromRequestParts<S> for UserAt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(account(parts, state, "user").await?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OwnerAt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(account(parts, state, "param").await?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RevisionName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(parameter(parts, state, "rev").await?.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for EntryPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(parameter(parts, state, "path").await?.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Param {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(parameter(parts, state, "param").await?.unwrap_or_default()))
    }
}
