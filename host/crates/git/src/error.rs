//! What can go wrong with a repository, by what a caller can do about it.

use std::io;
use std::time::Duration;

use spaceport_core::id::SpaceId;
use spaceport_core::revision::Oid;

use crate::tree::TreeError;

/// Why an operation on a repository failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no repository of this Space.
    #[error("there is no repository for Space {0}")]
    NoRepository(SpaceId),
    /// The repository has no such commit.
    #[error("there is no commit {0}")]
    NoCommit(Oid),
    /// A file is too large to be read at once.
    #[error("{path} has {size} bytes; at most {limit} can be read at once")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        size: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// The revision's content cannot be used; the author has to change it.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The name of a branch or a tag is not one that git accepts.
    #[error("{0:?} is no valid name for a branch or a tag")]
    Branch(String),
    /// As many files are being read as can be at a time.
    #[error("too many files are being read at the same time: try again in a moment")]
    Busy,
    /// What a git client sent makes no sense, or asks for what is not done here.
    #[error("{0}")]
    Request(String),
    /// Another process works on these repositories.
    #[error("the repositories in this directory are in use by another process")]
    InUse,
    /// There is no git that can be used.
    #[error("{0}")]
    Unusable(String),
    /// Git did not finish in time and was killed.
    #[error("git {command} did not finish within {deadline:?}")]
    Deadline {
        /// The subcommand.
        command: &'static str,
        /// The time it had.
        deadline: Duration,
    },
    /// Git said no.
    #[error("git {command} failed: {message}")]
    Git {
        /// The subcommand.
        command: &'static str,
        /// What it wrote to stderr, shortened.
        message: String,
    },
    /// The disk is full, or its quota is used up.
    #[error("there is no disk space left for git")]
    StorageFull,
    /// The disk or the system said no.
    #[error("cannot {doing}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl GitError {
    /// For `map_err`: wraps an I/O error with what was attempted.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::StorageFull,
            _ => Self::Io { doing, source },
        }
    }
}
