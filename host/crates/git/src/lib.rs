//! Bare git repositories on disk, one per Space, driven by the real `git` in child processes.
//!
//! Names never become paths: a repository lies under its Space's opaque id. Nothing is ever checked out by git itself,
//! since a worktree, hooks and filters are where pushed content turns into code that runs: commits are made with
//! `git fast-import`, files are written by this crate from `git cat-file`, and every tree passes the same rules
//! ([`path`], [`tree`]) whichever way it came. Git runs with an empty home, without system or user configuration, hooks
//! or monitors, under a deadline, and is killed when nobody waits for it any more.
//!
//! An operation that was acknowledged survives a power cut. This crate knows nothing of builds, users or HTTP.

pub mod checkout;
pub mod commit;
mod disk;
mod error;
pub mod path;
mod process;
mod repo;
mod repos;
mod smart;
pub mod tree;

pub use checkout::{CheckedOutFile, CheckoutReport};
pub use commit::{Author, Change, CommitError, CommitSpec};
pub use disk::room;
pub use error::GitError;
pub use path::{PathError, RepoPath};
pub use repo::{FileStream, LogEntry, MAX_REFS, MergeOutcome, MergeSpec, RefChange, RefEntry, Repo, TriedMerge};
pub use repos::Repos;
pub use smart::{Audit, BroughtFile, PackStream, Push, PushOutput, RefCommand, Service};
pub use tree::{FileMode, TreeEntry, TreeError, blob_oid};
