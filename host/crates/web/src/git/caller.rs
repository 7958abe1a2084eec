//! Who a git client is, and which repository it means.

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header;
use http::request::Parts;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Actor, User};

use super::GitRefusal;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Param;
use crate::middleware::ActorNote;
use crate::rate::origin;
use crate::router::AppState;

/// What clients may write after a repository's name.
const SUFFIX: &str = ".git";

/// What stands before a pass for large files.
const REMOTE_AUTH: &str = "RemoteAuth";

/// Who makes the request: by a token, as a bearer or as the password of any user, or by a user's name and password.
pub(crate) struct GitCaller(pub(crate) Actor);

/// Who asks about large files: in the same ways, by the session of a page, or by a pass for the files of this repository, as
/// those have who came by SSH.
pub(crate) struct LfsCaller(pub(crate) Actor);

/// `{owner}/{name}` of the address, with `.git` after it or without.
pub(crate) struct RepoAt(pub(crate) SpacePath);

/// A name and a secret; of a bearer token, no name.
fn credentials(parts: &Parts) -> Result<Option<(String, String)>, ApiError> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let (scheme, rest) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(ApiError::invalid_token)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some((String::new(), rest.trim().to_owned())));
    }
    let decoded = BASE64_STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
    let (name, secret) = pair.filter(|_| scheme.eq_ignore_ascii_case("basic")).ok_or_else(ApiError::invalid_token)?;
    // Some put the token into the place of the name, since nothing else needs a password.
    let secret = if secret.is_empty() || secret == "x-oauth-basic" { name } else { secret };
    Ok(Some((name.to_owned(), secret.to_owned())))
}

impl FromRequestParts<AppState> for GitCaller {
    type Rejection = GitRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, GitRefusal> {
        let Some((name, secret)) = credentials(parts)? else { return Ok(Self(Actor::Nobody)) };
        let user = state
            .control
            .git_sign_in(&name, &secret, origin(&parts.extensions))
            .await?
            .ok_or_else(ApiError::invalid_token)?;
        note(parts, &user);
        Ok(Self(Actor::User(user)))
    }
}

impl FromRequestParts<AppState> for LfsCaller {
    type Rejection = GitRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, GitRefusal> {
        let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            // A page of ours, by its session.
            let Caller(actor) = Caller::from_request_parts(parts, state).await?;
            return Ok(Self(actor));
        }
        let Some((_, pass)) = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(REMOTE_AUTH)) else {
            let GitCaller(actor) = GitCaller::from_request_parts(parts, state).await?;
            return Ok(Self(actor));
        };
        let pass = pass.trim().to_owned();
        let RepoAt(path) = RepoAt::from_request_parts(parts, state).await?;
        let user = state.control.lfs_bearer(&pass, &path)?.ok_or_else(ApiError::invalid_token)?;
        note(parts, &user);
        Ok(Self(Actor::User(user)))
    }
}

/// Writes who it is into the access log.
fn note(parts: &Parts, user: &User) {
    if let Some(note) = parts.extensions.get::<ActorNote>() {
        // The first extractor of a request has written it already.
        let _ = note.0.set(user.name.to_string());
    }
}

impl FromRequestParts<AppState> for RepoAt {
    type Rejection = GitRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, GitRefusal> {
        let owner = Param::named(parts, state, "owner").await?;
        let name = Param::named(parts, state, "name").await?;
        let name = name.strip_suffix(SUFFIX).unwrap_or(&name);
        Ok(Self(format!("{owner}/{name}").parse().map_err(|_| ApiError::repo_not_found())?))
    }
}
