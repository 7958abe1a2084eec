//! Compaction: all rows written aside as a snapshot, and the files that it replaces removed.

use std::io::{self, Write};
use std::path::Path;

use crate::error::{OpenError, chain};
use crate::index::{Row, Rows};
use crate::journal::file::{self, Header, Kind};
use crate::journal::{frame, load};

/// Rows in one frame of a snapshot: few enough that a frame stays small, many enough that its head does not count.
const ROWS_PER_FRAME: usize = 256;

/// Replaces everything up to batch `last`, where a segment ends, by a snapshot. Returns its size; a failure is logged and
/// changes nothing.
pub(super) fn compact(dir: &Path, last: u64) -> Option<u64> {
    match try_compact(dir, last) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "journal not compacted");
            None
        }
    }
}

fn try_compact(dir: &Path, last: u64) -> Result<u64, OpenError> {
    let loaded = load::load(dir, u64::MAX, Some(last)).map_err(|readable| readable.error)?;
    let bytes = write_snapshot(dir, &loaded.rows, loaded.last)?;
    remove_replaced(dir, loaded.last).map_err(OpenError::io("clean up", dir))?;
    tracing::debug!(batch = loaded.last, rows = loaded.rows.len(), bytes, "journal compacted");
    Ok(bytes)
}

/// Writes the rows as of batch `number`; returns the snapshot's size.
pub(super) fn write_snapshot(dir: &Path, rows: &Rows, number: u64) -> Result<u64, OpenError> {
    let header = Header::new(Kind::Snapshot, number);
    let file = file::create(dir, header, |writer| write_rows(writer, header.salt, rows))?;
    let path = file::path(dir, Kind::Snapshot, number);
    file.metadata().map(|metadata| metadata.len()).map_err(OpenError::io("examine", &path))
}

fn write_rows(writer: &mut dyn Write, salt: u32, rows: &Rows) -> io::Result<()> {
    let rows: Vec<(&Vec<u8>, &Row)> = rows.iter().collect();
    for (position, part) in rows.chunks(ROWS_PER_FRAME).enumerate() {
        writer.write_all(&frame::of_rows(salt, (position * ROWS_PER_FRAME) as u64, part))?;
    }
    // An empty frame ends the snapshot: without it, it is known to be incomplete.
    writer.write_all(&frame::of_rows(salt, rows.len() as u64, &[]))
}

/// Removes what the snapshot of batch `snapshot` has replaced.
pub(super) fn remove_replaced(dir: &Path, snapshot: u64) -> io::Result<()> {
    for (first, path) in file::list(dir, Kind::Segment)? {
        if first <= snapshot {
            std::fs::remove_file(path)?;
        }
    }
    for (number, path) in file::list(dir, Kind::Snapshot)? {
        if number < snapshot {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
