//! How a sign-in at a Space is refused: in the words of RFC 6749 and of OpenID Connect, each with a sentence for people.

use super::super::error::ServiceError;

/// Why an application does not get what it asks for.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The request lacks something, or has it in a wrong form.
    #[error("{0}")]
    InvalidRequest(String),
    /// The application is not who it says, or does not prove it.
    #[error("{0}")]
    InvalidClient(String),
    /// The code or the refresh token is none, is used up, or belongs to another application.
    #[error("{0}")]
    InvalidGrant(String),
    /// There is no such way to get tokens.
    #[error("{0}")]
    UnsupportedGrantType(String),
    /// Only codes are given.
    #[error("write response_type=code")]
    UnsupportedResponseType,
    /// The application may not ask for this.
    #[error("{0}")]
    InvalidScope(String),
    /// The user said no, or may not sign in there.
    #[error("{0}")]
    AccessDenied(String),
    /// The user would have to sign in, and was not to be asked.
    #[error("nobody is signed in")]
    LoginRequired,
    /// The user would have to agree, and was not to be asked.
    #[error("the user has not agreed to this yet")]
    ConsentRequired,
    /// Parameters do not come as a signed object here.
    #[error("write the parameters into the address")]
    RequestNotSupported,
    /// The user has not answered yet.
    #[error("the user has not answered yet")]
    AuthorizationPending,
    /// The device asks too often.
    #[error("wait five seconds longer between two questions")]
    SlowDown,
    /// The user has not answered in time.
    #[error("the device code is none, or has expired: begin again")]
    ExpiredToken,
    /// The access token is none, or holds no more.
    #[error("the access token is invalid or has expired")]
    InvalidToken,
    /// Something else went wrong.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl OauthError {
    /// The code by which applications know it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::UnsupportedGrantType(_) => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope(_) => "invalid_scope",
            Self::AccessDenied(_) => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidToken => "invalid_token",
            Self::Service(ServiceError::Unavailable(_) | ServiceError::StorageFull) => "temporarily_unavailable",
            Self::Service(_) => "server_error",
        }
    }

    /// The sentence for people. What failed inside is not told.
    pub fn description(&self) -> String {
        match self {
            Self::Service(ServiceError::Internal { .. }) => "an internal error occurred".to_owned(),
            error => error.to_string(),
        }
    }
}
