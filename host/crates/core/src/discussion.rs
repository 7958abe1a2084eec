//! Discussions and pull requests of a Space: what may become of one, and who may see to it.
//!
//! Both are a title, a status and a row of events, under a number that is the Space's and is used once. A pull request has
//! commits besides, at `refs/pr/<number>`, which may be merged into a branch.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

/// Heads of pull requests by their full names.
pub const PULL_REFS: &str = "refs/pr/";

/// Fewest characters of a title: less says nothing.
const MIN_TITLE: usize = 3;
/// Most characters of a title: it is shown on one line.
const MAX_TITLE: usize = 200;

/// Where a discussion or a pull request stands. The words are the clients'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiscussionStatus {
    /// It goes on.
    Open,
    /// A pull request that is not ready to be merged.
    Draft,
    /// It is over.
    Closed,
    /// A pull request that is part of its branch, which is for good.
    Merged,
}

impl DiscussionStatus {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Draft => "draft",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }

    /// Whether it goes on, ready or not.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Draft)
    }
}

impl fmt::Display for DiscussionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What somebody is to a discussion, or to a comment in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// May write to the Space.
    Writer,
    /// Has written it.
    Author,
    /// Sees it.
    Reader,
}

/// What somebody who is signed in wants to do about a discussion, or a comment in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscussionAct {
    /// Say something.
    Comment,
    /// Give it another title, close it, open it again.
    Manage,
    /// Change or hide what was said.
    Edit,
    /// Add commits to a pull request.
    Contribute,
    /// Make a pull request a part of its branch.
    Merge,
    /// Remove it with all that was said.
    Delete,
}

/// Whether somebody may do something about it.
pub fn may(standing: Standing, act: DiscussionAct) -> bool {
    match act {
        DiscussionAct::Comment => true,
        DiscussionAct::Manage | DiscussionAct::Edit | DiscussionAct::Contribute => standing != Standing::Reader,
        DiscussionAct::Merge | DiscussionAct::Delete => standing == Standing::Writer,
    }
}

/// Why a status cannot be changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusRefusal {
    /// It is that already.
    #[error("It is {0} already")]
    Already(DiscussionStatus),
    /// A merge cannot be taken back.
    #[error("This pull request is merged, which is for good: open another one to change that")]
    Merged,
    /// Nobody sets this status by its word.
    #[error("The status {0} cannot be set: set \"open\" or \"closed\"")]
    NotSet(DiscussionStatus),
    /// There is nothing to merge in a discussion.
    #[error("This is a discussion: only a pull request can be merged")]
    NoPullRequest,
    /// It is not ready.
    #[error("This pull request is a draft: set its status to \"open\" first")]
    Draft,
    /// It is over.
    #[error("This pull request is closed: set its status to \"open\" first")]
    Closed,
}

/// Whether a status may be set by its word.
pub fn set_status(from: DiscussionStatus, to: DiscussionStatus) -> Result<(), StatusRefusal> {
    match (from, to) {
        (DiscussionStatus::Merged, _) => Err(StatusRefusal::Merged),
        (_, DiscussionStatus::Draft | DiscussionStatus::Merged) => Err(StatusRefusal::NotSet(to)),
        (from, to) if from == to => Err(StatusRefusal::Already(to)),
        (_, DiscussionStatus::Open | DiscussionStatus::Closed) => Ok(()),
    }
}

/// Whether it can be merged as far as its status goes.
pub fn may_be_merged(is_pull_request: bool, status: DiscussionStatus) -> Result<(), StatusRefusal> {
    match status {
        _ if !is_pull_request => Err(StatusRefusal::NoPullRequest),
        DiscussionStatus::Open => Ok(()),
        DiscussionStatus::Draft => Err(StatusRefusal::Draft),
        DiscussionStatus::Closed => Err(StatusRefusal::Closed),
        DiscussionStatus::Merged => Err(StatusRefusal::Merged),
    }
}

/// The text is no title.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("A title has {MIN_TITLE} to {MAX_TITLE} characters on one line, this one has {0}")]
pub struct InvalidTitle(usize);

/// A title from what somebody wrote.
pub fn title(text: &str) -> Result<String, InvalidTitle> {
    let text = text.trim();
    let length = text.chars().count();
    let is_title = (MIN_TITLE..=MAX_TITLE).contains(&length) && !text.chars().any(char::is_control);
    if is_title { Ok(text.to_owned()) } else { Err(InvalidTitle(length)) }
}

/// A title from the first line of a commit's message, which is bound by no such rule.
pub fn title_of_commit(summary: &str) -> String {
    let line = summary.trim().lines().next().unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TITLE).collect()
}

/// The full name of a pull request's head.
pub fn pull_ref(number: u64) -> String {
    format!("{PULL_REFS}{number}")
}

/// The pull request whose head a revision names.
pub fn pull_number(revision: &str) -> Option<u64> {
    let digits = revision.strip_prefix(PULL_REFS)?;
    // One name for each: no sign, no leading zero.
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}
