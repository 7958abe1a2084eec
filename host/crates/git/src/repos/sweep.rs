//! What a crash leaves behind, removed when the repositories are opened: half-written packs and objects, lock files,
//! crash reports, and repositories that were being made or removed.
//!
//! Only while nobody else works on them, which the lock of [`super::Repos`] sees to.

use std::io;

use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;

/// The suffix of a repository's folder.
const SUFFIX: &str = ".git";

/// Every repository below the top directory, with its path.
pub(super) fn repositories(top: &Dir) -> io::Result<Vec<(SpaceId, String)>> {
    let mut found = Vec::new();
    for shelf in names(top)?.into_iter().filter(|name| name.len() == 2 && top.is_dir(name)) {
        for name in names(&top.open_dir(&shelf)?)? {
            if let Some(space) = name.strip_suffix(SUFFIX).and_then(|id| id.parse().ok()) {
                found.push((space, format!("{shelf}/{name}")));
            }
        }
    }
    Ok(found)
}

/// Removes what is left of interrupted work.
pub(super) fn sweep(top: &Dir, work: &str) -> io::Result<()> {
    top.create_dir_all(work)?;
    let work = top.open_dir(work)?;
    for name in names(&work)? {
        remove(&work, &name)?;
    }
    for (space, path) in repositories(top)? {
        // One damaged repository is its Space's trouble, not every Space's.
        if let Err(error) = top.open_dir(path).and_then(|repository| sweep_repository(&repository)) {
            tracing::warn!(space = %space, error = %error, "cannot sweep a repository");
        }
    }
    Ok(())
}

/// Removes what an import leaves that failed, its report and its pack: a full disk would only become fuller. Only while
/// nobody else imports into the repository.
pub(crate) fn sweep_import(repository: &Dir) -> io::Result<()> {
    for name in names(repository)?.iter().filter(|name| name.starts_with("fast_import_crash_")) {
        remove(repository, name)?;
    }
    remove_unfinished(&repository.open_dir("objects/pack")?)
}

fn sweep_repository(repository: &Dir) -> io::Result<()> {
    for name in names(repository)?.iter().filter(|name| name.ends_with(".lock")) {
        remove(repository, name)?;
    }
    sweep_import(repository)?;
    sweep_locks(&repository.open_dir("refs")?)?;
    let objects = repository.open_dir("objects")?;
    for name in names(&objects)? {
        // Objects of a push that was never accepted, and single ones that were never finished.
        if name.starts_with("tmp_") || name.starts_with("incoming-") {
            remove(&objects, &name)?;
        } else if name.len() == 2 {
            remove_unfinished(&objects.open_dir(&name)?)?;
        }
    }
    Ok(())
}

fn sweep_locks(refs: &Dir) -> io::Result<()> {
    for entry in refs.entries()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            sweep_locks(&refs.open_dir(&name)?)?;
        } else if name.ends_with(".lock") {
            refs.remove_file(&name)?;
        }
    }
    Ok(())
}

fn remove_unfinished(folder: &Dir) -> io::Result<()> {
    for name in names(folder)? {
        if name.starts_with("tmp_") || name.starts_with(".tmp-") {
            folder.remove_file(&name)?;
        }
    }
    Ok(())
}

fn remove(dir: &Dir, name: &str) -> io::Result<()> {
    if dir.symlink_metadata(name)?.is_dir() { dir.remove_dir_all(name) } else { dir.remove_file(name) }
}

fn names(dir: &Dir) -> io::Result<Vec<String>> {
    dir.entries()?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
