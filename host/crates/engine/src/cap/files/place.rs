//! Where an operation of a guest takes place: the mount behind a descriptor, or none that could be written to.

use std::fs::File;
use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::io::Errno;
use wasmtime_wasi::filesystem::Descriptor;

use super::SpaceFiles;
use super::depth::{self, Spot};
use super::mark::Mount;
use super::measure;
use super::quota::{Exclusive, Quota};
use super::usage::Usage;

/// A descriptor in a writable mount.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) quota: Arc<Quota>,
    mount: Mount,
    handle: Handle,
}

#[derive(Clone)]
enum Handle {
    File(Arc<File>),
    Dir(Arc<File>),
}

impl Place {
    /// The place of a descriptor. `None` is one that is read-only, where the library refuses to write by itself; a
    /// writable one from nowhere we know is refused.
    pub(super) fn of(descriptor: &Descriptor, files: &SpaceFiles) -> io::Result<Option<Self>> {
        let (perms, handle) = match descriptor {
            Descriptor::File(file) => (file.perms, Handle::File(file.file.clone())),
            Descriptor::Dir(dir) => (dir.perms, Handle::Dir(dir.dir.clone())),
        };
        if perms.write_not_permitted() {
            return Ok(None);
        }
        let mount = Mount::of(descriptor).ok_or(Errno::PERM)?;
        let quota = files.quota(mount).ok_or(Errno::PERM)?.clone();
        Ok(Some(Self { quota, mount, handle }))
    }

    /// The open file, if it is one.
    pub(super) fn file(&self) -> Option<&Arc<File>> {
        match &self.handle {
            Handle::File(file) => Some(file),
            Handle::Dir(_) => None,
        }
    }

    fn dir(&self) -> Option<&Arc<File>> {
        match &self.handle {
            Handle::Dir(dir) => Some(dir),
            Handle::File(_) => None,
        }
    }

    /// Takes in what was opened through this descriptor.
    pub(super) fn adopt(&self, opened: &mut Descriptor) {
        self.mount.mark(opened);
        if let Descriptor::File(file) = opened {
            self.quota.opened(&file.file);
        }
    }

    /// Makes a directory. `None` where there is no name to give it: the library knows what to say then.
    pub(super) async fn make_directory(&self, path: &str) -> io::Result<Option<()>> {
        let Some(dir) = self.dir() else { return Ok(None) };
        let permit = self.quota.enter(Usage::entry(0)).await?;
        let made = Spot::find(dir, path).and_then(|spot| {
            let Some(spot) = spot else { return Ok(None) };
            spot.level(&self.quota)?;
            spot.make_directory().map(Some)
        });
        match made {
            Ok(Some(())) => permit.settle(Ok(Some(()))),
            not_made => permit.give_back(not_made),
        }
    }

    /// Removes a directory, which some file systems take milliseconds for: never on a thread that others wait for. `None`
    /// where there is no name to remove: the library knows what to say then.
    pub(super) async fn remove_directory(&self, path: &str) -> io::Result<Option<()>> {
        let Some(dir) = self.dir() else { return Ok(None) };
        let Some(spot) = Spot::find(dir, path)? else { return Ok(None) };
        tokio::task::spawn_blocking(move || spot.remove_directory()).await.map_err(io::Error::other)??;
        self.quota.freed();
        Ok(Some(()))
    }

    /// Moves a directory, or has the mount stand still for whatever else is to be moved: nothing may come in below a
    /// directory between the look into it and its move.
    pub(super) async fn rename(&self, path: &str, to: &Self, to_path: &str) -> io::Result<Option<Exclusive>> {
        let exclusive = self.quota.exclusive().await;
        self.quota.freed();
        let (Some(dir), Some(to_dir)) = (self.dir(), to.dir()) else { return Ok(Some(exclusive)) };
        let (Some(from), Some(to)) = (Spot::find(dir, path)?, Spot::find(to_dir, to_path)?) else {
            return Ok(Some(exclusive));
        };
        if !from.is_directory()? {
            return Ok(Some(exclusive));
        }
        let level = to.level(&self.quota)?;
        // Looked into only when it gets deeper than it was.
        if level > from.level(&self.quota)? {
            let moved = from.open()?;
            exclusive.paced().await;
            let height = exclusive.walk(move |_| measure::height(Dir::from_std_file(moved), depth::MAX)).await?;
            if level + height > depth::MAX {
                return Err(depth::too_deep());
            }
        }
        from.rename_to(&to)?;
        Ok(None)
    }
}

/// Whether nothing would leave its mount. Where one of the two is read-only the library refuses.
pub(super) fn same_mount(from: Option<&Place>, to: Option<&Place>) -> bool {
    match (from, to) {
        (Some(from), Some(to)) => from.mount == to.mount,
        _ => true,
    }
}
