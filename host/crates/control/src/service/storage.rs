//! From the errors of the database, of git and of the fleet to what an operation's caller can do about them.

use spaceport_core::permission::Denied;
use spaceport_db::{CommitError, ReadError};
use spaceport_git::{GitError, TreeError};

use super::error::ServiceError;
use crate::fleet::FleetError;

/// A row could not be read.
pub(super) fn read_failed(error: ReadError) -> ServiceError {
    ServiceError::internal("read the database", error)
}

/// A batch was not stored.
pub(super) fn commit_failed(error: CommitError) -> ServiceError {
    match error {
        CommitError::StorageFull => ServiceError::StorageFull,
        CommitError::TooLarge(_) => ServiceError::TooLarge(error.to_string()),
        CommitError::Conflict { .. } => {
            ServiceError::Unavailable("Something else has changed this at the same moment: try again".to_owned())
        }
        CommitError::ReadOnly(_) | CommitError::Closed => ServiceError::Unavailable(error.to_string()),
    }
}

/// The fleet did not do what it was told.
pub(super) fn fleet_failed(error: FleetError) -> ServiceError {
    match error {
        FleetError::NoSuchSpace(_) => Denied::Hidden.into(),
        FleetError::NoSuchRelease(number) => ServiceError::NoSuchRelease(number),
        FleetError::Commit(error) => commit_failed(error),
        FleetError::Read(error) => read_failed(error),
        FleetError::Git(error) => git_failed(error),
        FleetError::Stopping => ServiceError::Unavailable(error.to_string()),
        error @ (FleetError::Files { .. } | FleetError::NoSpaces(_) | FleetError::Panicked) => {
            ServiceError::internal("run a Space", error)
        }
    }
}

/// A repository could not be used.
pub(super) fn git_failed(error: GitError) -> ServiceError {
    match error {
        GitError::Tree(error) => tree_refused(&error),
        GitError::TooLarge { .. } => ServiceError::TooLarge(error.to_string()),
        // Its Space was deleted between one look and the next.
        GitError::NoRepository(_) => Denied::Hidden.into(),
        GitError::NoCommit(oid) => ServiceError::RevisionNotFound(oid.to_string()),
        GitError::Branch(_) | GitError::Request(_) => ServiceError::Invalid(error.to_string()),
        GitError::StorageFull => ServiceError::StorageFull,
        GitError::Busy => ServiceError::Unavailable(error.to_string()),
        error => ServiceError::internal("use a repository", error),
    }
}

/// The content of a revision is not accepted.
pub(super) fn tree_refused(error: &TreeError) -> ServiceError {
    ServiceError::Invalid(error.to_string())
}
