//! Large files in the place of their pointers, for what is served: without a second copy where the file system can do
//! without one.

use std::collections::HashMap;
use std::io;

use cap_std::fs::{Dir, OpenOptions};
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::{LfsOid, LfsPointer, MAX_POINTER, MIN_POINTER};
use spaceport_core::revision::Oid;
use spaceport_git::tree::MAX_REVISION_BYTES;
use spaceport_git::{CheckoutReport, GitError, TreeError};

use super::{LfsStore, Shared, object};
use crate::checkouts::CheckoutError;

impl LfsStore {
    /// Puts large files into a checkout in the place of the pointers of those that the Space has, and their sizes into its
    /// list. Other pointers stay: they are text like any other.
    pub(crate) async fn materialise(
        &self,
        space: SpaceId,
        into: &Dir,
        mut report: CheckoutReport,
    ) -> Result<CheckoutReport, CheckoutError> {
        let attempt = "put large files into a checkout";
        let files = |source| CheckoutError::Files { attempt, source };
        let has = self.of(space).map_err(|error| files(io::Error::other(error)))?;
        if has.is_empty() {
            return Ok(report);
        }
        let (shared, into) = (self.shared.clone(), into.try_clone().map_err(files)?);
        let work = move || {
            let bytes = replace(&shared, &into, &has, &mut report)?;
            io::Result::Ok((report, bytes))
        };
        let done = tokio::task::spawn_blocking(work).await;
        let (report, bytes) = done.unwrap_or_else(|panicked| Err(io::Error::other(panicked))).map_err(files)?;
        if bytes > MAX_REVISION_BYTES {
            return Err(GitError::Tree(TreeError::TooManyBytes { bytes }).into());
        }
        Ok(report)
    }
}

/// The bytes of all files then.
fn replace(shared: &Shared, into: &Dir, has: &HashMap<LfsOid, u64>, report: &mut CheckoutReport) -> io::Result<u64> {
    let mut replaced: HashMap<Oid, LfsPointer> = HashMap::new();
    for (path, file) in &report.files {
        // Symbolic links to a file are listed too; they lead to it, whatever it is.
        if !(MIN_POINTER..=MAX_POINTER).contains(&file.size) || !into.symlink_metadata(path)?.is_file() {
            continue;
        }
        let pointer = match replaced.get(&file.oid) {
            Some(pointer) => Some(*pointer),
            None => LfsPointer::parse(&into.read(path)?),
        };
        let Some(pointer) = pointer.filter(|pointer| has.get(&pointer.oid) == Some(&pointer.size)) else { continue };
        into.remove_file(path)?;
        put(shared, pointer.oid, into, path)?;
        replaced.insert(file.oid, pointer);
        report.bytes = report.bytes - file.size + pointer.size;
    }
    for file in report.files.values_mut() {
        if let Some(pointer) = replaced.get(&file.oid) {
            file.size = pointer.size;
        }
    }
    Ok(report.bytes)
}

/// A file with this content: sharing its blocks, else the very file, else a copy.
fn put(shared: &Shared, oid: LfsOid, into: &Dir, path: &str) -> io::Result<()> {
    let from = shared.dir.open(object(oid))?;
    let to = into.open_with(path, OpenOptions::new().write(true).create_new(true))?;
    if rustix::fs::ioctl_ficlone(&to, &from).is_ok() {
        return Ok(());
    }
    drop(to);
    into.remove_file(path)?;
    match shared.dir.hard_link(object(oid), into, path) {
        Ok(()) => Ok(()),
        // Another file system, or as many names as a file may have.
        Err(_) => shared.dir.copy(object(oid), into, path).map(drop),
    }
}
