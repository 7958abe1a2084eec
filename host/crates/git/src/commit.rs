//! Commits made without a worktree: changes on top of a branch's head.
//!
//! `plan` decides what the new revision holds, without git; `import` writes it. The branch moves last and only from
//! the head that the plan was made for, so a commit is there as a whole or not at all.

use bytes::Bytes;
use spaceport_core::lifecycle::Millis;
use spaceport_core::revision::{Oid, OidPrefix};

use crate::error::GitError;
use crate::path::RepoPath;
use crate::tree::{FileMode, TreeError};

pub(crate) mod import;
pub(crate) mod plan;

/// A commit to be made.
#[derive(Debug, Clone)]
pub struct CommitSpec {
    /// The branch that moves, such as `main`, or a pull request by its full name; made if it does not exist.
    pub branch: String,
    /// What the branch's head must be; `None`: whatever it is.
    pub parent: Option<OidPrefix>,
    /// Who makes it, and when.
    pub author: Author,
    /// The message: summary, and after a blank line the description.
    pub message: String,
    /// What changes, later ones over earlier ones.
    pub changes: Vec<Change>,
}

/// Who makes a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// A name for people.
    pub name: String,
    /// A mail address, need not exist.
    pub email: String,
    /// When.
    pub at: Millis,
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Change {
    /// Puts a file, new or in place of what is at its path.
    Put {
        /// Where.
        path: RepoPath,
        /// What kind of file.
        mode: FileMode,
        /// Its content; of a link, the target.
        content: Bytes,
    },
    /// Removes a file.
    Delete {
        /// Which.
        path: RepoPath,
    },
    /// Removes a folder with everything in it.
    DeleteFolder {
        /// Which.
        path: RepoPath,
    },
}

/// Why a commit was not made. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The branch moved: its head is not what the committer expects, or it keeps moving.
    #[error("the branch {branch:?} has moved, its head is {}: fetch it and try again",
        actual.map_or_else(|| "gone".to_owned(), |oid| oid.to_string()))]
    Conflict {
        /// The branch.
        branch: String,
        /// What the committer expected, if anything.
        expected: Option<OidPrefix>,
        /// What it is.
        actual: Option<Oid>,
    },
    /// A file or folder to be deleted is not there.
    #[error("{0}: A file with this name doesn't exist")]
    NotThere(RepoPath),
    /// What would be committed breaks a rule for revisions.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The repository failed.
    #[error(transparent)]
    Git(#[from] GitError),
}
