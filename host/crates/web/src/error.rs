//! The only place that knows which status an error has at the hub, and how clients want it told.
//!
//! Clients of the Hub choose an exception by `X-Error-Code`, show `X-Error-Message` and read the JSON body, so every
//! error carries all three. Over plain HTTP the code is what counts: a bare 401 or 404 is not taken for a missing Space.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use spaceport_control::service::ServiceError;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Denied;
use spaceport_core::revision::Oid;

/// The header that decides which exception a client raises.
pub const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// The header with the text for people.
pub const X_ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
/// The commit an answer speaks of.
pub const X_REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

/// Longest message put into a header; the body has all of it.
const MAX_HEADER_MESSAGE: usize = 1024;

/// The code by which clients recognise a missing, or hidden, Space.
const REPO_NOT_FOUND: &str = "RepoNotFound";

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// An error as the hub answers it.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    members: Map<String, Value>,
    commit: Option<Oid>,
    moved_to: Option<Box<SpacePath>>,
    cause: Option<Box<str>>,
    /// Seconds after which it may be tried again.
    retry_after: Option<u32>,
}

/// Left in a response for [`crate::middleware`], which knows the address that was asked: the Space has this path now.
#[derive(Debug, Clone)]
pub(crate) struct MovedNote(pub(crate) SpacePath);

/// Left in a response for the access log.
#[derive(Debug, Clone)]
pub(crate) struct ErrorNote {
    pub(crate) code: &'static str,
    /// What went wrong inside, for the operator alone.
    pub(crate) cause: Option<Box<str>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let (message, members) = (message.into(), Map::new());
        Self { status, code, message, members, commit: None, moved_to: None, cause: None, retry_after: None }
    }

    /// The request must be written otherwise.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The body is larger than what is taken.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message)
    }

    /// Nobody is signed in, or a Space that nobody may know of.
    pub(crate) fn sign_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, REPO_NOT_FOUND, "Invalid username or password.")
    }

    /// A token was sent that is none.
    pub(crate) fn invalid_token() -> Self {
        let message = "Invalid credentials in Authorization header";
        Self::new(StatusCode::UNAUTHORIZED, "InvalidToken", message)
    }

    /// There is no such Space, as far as the caller is told.
    pub(crate) fn repo_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, REPO_NOT_FOUND, "Repository not found")
    }

    /// The Space has another path. For a request whose address does not name it, there is none.
    fn moved(path: SpacePath, message: String) -> Self {
        Self { message, moved_to: Some(Box::new(path)), ..Self::repo_not_found() }
    }

    /// There is no such address.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing at this address")
    }

    /// The address is there, for another method.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "This address takes another method")
    }

    /// A failure of ours: the cause is for the operator's log alone.
    pub(crate) fn internal(attempt: &str, source: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = format!("{attempt}: {source}");
        let mut inner = source.source();
        while let Some(error) = inner {
            cause.push_str(": ");
            cause.push_str(&error.to_string());
            inner = error.source();
        }
        let message = "An internal error occurred; the host's log has it under this request id";
        Self { cause: Some(cause.into()), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message) }
    }

    /// What people are told.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds a member to the JSON body.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Tells a Space that may not be told of as "sign in" to those who have not.
    pub(crate) fn for_anonymous(self) -> Self {
        // Where a Space has gone is told only to those who may see it.
        let is_hidden = self.code == REPO_NOT_FOUND && self.status == StatusCode::NOT_FOUND && self.moved_to.is_none();
        if is_hidden { Self::sign_in() } else { self }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        match error {
            ServiceError::Denied(Denied::Hidden) => Self::repo_not_found(),
            ServiceError::Denied(Denied::SignIn) => Self { message, ..Self::sign_in() },
            ServiceError::Denied(Denied::Forbidden) => Self::new(StatusCode::FORBIDDEN, "Forbidden", message),
            ServiceError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "Forbidden", message),
            ServiceError::Invalid(_) => Self::bad_request(message),
            ServiceError::InvalidReadme(sentences) => invalid_readme(&sentences),
            ServiceError::NameTaken(_) => Self::new(StatusCode::CONFLICT, "Conflict", message),
            ServiceError::Moved(path) => Self::moved(path, message),
            ServiceError::NoSuchRelease(_) => Self::new(StatusCode::NOT_FOUND, "ReleaseNotFound", message),
            ServiceError::NoSuchPreview(_) => Self::new(StatusCode::NOT_FOUND, "PreviewNotFound", message),
            ServiceError::NoSuchWebhook(_) => Self::new(StatusCode::NOT_FOUND, "WebhookNotFound", message),
            ServiceError::Conflict(_) => Self::new(StatusCode::CONFLICT, "Conflict", message),
            ServiceError::RevisionNotFound(_) => Self::new(StatusCode::NOT_FOUND, "RevisionNotFound", message),
            ServiceError::EntryNotFound { commit, .. } => {
                Self { commit: Some(commit), ..Self::new(StatusCode::NOT_FOUND, "EntryNotFound", message) }
            }
            ServiceError::NothingToDelete(_) => Self::new(StatusCode::NOT_FOUND, "EntryNotFound", message),
            ServiceError::DiscussionNotFound(_) => Self::new(StatusCode::NOT_FOUND, "DiscussionNotFound", message),
            ServiceError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "NotFound", message),
            ServiceError::OverQuota(_) => Self::new(StatusCode::FORBIDDEN, "QuotaExceeded", message),
            ServiceError::AccountNotFound(_) => Self::new(StatusCode::NOT_FOUND, "AccountNotFound", message),
            ServiceError::Outdated { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "Outdated", message),
            ServiceError::TooLarge(_) => Self::too_large(message),
            ServiceError::NotOffered(_) => Self::new(StatusCode::BAD_REQUEST, "NotOffered", message),
            ServiceError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", message),
            ServiceError::TooSoon { seconds, .. } => {
                let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                Self { retry_after: Some(u32::try_from(seconds).unwrap_or(u32::MAX)), ..refused }
            }
            ServiceError::StorageFull => Self::new(StatusCode::INSUFFICIENT_STORAGE, "StorageFull", message),
            ServiceError::Internal { attempt, source } => Self::internal(attempt, source.as_ref()),
        }
    }
}

