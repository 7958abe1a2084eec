//! How deep directories may be nested.
//!
//! A guest can go deeper level by level through descriptors, past every limit on the length of a path. What handles such
//! a tree on the host by recursion runs out of stack, and what holds a descriptor for each level runs out of those.
//!
//! The parent of a new directory is opened first, its level counted, and the directory made in that very parent: a link
//! that another instance turns around in between changes nothing.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::quota::Quota;

/// Levels of directories in a mount: several times what package managers make.
pub(super) const MAX: usize = 100;
/// Tries of an open that a rename elsewhere on the machine disturbed.
const TRIES: usize = 16;
/// What a directory is opened for to be passed through.
const THROUGH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// What a directory is opened for to be listed or flushed.
const TO_LIST: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// How guests' paths are resolved.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// A name in an open directory.
pub(super) struct Spot {
    parent: File,
    name: OsString,
}

impl Spot {
    /// Where a path of a guest leads. `None` where it ends in no name, such as `..`.
    pub(super) fn find(start: &File, path: &str) -> io::Result<Option<Self>> {
        let path = Path::new(path);
        let Some(Component::Normal(name)) = path.components().next_back() else { return Ok(None) };
        let parent = beneath(start, path.parent().unwrap_or(Path::new("")))?;
        Ok(Some(Self { parent, name: name.to_owned() }))
    }

    /// The level the name is on, 1 in the root of the mount.
    pub(super) fn level(&self, quota: &Quota) -> io::Result<usize> {
        let mut dir = self.parent.try_clone()?;
        for level in 1..=MAX {
            let metadata = dir.metadata()?;
            if (metadata.dev(), metadata.ino()) == quota.root_id {
                return Ok(level);
            }
            dir = openat(&dir, "..", THROUGH, Mode::empty())?.into();
        }
        Err(too_deep())
    }

    /// Makes a directory of this name.
    pub(super) fn make_directory(&self) -> io::Result<()> {
        Ok(mkdirat(&self.parent, self.name(), Mode::RWXU | Mode::RWXG | Mode::RWXO)?)
    }

    /// Removes the directory of this name.
    pub(super) fn remove_directory(&self) -> io::Result<()> {
        Ok(unlinkat(&self.parent, self.name(), AtFlags::REMOVEDIR)?)
    }

    /// Whether the name is a directory's own, not that of a link to one.
    pub(super) fn is_directory(&self) -> io::Result<bool> {
        let stat = statat(&self.parent, self.name(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Opens the directory of this name to be listed.
    pub(super) fn open(&self) -> io::Result<File> {
        Ok(openat(&self.parent, self.name(), TO_LIST, Mode::empty())?.into())
    }

    /// Gives it another name.
    pub(super) fn rename_to(&self, to: &Self) -> io::Result<()> {
        Ok(renameat(&self.parent, self.name(), &to.parent, to.name())?)
    }

    fn name(&self) -> &OsStr {
        &self.name
    }
}

/// Opens a directory once more, to be listed or flushed.
pub(super) fn open_to_list(dir: &File) -> io::Result<File> {
    Ok(openat(dir, ".", TO_LIST, Mode::empty())?.into())
}

fn beneath(start: &File, path: &Path) -> io::Result<File> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for _ in 0..TRIES {
        match openat2(start, path, THROUGH, Mode::empty(), BENEATH) {
            Ok(dir) => return Ok(dir.into()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // As guests are told of every path that leads out.
            Err(Errno::XDEV) => return Err(Errno::PERM.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::BUSY.into())
}

/// What a guest is told that goes too deep.
pub(super) fn too_deep() -> io::Error {
    Errno::NAMETOOLONG.into()
}

/// Whether the kernel resolves paths below a directory, and keeps them there.
pub(super) fn probe_openat2() -> io::Result<()> {
    let root = openat2(CWD, "/", THROUGH, Mode::empty(), ResolveFlags::empty())?;
    match openat2(&root, "..", THROUGH, Mode::empty(), BENEATH) {
        Err(Errno::XDEV) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(io::Error::other("a path left its directory")),
    }
}
