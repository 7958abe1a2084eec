//! Large files of Spaces: who may send and fetch them, and where a repository's pointers lead.
//!
//! A client first asks about files by their ids, as somebody; it then sends and fetches contents at addresses that carry a
//! *ticket*, signed and good for some hours, since clients send no token there.

mod attributes;
mod list;
mod ticket;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::{LfsOid, LfsPointer, MAX_POINTER, MIN_POINTER};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Denied};
use spaceport_core::revision::Oid;
use spaceport_git::{Repo, TreeEntry};
use tokio::io::AsyncRead;

use super::Control;
use super::commit::FileChange;
use super::error::{ServiceError, ServiceResult};
use super::git::Refusal;
use super::storage::git_failed;
use crate::lfs::{LargeContent, LfsError, LfsStore};

pub use crate::lfs::PART as LFS_PART;
pub use list::LargeFile;
pub use ticket::{LfsAct, LfsTicket};

/// The file that tells clients which paths are large files.
const GIT_ATTRIBUTES: &str = ".gitattributes";
/// Most absent files that are named when a push is refused.
const MAX_NAMED: usize = 10;

/// What may be done about a file that a client asks about.
#[derive(Debug, PartialEq, Eq)]
pub enum LfsAnswer {
    /// The Space has it: nothing is to be sent.
    Present,
    /// It may be sent.
    Send,
    /// It may be fetched.
    Fetch,
    /// The Space has no such file.
    Absent,
    /// It may not be sent.
    Refused(String),
}

impl Control {
    /// What may be done about files, named by id and size: sending them, or fetching them. For whoever may, the Space by
    /// which tickets name it.
    pub async fn lfs_batch(
        &self,
        actor: &Actor,
        path: &SpacePath,
        is_upload: bool,
        wanted: &[(LfsOid, u64)],
    ) -> ServiceResult<(SpaceId, Vec<LfsAnswer>)> {
        let found = self.space(actor, path, if is_upload { Action::Write } else { Action::See })?;
        let (space, owner) = (found.id, found.owner);
        let taken = self.large().taken(space).await.map_err(lfs_failed)?;
        let mut answers = Vec::with_capacity(wanted.len());
        for (oid, size) in wanted {
            answers.push(match taken.has.get(oid) {
                Some(there) if there != size => LfsAnswer::Refused(format!("this file has {there} bytes, not {size}")),
                Some(_) if is_upload => LfsAnswer::Present,
                Some(_) => LfsAnswer::Fetch,
                None if is_upload => match self.large().admit_beside(&taken, *oid, *size) {
                    Ok(()) => match self.require_large_room(owner, *size) {
                        Ok(()) => LfsAnswer::Send,
                        Err(error @ ServiceError::OverQuota(_)) => LfsAnswer::Refused(error.to_string()),
                        Err(error) => return Err(error),
                    },
                    Err(error @ LfsError::TooLarge(_)) => LfsAnswer::Refused(error.to_string()),
                    Err(error) => return Err(lfs_failed(error)),
                },
                None => LfsAnswer::Absent,
            });
        }
        Ok((space, answers))
    }

    /// Whether a Space has a file of this size now.
    pub fn lfs_has(&self, ticket: &LfsTicket) -> ServiceResult<bool> {
        let there = self.large().find(ticket.space, ticket.oid).map_err(lfs_failed)?;
        Ok(there.is_some_and(|link| link.size == ticket.size))
    }

    /// A ticket as text, good from now on for some hours.
    pub fn lfs_sign(&self, ticket: &LfsTicket) -> String {
        ticket::sign(&self.inner.keys, ticket, self.inner.clock.now())
    }

    /// The ticket that a text is, if it is a good one.
    pub fn lfs_ticket(&self, text: &str) -> ServiceResult<LfsTicket> {
        let ticket = ticket::read(&self.inner.keys, text, self.inner.clock.now());
        ticket.ok_or_else(|| ServiceError::Forbidden("This address is no longer good: ask for a new one".to_owned()))
    }

    /// Takes a whole file in.
    pub async fn lfs_receive(&self, ticket: &LfsTicket, input: impl AsyncRead + Unpin) -> ServiceResult<()> {
        self.require_room_for(ticket)?;
        self.large().receive(ticket.space, ticket.oid, ticket.size, input).await.map_err(lfs_failed)
    }

    /// Takes a part of a file in, counted from 0; its checksum.
    pub async fn lfs_receive_part(
        &self,
        ticket: &LfsTicket,
        number: u64,
        input: impl AsyncRead + Unpin,
    ) -> ServiceResult<u32> {
        self.require_room_for(ticket)?;
        let upload = (ticket.space, ticket.oid, ticket.size);
        self.large().receive_part(upload, number, input).await.map_err(lfs_failed)
    }

    /// Puts the parts of a file together.
    pub async fn lfs_complete(&self, ticket: &LfsTicket) -> ServiceResult<()> {
        self.require_room_for(ticket)?;
        self.large().complete(ticket.space, ticket.oid, ticket.size).await.map_err(lfs_failed)
    }

    /// A part of a file, for whoever has a ticket.
    pub async fn lfs_read(&self, ticket: &LfsTicket, part: Range<u64>) -> ServiceResult<LargeContent> {
        self.require_space(ticket.space)?;
        self.large().find(ticket.space, ticket.oid).map_err(lfs_failed)?.ok_or(Denied::Hidden)?;
        self.large().read(ticket.oid, part).await.map_err(lfs_failed)
    }

    /// The large files of this host.
    pub(super) fn large(&self) -> &LfsStore {
        &self.inner.fleet.shared().lfs
    }

