//! Directories that are still there after a power cut: a new name in a directory is on disk only once that directory has
//! been flushed too.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::journal::sync_dir;

/// What is kept here is its owner's alone.
const PRIVATE: u32 = 0o700;

/// Creates a directory, and those above it that are missing, for its owner only, and flushes their names. One that is
/// there already stays as it is.
pub fn create_private_dir(dir: &Path) -> io::Result<()> {
    // `.` has neither a name nor a parent.
    let dir = std::path::absolute(dir)?;
    let Some(parent) = dir.parent() else { return Ok(()) };
    let create = || DirBuilder::new().mode(PRIVATE).create(&dir);
    let created = match create() {
        Err(error) if error.kind() == ErrorKind::NotFound => create_private_dir(parent).and_then(|()| create()),
        other => other,
    };
    match created {
        Ok(()) => sync_dir(parent),
        // Whoever created it may have been killed before it was flushed. A parent that we may not read is not ours to flush.
        Err(_) if dir.is_dir() => match sync_dir(parent) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            other => other,
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_missing_is_created_for_the_owner_and_what_is_there_stays() {
        let home = TempDir::new().unwrap();
        let inner = home.path().join("a/b");
        create_private_dir(&inner).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&home.path().join("a"))), (PRIVATE, PRIVATE));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o750)).unwrap();
        for there in [inner.clone(), inner.join(".."), inner.join(".")] {
            create_private_dir(&there).unwrap();
        }
        assert_eq!(mode(&inner), 0o750);
        create_private_dir(Path::new(".")).unwrap();
        create_private_dir(Path::new("/")).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let home = TempDir::new().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        assert!(create_private_dir(&home.path().join("file")).is_err());
        assert!(create_private_dir(&home.path().join("file/below")).is_err());
    }
}