fn invalid_readme(sentences: &[String]) -> ApiError {
    let errors: Vec<Value> = sentences.iter().map(|sentence| json!({ "message": sentence })).collect();
    let message = format!("Invalid metadata in README.md: {}", sentences.join("; "));
    ApiError::new(StatusCode::BAD_REQUEST, "InvalidMetadata", message).with("errors", Value::Array(errors))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = self.members;
        body.insert("error".to_owned(), Value::String(self.message.clone()));
        let mut response = (self.status, Json(Value::Object(body))).into_response();
        let headers = response.headers_mut();
        headers.insert(X_ERROR_CODE, HeaderValue::from_static(self.code));
        headers.insert(X_ERROR_MESSAGE, header_text(&self.message));
        if let Some(commit) = self.commit {
            headers.insert(X_REPO_COMMIT, header_text(&commit.to_string()));
        }
        let retry_after = self.retry_after.or((self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
        if let Some(seconds) = retry_after {
            headers.insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(path) = self.moved_to {
            response.extensions_mut().insert(MovedNote(*path));
        }
        response.extensions_mut().insert(ErrorNote { code: self.code, cause: self.cause });
        response
    }
}

/// Text as a header's value: what a header cannot carry becomes a space or a question mark.
pub(crate) fn header_text(text: &str) -> HeaderValue {
    let text: String = text
        .chars()
        .take(MAX_HEADER_MESSAGE)
        .map(|c| match c {
            c if c.is_ascii_graphic() || c == ' ' => c,
            c if c.is_whitespace() => ' ',
            _ => '?',
        })
        .collect();
    HeaderValue::from_str(&text).expect("printable ASCII is valid in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_space_reads_as_missing_to_users_and_as_sign_in_to_nobody() {
        let hidden = || ApiError::from(ServiceError::Denied(Denied::Hidden));
        assert_eq!((hidden().status, hidden().code), (StatusCode::NOT_FOUND, "RepoNotFound"));
        let anonymous = hidden().for_anonymous();
        assert_eq!((anonymous.status, anonymous.code), (StatusCode::UNAUTHORIZED, "RepoNotFound"));
    }

    #[test]
    fn what_comes_too_soon_is_told_when_to_come_again() {
        let response = ApiError::from(ServiceError::TooSoon { message: "wait".into(), seconds: 16 }).into_response();
        assert_eq!(
            (response.status(), &response.headers()["retry-after"]),
            (StatusCode::TOO_MANY_REQUESTS, &HeaderValue::from(16))
        );
        let busy = ApiError::from(ServiceError::Unavailable("busy".into())).into_response();
        assert_eq!(busy.headers()["retry-after"], "1");
    }

    #[test]
    fn any_message_fits_into_a_header() {
        assert_eq!(header_text("line one\nline two ü"), "line one line two ?");
        assert_eq!(header_text(&"x".repeat(5000)).len(), MAX_HEADER_MESSAGE);
    }

    #[test]
    fn what_failed_inside_is_kept_from_the_client() {
        let error = ApiError::from(ServiceError::internal("read the database", "sled: disk on fire"));
        assert!(!error.message.contains("sled"));
        assert_eq!(error.cause.as_deref(), Some("read the database: sled: disk on fire"));
    }
}