    /// The Space of an upload must be there still, and its owner may have the file.
    fn require_room_for(&self, ticket: &LfsTicket) -> ServiceResult<()> {
        let space = self.inner.db.spaces().get(&ticket.space).map_err(super::storage::read_failed)?;
        let owner = space.ok_or(Denied::Hidden)?.owner;
        // What is sent again becomes no more.
        let is_there = self.large().find(ticket.space, ticket.oid).map_err(lfs_failed)?.is_some();
        self.require_large_room(owner, if is_there { 0 } else { ticket.size })
    }

    fn require_space(&self, space: SpaceId) -> ServiceResult<()> {
        let there = self.inner.db.spaces().get(&space).map_err(super::storage::read_failed)?;
        there.map(drop).ok_or_else(|| Denied::Hidden.into())
    }

    /// Which of a revision's files stand for large files that the Space has, by the ids of their contents.
    pub(super) async fn pointers(
        &self,
        space: SpaceId,
        repo: &Repo,
        files: &[&TreeEntry],
    ) -> ServiceResult<BTreeMap<Oid, LfsPointer>> {
        let has = self.large().of(space).map_err(lfs_failed)?;
        // Most Spaces have none, and none of their files is looked at.
        if has.is_empty() {
            return Ok(BTreeMap::new());
        }
        let small = files.iter().filter(|file| (MIN_POINTER..=MAX_POINTER).contains(&file.size));
        let small = small.map(|file| file.oid).collect();
        let mut pointers = repo.lfs_pointers(&small).await.map_err(git_failed)?;
        pointers.retain(|_, pointer| has.get(&pointer.oid) == Some(&pointer.size));
        Ok(pointers)
    }

    /// Refuses a push of pointers to files that the Space does not have.
    pub(super) fn refuse_absent(&self, space: SpaceId, pointers: &[(String, LfsPointer)]) -> Result<(), Refusal> {
        if pointers.is_empty() {
            return Ok(());
        }
        let has = self.large().of(space).map_err(|error| {
            tracing::error!(%space, %error, "the large files of a Space cannot be listed");
            Refusal::Pack("an internal error occurred; the host's log has it".to_owned())
        })?;
        let absent: Vec<_> =
            pointers.iter().filter(|(_, pointer)| has.get(&pointer.oid) != Some(&pointer.size)).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let mut lines = vec![
            format!("Your push was rejected because it refers to {} large files that were not sent.", absent.len()),
            "Send them first:".to_owned(),
            "  git lfs push --all origin".to_owned(),
            String::new(),
            "Missing files, in any of the commits:".to_owned(),
        ];
        lines.extend(absent.iter().take(MAX_NAMED).map(|(path, pointer)| format!("  - {path} ({})", pointer.oid)));
        Err(Refusal::Content(lines))
    }

    /// Changes of a commit with pointers in the place of large files, which the Space must have; paths that clients would
    /// not take for large files are added to those that they do.
    pub(super) async fn with_pointers(
        &self,
        space: SpaceId,
        repo: &Repo,
        head: Option<Oid>,
        changes: Vec<FileChange>,
    ) -> ServiceResult<Vec<FileChange>> {
        if !changes.iter().any(|change| matches!(change, FileChange::PutLarge { .. })) {
            return Ok(changes);
        }
        let mut paths = Vec::new();
        let mut done = Vec::with_capacity(changes.len() + 1);
        for change in changes {
            done.push(match change {
                FileChange::PutLarge { path, oid, size } => {
                    let link = self.large().find(space, oid).map_err(lfs_failed)?;
                    let link = link.filter(|link| size.is_none_or(|size| size == link.size)).ok_or_else(|| {
                        let what = format!("{path}: the content {oid} was not uploaded to this Space");
                        ServiceError::Invalid(format!("{what}. Upload it by the LFS API first"))
                    })?;
                    paths.push(path.clone());
                    let content = Bytes::from(LfsPointer { oid, size: link.size }.to_string());
                    FileChange::Put { path, content }
                }
                other => other,
            });
        }
        let attributes = attributes_after(repo, head, &done).await?;
        if let Some(content) = attributes::with_paths(&attributes, &paths) {
            done.push(FileChange::Put { path: GIT_ATTRIBUTES.to_owned(), content: content.into() });
        }
        Ok(done)
    }
}

/// `.gitattributes` as it is after these changes.
async fn attributes_after(repo: &Repo, head: Option<Oid>, changes: &[FileChange]) -> ServiceResult<String> {
    let changed = changes.iter().rev().find_map(|change| match change {
        FileChange::Put { path, content } if path == GIT_ATTRIBUTES => Some(content.clone()),
        FileChange::Delete { path } if path == GIT_ATTRIBUTES => Some(Bytes::new()),
        _ => None,
    });
    let content = match (changed, head) {
        (Some(content), _) => Some(content),
        (None, Some(head)) => repo.read(head, GIT_ATTRIBUTES).await.map_err(git_failed)?,
        (None, None) => None,
    };
    Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()).unwrap_or_default())
}

/// What to do about a large file that was not taken or given.
pub(super) fn lfs_failed(error: LfsError) -> ServiceError {
    let text = error.to_string();
    match error {
        LfsError::Mismatch(_) | LfsError::NoUpload | LfsError::BrokenOff(_) => ServiceError::Invalid(text),
        LfsError::TooLarge(_) => ServiceError::TooLarge(text),
        LfsError::Busy => ServiceError::Unavailable(text),
        LfsError::StorageFull => ServiceError::StorageFull,
        LfsError::NoSpace => Denied::Hidden.into(),
        LfsError::Commit(error) => super::storage::commit_failed(error),
        LfsError::Read(error) => super::storage::read_failed(error),
        error @ LfsError::Files { .. } => ServiceError::internal("use a large file", error),
    }
}
