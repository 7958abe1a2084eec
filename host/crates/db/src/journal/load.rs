//! Reading the journal: newest snapshot, then every batch after it, with the decision what is a torn end and what damage.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::index::{Rows, apply_change};
use crate::journal::Change;
use crate::journal::file::{self, BadHeader, HEADER, Header, Kind};
use crate::journal::frame::{self, Frame};
use crate::journal::segment::FoundSegment;

/// What the journal says.
#[derive(Default)]
pub(crate) struct Loaded {
    /// The rows as of `last`.
    pub(crate) rows: Rows,
    /// Number of the newest batch.
    pub(crate) last: u64,
    /// Batches read, beside the snapshot.
    pub(crate) batches: u64,
    /// Changes of the batches after the number asked for, so far as they are not in the snapshot alone.
    pub(crate) since: Vec<(u64, Change)>,
    /// The unfinished end of the newest segment, if it had one.
    pub(crate) cut: Option<Cut>,
    /// The segment to go on with.
    pub(super) open_segment: Option<FoundSegment>,
    /// Number of the snapshot.
    pub(crate) snapshot: Option<u64>,
    pub(super) snapshot_bytes: u64,
    pub(super) closed_bytes: u64,
}

/// The journal cannot be read to its end; what could be read comes along.
pub(crate) struct Readable {
    pub(crate) error: OpenError,
    pub(crate) loaded: Loaded,
}

/// An unfinished write that was found at the end of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// Reads the journal: all of it, or, with `until`, the segments that start no later than that batch.
pub(super) fn load(dir: &Path, after: u64, until: Option<u64>) -> Result<Loaded, Box<Readable>> {
    let mut loaded = Loaded::default();
    match read_all(&mut loaded, dir, after, until) {
        Ok(()) => Ok(loaded),
        Err(error) => Err(Box::new(Readable { error, loaded })),
    }
}

fn read_all(loaded: &mut Loaded, dir: &Path, after: u64, until: Option<u64>) -> Result<(), OpenError> {
    let snapshots = file::list(dir, Kind::Snapshot).map_err(OpenError::io("list", dir))?;
    if let Some((number, path)) = snapshots.last() {
        read_snapshot(loaded, path, *number)?;
    }
    let mut segments = file::list(dir, Kind::Segment).map_err(OpenError::io("list", dir))?;
    // Segments that the snapshot has replaced may still be there if a crash came before they were removed.
    segments.retain(|(first, _)| *first > loaded.last && until.is_none_or(|until| *first <= until));
    if segments.is_empty() && until.is_none() && loaded.snapshot.is_some() {
        return Err(damaged(loaded, dir, 0, "the segment after the snapshot is missing"));
    }
    let count = segments.len();
    for (position, (first, path)) in segments.into_iter().enumerate() {
        let is_newest = position + 1 == count && until.is_none();
        let found = read_segment(loaded, &path, first, after, is_newest)?;
        if is_newest {
            loaded.open_segment = Some(found);
        } else {
            loaded.closed_bytes += found.len;
        }
    }
    Ok(())
}

fn read_snapshot(loaded: &mut Loaded, path: &Path, number: u64) -> Result<(), OpenError> {
    let bytes = fs::read(path).map_err(OpenError::io("read", path))?;
    let header = read_header(loaded, path, &bytes, Kind::Snapshot, number)?;
    // Row by row into `loaded`, so that those before a damaged part can still be salvaged.
    loaded.last = number;
    let mut at = HEADER;
    loop {
        let frame = frame::read(header.salt, &bytes[at..]).filter(|frame| frame.first == loaded.rows.len() as u64);
        let Some(frame) = frame else { return Err(damaged(loaded, path, at, "a part of the snapshot is unreadable")) };
        at += frame.len;
        let Some(part) = frame.rows() else { return Err(damaged(loaded, path, at, "a part is malformed")) };
        if part.is_empty() {
            break;
        }
        loaded.rows.extend(part);
    }
    loaded.snapshot = Some(number);
    loaded.snapshot_bytes = bytes.len() as u64;
    Ok(())
}

fn read_segment(
    loaded: &mut Loaded,
    path: &Path,
    first: u64,
    after: u64,
    is_newest: bool,
) -> Result<FoundSegment, OpenError> {
    let bytes = fs::read(path).map_err(OpenError::io("read", path))?;
    let header = read_header(loaded, path, &bytes, Kind::Segment, first)?;
    if first != loaded.last + 1 {
        return Err(damaged(loaded, path, 0, "batches before this file are missing"));
    }
    let mut at = HEADER;
    while at < bytes.len() {
        let rest = &bytes[at..];
        match frame::read(header.salt, rest) {
            Some(frame) => {
                apply(loaded, path, at, &frame, after)?;
                at += frame.len;
            }
            None if is_newest && !frame::any_behind(header.salt, rest) => {
                loaded.cut = Some(Cut { file: path.to_owned(), offset: at as u64, bytes: rest.len() as u64 });
                break;
            }
            None => return Err(damaged(loaded, path, at, "a batch is unreadable, and batches behind it are not")),
        }
    }
    Ok(FoundSegment { path: path.to_owned(), header, len: at as u64 })
}

fn apply(loaded: &mut Loaded, path: &Path, at: usize, frame: &Frame<'_>, after: u64) -> Result<(), OpenError> {
    if frame.first != loaded.last + 1 {
        return Err(damaged(loaded, path, at, "batches are missing"));
    }
    let Some(batches) = frame.batches() else { return Err(damaged(loaded, path, at, "a batch is malformed")) };
    for (number, changes) in batches {
        for change in changes {
            if number > after {
                loaded.since.push((number, change.clone()));
            }
            apply_change(&mut loaded.rows, number, change);
        }
        loaded.last = number;
        loaded.batches += 1;
    }
    Ok(())
}

fn read_header(loaded: &Loaded, path: &Path, bytes: &[u8], kind: Kind, number: u64) -> Result<Header, OpenError> {
    Header::decode(bytes, kind, number).map_err(|bad| match bad {
        BadHeader::Damaged => damaged(loaded, path, 0, "the header is unreadable"),
        BadHeader::TooNew { found, known } => OpenError::TooNew { file: path.to_owned(), found, known },
    })
}

fn damaged(loaded: &Loaded, path: &Path, at: usize, what: &str) -> OpenError {
    OpenError::Damaged { file: path.to_owned(), offset: at as u64, what: what.to_owned(), readable: loaded.last }
}
