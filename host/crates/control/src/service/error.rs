//! How an operation is refused or fails: one enum, its variants by what the caller can do about it. HTTP makes statuses
//! of them, the shell one line.

use spaceport_core::name::SpacePath;
use spaceport_core::permission::Denied;
use spaceport_core::revision::Oid;

/// The result of an operation.
pub type ServiceResult<T> = Result<T, ServiceError>;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The actor may not, or may not know that there is such a Space; a Space that is missing reads the same.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Signed in, but not allowed; the text says what would be.
    #[error("{0}")]
    Forbidden(String),
    /// The request contradicts a rule; the text says what to write instead.
    #[error("{0}")]
    Invalid(String),
    /// The README's front matter is wrong; one sentence each.
    #[error("{}", .0.join("\n"))]
    InvalidReadme(Vec<String>),
    /// There is a Space of that name already, at this path.
    #[error("You already created this space repo")]
    NameTaken(SpacePath),
    /// The Space has another path now.
    #[error("This Space is at {0} now")]
    Moved(SpacePath),
    /// The Space has no such release.
    #[error("There is no release {0} of this Space: its list of releases has those that are kept")]
    NoSuchRelease(u64),
    /// The Space has no preview of such a ref.
    #[error("There is no preview of {0:?}: open one with POST …/previews")]
    NoSuchPreview(String),
    /// The user has no such webhook.
    #[error("You have no webhook {0:?}")]
    NoSuchWebhook(String),
    /// There is something else of that name already.
    #[error("{0}")]
    Conflict(String),
    /// No branch, tag or commit of that name.
    #[error("Revision {0:?} was not found")]
    RevisionNotFound(String),
    /// The revision holds no such file or directory.
    #[error("{message}")]
    EntryNotFound {
        /// What was looked for.
        message: String,
        /// The commit it was looked for in.
        commit: Oid,
    },
    /// A file or folder to be deleted is not there.
    #[error("{0}")]
    NothingToDelete(String),
    /// No discussion of that number, or no such comment in it.
    #[error("{0}")]
    DiscussionNotFound(String),
    /// No such thing of another kind; the text says of which.
    #[error("{0}")]
    NotFound(String),
    /// The owner may not have more; the text says of what.
    #[error("{0}")]
    OverQuota(String),
    /// No such user or organization.
    #[error("There is no account named {0:?}")]
    AccountNotFound(String),
    /// The branch has moved on.
    #[error("A commit has happened since. Please refresh and try again: {branch} is at {}", .head.map_or_else(|| "no commit".to_owned(), |head| head.to_string()))]
    Outdated {
        /// The branch.
        branch: String,
        /// Where it is now.
        head: Option<Oid>,
    },
    /// The request is larger than what is taken.
    #[error("{0}")]
    TooLarge(String),
    /// This host offers no such operation for such a Space.
    #[error("{0}")]
    NotOffered(String),
    /// The host cannot now, through nobody's mistake; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The same was tried too often with no success.
    #[error("{message}")]
    TooSoon {
        /// What was tried, and when it may be again.
        message: String,
        /// Seconds until then.
        seconds: u64,
    },
    /// The disk is full.
    #[error("this host has no disk space left")]
    StorageFull,
    /// A bug of ours, or a disk that fails.
    #[error("{attempt}")]
    Internal {
        /// What was attempted, as a verb phrase.
        attempt: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ServiceError {
    /// A failure that is not the caller's, with what was attempted.
    pub fn internal(attempt: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal { attempt, source: source.into() }
    }
}
