//! Writing to a file under its mount's quota.
//!
//! What is charged is what the file grows by, holes included, so writing over what is there costs nothing. The write
//! itself happens on the calling thread, as reads do: it ends in the page cache.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::quota::{Permit, Quota};
use super::usage::Usage;

/// Bytes written in one go: what keeps the calling thread for some tens of microseconds.
pub(super) const CHUNK: usize = 64 << 10;

/// Where in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Location {
    At(u64),
    End,
}

/// Why nothing was written yet.
#[derive(Debug)]
pub(super) enum Blocked {
    /// The mount has to be measured first, or is being measured.
    Full,
    Failed(io::Error),
}

impl Location {
    fn end(self, len: u64, bytes: usize) -> u64 {
        let start = match self {
            Self::At(offset) => offset,
            Self::End => len,
        };
        start.saturating_add(bytes as u64)
    }

    /// The location after so many bytes.
    pub(super) fn advance(&mut self, bytes: usize) {
        if let Self::At(offset) = self {
            *offset = offset.saturating_add(bytes as u64);
        }
    }
}

/// Writes at least one byte, waiting for room if need be. Fewer than given where the quota ends.
pub(super) async fn write(quota: &Arc<Quota>, file: &File, at: Location, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match try_write(quota, file, at, bytes) {
            Ok(written) => return Ok(written),
            Err(Blocked::Failed(error)) => return Err(error),
            Err(Blocked::Full) => room(quota, file, at).await?,
        }
    }
}

/// Waits until one more byte could be written.
pub(super) async fn room(quota: &Arc<Quota>, file: &File, at: Location) -> io::Result<()> {
    quota.moving().await;
    let len = file.metadata()?.len();
    quota.make_room(Usage::bytes(at.end(len, 1).saturating_sub(len))).await
}

/// Writes what there is room for, at once.
pub(super) fn try_write(quota: &Arc<Quota>, file: &File, at: Location, bytes: &[u8]) -> Result<usize, Blocked> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let mut permit = quota.try_enter().ok_or(Blocked::Full)?;
    let outcome = charged_write(&mut permit, file, at, bytes);
    if outcome.is_err() {
        permit.refund(Usage::default());
    }
    outcome
}

/// Bytes that would be written at once, at most [`CHUNK`]; none while the mount has to be measured first.
pub(super) fn fitting(quota: &Arc<Quota>, file: &File, at: Location) -> io::Result<usize> {
    let Some(permit) = quota.try_enter() else { return Ok(0) };
    let len = file.metadata()?.len();
    let count = fit(at, len, CHUNK, permit.room());
    Ok(permit.give_back(count))
}

/// How many of so many bytes may be written when the file may grow by this much.
fn fit(at: Location, len: u64, bytes: usize, room: u64) -> usize {
    let missing = growth(at, len, bytes).bytes.saturating_sub(room);
    bytes.saturating_sub(usize::try_from(missing).unwrap_or(usize::MAX))
}

fn growth(at: Location, len: u64, bytes: usize) -> Usage {
    Usage::bytes(at.end(len, bytes).saturating_sub(len))
}

fn charged_write(permit: &mut Permit, file: &File, at: Location, bytes: &[u8]) -> Result<usize, Blocked> {
    let len = file.metadata().map_err(Blocked::Failed)?.len();
    let count = fit(at, len, bytes.len().min(CHUNK), permit.room());
    // Others may have taken the room that was seen.
    if count == 0 || !permit.charge(growth(at, len, count)) {
        return Err(Blocked::Full);
    }
    let bytes = bytes.get(..count).unwrap_or(bytes);
    let written = retry(|| put(file, at, bytes)).map_err(Blocked::Failed)?;
    permit.refund(growth(at, len, written));
    Ok(written)
}

fn put(file: &File, at: Location, bytes: &[u8]) -> io::Result<usize> {
    match at {
        Location::At(offset) => file.write_at(bytes, offset),
        Location::End => Ok(pwritev2(file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)?),
    }
}

fn retry(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(Errno::IO.into()),
            outcome => return outcome,
        }
    }
}

/// Sets a file's length. A larger one is charged as if it were written, although the hole takes no space yet.
pub(super) async fn set_size(quota: &Arc<Quota>, file: &File, size: u64) -> io::Result<()> {
    loop {
        let len = file.metadata()?.len();
        let mut permit = quota.enter(Usage::bytes(size.saturating_sub(len))).await?;
        // Somebody may have shortened it while this one waited for room.
        let now = file.metadata()?.len();
        if now < len && size > now {
            permit.refund(Usage::default());
            continue;
        }
        let outcome = file.set_len(size);
        let grown = if outcome.is_ok() { size.saturating_sub(now) } else { 0 };
        permit.refund(Usage::bytes(grown));
        if size < now {
            quota.freed();
        }
        return outcome;
    }
}
