//! The file system of a Space: `/app` read-only, `/tmp`, and `/data` with a storage tier, each writable one under a quota
//! of bytes and of entries that all instances of the Space share.
//!
//! Resolving paths is left to wasmtime-wasi, which never leaves the directory a descriptor was opened from. What it does
//! not know is how much a guest may write: [`p2`] and [`p3`] therefore take the place of every function that creates,
//! grows or moves a file, ask the mount's [`quota`] first and then call the function they replaced.
//!
//! Which mount a descriptor belongs to stands in the descriptor itself ([`mark`]): a preopen is marked as it is handed
//! to the guest, and whatever is opened through a marked directory is marked the same. Nothing moves between mounts, by
//! rename or by hard link, so the mark stays true; a writable descriptor without one is refused.
//!
//! Invariant: the space a mount takes on disk is never more than its quota has accounted for.
//!
//! Directories are no deeper than [`depth::MAX`], so that whoever counts, copies or deletes a Space's files on the host
//! needs neither a deep stack nor many open files.

mod depth;
mod mark;
mod measure;
mod opened;
mod p2;
mod p2_stream;
mod p3;
mod p3_stream;
mod place;
mod quota;
mod scratch;
mod syncing;
#[cfg(test)]
mod tests;
mod usage;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiView};

pub use scratch::Scratch;
pub use usage::Usage;

use mark::Mount;
use opened::Opened;
use quota::Quota;
use scratch::Spares;
use syncing::Syncing;

/// The store data of a guest that has files.
pub trait FilesView: WasiView {
    /// Its Space's files.
    fn files(&self) -> &Arc<SpaceFiles>;
    /// Holds so many bytes of memory, in all, for listings that the guest reads. Says whether there are so many.
    fn hold_listings(&mut self, bytes: u64) -> bool;
}

/// The writable directories of a Space and what is accounted for in them.
pub struct SpaceFiles {
    tmp: Writable,
    data: Option<Writable>,
    syncing: Syncing,
    opened: Opened,
    spares: Arc<Spares>,
}

struct Writable {
    path: PathBuf,
    quota: Arc<Quota>,
}

impl SpaceFiles {
    /// For directories that exist. Counts what is in them, which reads every directory below: call it where a thread
    /// may block.
    pub fn new(tmp: PathBuf, tmp_limit: u64, data: Option<(PathBuf, u64)>, inodes: u64) -> io::Result<Arc<Self>> {
        let writable = |path: PathBuf, bytes: u64| {
            let quota = Quota::open(&path, Usage { bytes, entries: inodes })?;
            Ok::<_, io::Error>(Writable { path, quota })
        };
        let tmp = writable(tmp, tmp_limit)?;
        let data = data.map(|(path, limit)| writable(path, limit)).transpose()?;
        Ok(Arc::new(Self { tmp, data, syncing: Syncing::new(), opened: Opened::default(), spares: Arc::default() }))
    }

    /// Gives an instance its directories: `app` at `/app`, and the Space's own at `/tmp` and `/data`.
    pub fn preopen(&self, wasi: &mut WasiCtxBuilder, app: &Path) -> wasmtime::Result<()> {
        self.preopen_with_tmp(wasi, app, &self.tmp.path)
    }

    /// The same for an instance that lives for one request: its `/tmp` is its own, empty, and gone with the [`Scratch`].
    pub fn preopen_fresh(&self, wasi: &mut WasiCtxBuilder, app: &Path) -> wasmtime::Result<Scratch> {
        let scratch = Scratch::take(&self.tmp.path, self.tmp.quota.clone(), self.spares.clone())?;
        self.preopen_with_tmp(wasi, app, scratch.path())?;
        Ok(scratch)
    }

    fn preopen_with_tmp(&self, wasi: &mut WasiCtxBuilder, app: &Path, tmp: &Path) -> wasmtime::Result<()> {
        wasi.preopened_dir(app, "/app", FsPerms::ReadOnly)?;
        wasi.preopened_dir(tmp, Mount::Tmp.guest_path(), FsPerms::ReadWrite)?;
        if let Some(data) = &self.data {
            wasi.preopened_dir(&data.path, Mount::Data.guest_path(), FsPerms::ReadWrite)?;
        }
        Ok(())
    }

    /// What is accounted for in `/tmp`.
    pub fn tmp_usage(&self) -> Usage {
        self.tmp.quota.used()
    }

    /// What is accounted for in `/data`, with a storage tier.
    pub fn data_usage(&self) -> Option<Usage> {
        self.data.as_ref().map(|data| data.quota.used())
    }

    fn quota(&self, mount: Mount) -> Option<&Arc<Quota>> {
        match mount {
            Mount::Tmp => Some(&self.tmp.quota),
            Mount::Data => self.data.as_ref().map(|data| &data.quota),
        }
    }
}

/// Puts the counting functions in the place of wasmtime-wasi's own, in a linker that has those of 0.2 and 0.3 already.
///
/// Fails where a function to be replaced is not there under the very name and version: then the one that guests would
/// be linked to could write past every quota.
pub fn add_to_linker<T: FilesView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    p2::add_to_linker(linker)?;
    p3::add_to_linker(linker)
}

/// Why files cannot be offered on this machine.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The kernel call that keeps a path below its directory is missing or blocked; what would stand in for it has
    /// let guests out before.
    #[error(
        "the openat2 system call does not work here ({0}): Linux 5.6 or newer is needed, and a sandbox around the host must permit it"
    )]
    NoOpenat2(#[source] io::Error),
}

/// Whether this machine can keep guests in their directories: to be asked once, at start.
pub fn verify() -> Result<(), FilesError> {
    depth::probe_openat2().map_err(FilesError::NoOpenat2)
}
