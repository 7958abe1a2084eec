//! How much there is below a directory.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, ReadDir};

use super::depth;
use super::usage::Usage;

/// Levels beyond which a tree is not walked: more than guests can make, so only a directory that somebody else filled.
const TOO_DEEP: usize = depth::MAX * 2;

/// Bytes and names below a directory; a file with several names is counted once in bytes. What vanishes meanwhile is not
/// counted.
pub(super) fn measure(root: &Path) -> io::Result<Usage> {
    let mut sum = Usage::default();
    let mut linked = HashSet::new();
    let mut levels: Vec<ReadDir> = vec![Dir::open_ambient_dir(root, ambient_authority())?.entries()?];
    while let Some(level) = levels.last_mut() {
        let Some(entry) = level.next() else {
            levels.pop();
            continue;
        };
        let entry = entry?;
        let Some(metadata) = present(entry.metadata())? else { continue };
        let counted = !metadata.is_dir() && (metadata.nlink() < 2 || linked.insert((metadata.dev(), metadata.ino())));
        sum = sum.plus(Usage::entry(if counted { metadata.len() } else { 0 }));
        if metadata.is_dir()
            && let Some(dir) = present(entry.open_dir())?
        {
            if levels.len() >= TOO_DEEP {
                return Err(io::Error::other(format!("directories are more than {TOO_DEEP} levels deep")));
            }
            levels.push(dir.entries()?);
        }
    }
    Ok(sum)
}

/// How many levels of directories are below one, up to `at_most`.
pub(super) fn height(dir: Dir, at_most: usize) -> io::Result<usize> {
    let mut highest = 0;
    let mut levels: Vec<ReadDir> = vec![dir.entries()?];
    while let Some(level) = levels.last_mut() {
        let Some(entry) = level.next() else {
            levels.pop();
            continue;
        };
        let entry = entry?;
        if present(entry.file_type())?.is_some_and(|kind| kind.is_dir())
            && let Some(dir) = present(entry.open_dir())?
        {
            highest = highest.max(levels.len());
            if highest >= at_most {
                return Ok(highest);
            }
            levels.push(dir.entries()?);
        }
    }
    Ok(highest)
}

fn present<R>(outcome: io::Result<R>) -> io::Result<Option<R>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lengths_and_names_are_counted_and_linked_files_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/one"), [0; 100]).unwrap();
        fs::hard_link(root.join("a/one"), root.join("a/b/two")).unwrap();
        std::os::unix::fs::symlink("0123456789", root.join("a/link")).unwrap();
        fs::File::create(root.join("hole")).unwrap().set_len(5000).unwrap();
        assert_eq!(measure(root).unwrap(), Usage { bytes: 5110, entries: 7 });
        assert_eq!(height(Dir::open_ambient_dir(root, ambient_authority()).unwrap(), 10).unwrap(), 3);
        assert_eq!(height(Dir::open_ambient_dir(root, ambient_authority()).unwrap(), 2).unwrap(), 2);
    }
}
