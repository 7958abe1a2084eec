//! The files of the journal: their names, the header each starts with, and how one comes into being whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Bytes of the header.
pub(super) const HEADER: usize = 32;
/// Format of what follows the header.
const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"SPCEJRNL";
/// Ending of files that are being written; they mean nothing and are removed when seen.
const ASIDE: &str = ".tmp";

/// What a file of the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Batches from a number on.
    Segment,
    /// Rows as of a number.
    Snapshot,
}

/// The start of a file: what it is, from or as of which batch, and the salt of its checksums. With the salt, neither
/// what a user stores nor what an old file has left in a disk block passes for a frame of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) salt: u32,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Where a file of the journal is.
pub(super) fn path(dir: &Path, kind: Kind, number: u64) -> PathBuf {
    dir.join(format!("{}-{number:020}", kind.word()))
}

/// The files of the journal by kind, in order of their numbers. A directory that does not exist has none.
pub(super) fn list(dir: &Path, kind: Kind) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(kind.word())?.strip_prefix('-')?.parse().ok());
        files.extend(number.map(|number| (number, dir.join(&name))));
    }
    files.sort();
    Ok(files)
}

/// Removes what was being written when a process ended.
pub(super) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(ASIDE)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Creates a file: its header and what `fill` writes are on disk before it has its name, and its name is on disk when
/// this returns.
pub(super) fn create(
    dir: &Path,
    header: Header,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<File, OpenError> {
    let path = path(dir, header.kind, header.number);
    let aside = path.with_extension(&ASIDE[1..]);
    let write = || -> io::Result<File> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&aside)?;
        let mut writer = io::BufWriter::new(&mut file);
        writer.write_all(&header.encode())?;
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        fs::rename(&aside, &path)?;
        sync_dir(dir)?;
        Ok(file)
    };
    write().map_err(|source| {
        // Best effort: an unfinished file is removed at the next start at the latest.
        let _ = fs::remove_file(&aside);
        OpenError::Io { action: "create", path: path.clone(), source }
    })
}

/// Waits until the names in a directory are on disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Header {
    /// A header with a salt of its own.
    pub(super) fn new(kind: Kind, number: u64) -> Self {
        Self { kind, number, salt: rand::random() }
    }

    fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a file that has this name.
    pub(super) fn decode(bytes: &[u8], kind: Kind, number: u64) -> Result<Self, BadHeader> {
        let bytes = bytes.get(..HEADER).ok_or(BadHeader::Damaged)?;
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..8] != *MAGIC || crc32fast::hash(&bytes[..28]) != word(28) {
            return Err(BadHeader::Damaged);
        }
        if word(8) > FORMAT {
            return Err(BadHeader::TooNew { found: word(8), known: FORMAT });
        }
        let header = Self { kind, number, salt: word(24) };
        if header.encode() != *bytes {
            return Err(BadHeader::Damaged);
        }
        Ok(header)
    }
}

/// A header that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    Damaged,
    TooNew { found: u32, known: u32 },
}
