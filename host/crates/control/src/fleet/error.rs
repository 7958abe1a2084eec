//! Why the fleet did not do what it was told.

use spaceport_core::id::SpaceId;
use spaceport_db::{CommitError, ReadError};
use spaceport_git::GitError;

/// Why the fleet did not do what it was told, by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is no such Space, or not any more.
    #[error("there is no Space {0}")]
    NoSuchSpace(SpaceId),
    /// The Space has no such release, or not any more.
    #[error("there is no release {0}: releases that are long past are removed")]
    NoSuchRelease(u64),
    /// The change could not be stored. Nothing has changed.
    #[error("the change could not be stored")]
    Commit(#[from] CommitError),
    /// What is stored could not be read.
    #[error("the database could not be read")]
    Read(#[from] ReadError),
    /// A repository cannot be used.
    #[error("a repository could not be used")]
    Git(#[from] GitError),
    /// There are repositories and no Space at all in the database: going on would lose what they belong to.
    #[error(
        "the database knows no Space, but there are {0} repositories: the store is not the one that belongs to them. \
         Restore DATA/store, or mount it; to begin anew without these repositories, move DATA/repos away"
    )]
    NoSpaces(usize),
    /// A directory of the fleet cannot be used.
    #[error("cannot {attempt}")]
    Files {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
    /// A bug of this host; what has become of the change is not known.
    #[error("the change was interrupted by a bug of this host")]
    Panicked,
}

impl FleetError {
    /// For `map_err`: wraps an I/O error with what was attempted.
    pub(crate) fn files(attempt: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Files { attempt, source }
    }
}
