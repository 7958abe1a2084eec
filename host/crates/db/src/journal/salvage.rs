//! Going on after damage, when the operator accepts the loss: what could be read becomes a new journal, and the damaged
//! files are set aside whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::journal::compact::write_snapshot;
use crate::journal::file::sync_dir;
use crate::journal::load::Loaded;
use crate::journal::segment::Segment;

/// Directory in which the new journal is made.
const NEW: &str = "journal.new";

/// Puts a journal of what was read in place of the one at `journal`; returns where that one is now.
pub(crate) fn salvage(journal: &Path, loaded: &Loaded, set_aside: &Path) -> Result<PathBuf, OpenError> {
    let store = journal.parent().expect("the journal is a directory in the store");
    let new = store.join(NEW);
    let clear = || match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(&new),
    };
    clear().map_err(OpenError::io("create", &new))?;
    write_snapshot(&new, &loaded.rows, loaded.last)?;
    Segment::create(&new, loaded.last + 1)?;
    let exchange = || {
        sync_dir(store)?;
        fs::rename(journal, set_aside)?;
        fs::rename(&new, journal)?;
        sync_dir(store)
    };
    exchange().map_err(OpenError::io("replace", journal))?;
    Ok(set_aside.to_owned())
}

/// Ends an exchange that a crash cut in two: the damaged journal has gone and the new one has no name yet.
pub(crate) fn finish_interrupted(journal: &Path) -> io::Result<()> {
    let store = journal.parent().expect("the journal is a directory in the store");
    let new = store.join(NEW);
    if journal.exists() || !new.exists() {
        return Ok(());
    }
    fs::rename(&new, journal)?;
    sync_dir(store)
}
