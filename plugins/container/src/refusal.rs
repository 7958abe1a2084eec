//! What is told to whoever asked for something that is not done.

use bollard::errors::Error;
use spaceport_backend_protocol::{DecodeError, ErrorCode, Line, Refusal};

/// A refusal with these words.
pub(crate) fn refuse(error: ErrorCode, words: &str) -> Refusal {
    Refusal { error, message: Line::lossy(words) }
}

/// The request is not one of the protocol.
pub(crate) fn bad_request(error: &DecodeError) -> Refusal {
    refuse(ErrorCode::BadRequest, &error.to_string())
}

/// What the Engine's refusal of something means: either it does not answer, or it says why not.
pub(crate) fn of_engine(error: &Error) -> Refusal {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            refuse(ErrorCode::Failed, &format!("the container engine answers {status_code}: {message}"))
        }
        Error::RequestTimeoutError => refuse(ErrorCode::Unavailable, "the container engine does not answer in time"),
        Error::SocketNotFoundError(_) => refuse(ErrorCode::Unavailable, "there is no container engine running"),
        Error::JsonDataError { message, .. } => {
            refuse(ErrorCode::Failed, &format!("the container engine says something odd: {message}"))
        }
        other => refuse(ErrorCode::Unavailable, &format!("the container engine does not answer: {other}")),
    }
}

/// Whether the Engine says that there is no such thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the Engine says that it is so already, or is being made so.
pub(crate) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
}

/// Whether the Engine says that nothing had to change.
pub(crate) fn is_unchanged(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 304, .. })
}
