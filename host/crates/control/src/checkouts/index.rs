//! The list of a checkout's files, kept beside it so that a launch need not ask git again.

use std::collections::BTreeMap;
use std::io;

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};
use spaceport_core::revision::Oid;
use spaceport_git::CheckedOutFile;

use super::FileList;

/// The list as it is stored.
#[derive(Serialize, Deserialize)]
struct IndexV1(BTreeMap<String, (u64, Oid)>);

/// Writes a list as a whole or not at all, by way of a name that nobody else has.
pub(super) fn write(dir: &Dir, (unfinished, name): (&str, &str), files: &FileList) -> io::Result<()> {
    let stored = IndexV1(files.iter().map(|(path, file)| (path.clone(), (file.size, file.oid))).collect());
    dir.write(unfinished, serde_json::to_vec(&stored)?)?;
    dir.rename(unfinished, dir, name)
}

/// Reads a list.
pub(super) fn read(dir: &Dir, name: &str) -> io::Result<FileList> {
    let IndexV1(stored) = serde_json::from_slice(&dir.read(name)?)?;
    Ok(stored.into_iter().map(|(path, (size, oid))| (path, CheckedOutFile { size, oid })).collect())
}
