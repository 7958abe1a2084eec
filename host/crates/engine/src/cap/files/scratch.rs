//! A `/tmp` for one request.
//!
//! Making and removing a directory takes some file systems milliseconds, and longer where many do it at once in the same
//! parent. So a directory that is done with is emptied, off the threads that serve, and given to a later request.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::quota::Quota;

/// Empty directories that a Space keeps: as many as its instances at once.
const SPARES: usize = 64;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Empty directories below a Space's `/tmp`.
#[derive(Default)]
pub(super) struct Spares(Mutex<Vec<PathBuf>>);

/// A directory below the Space's `/tmp` that is emptied when this is dropped. To be dropped after the store of its
/// instance.
pub struct Scratch {
    path: PathBuf,
    quota: Arc<Quota>,
    spares: Arc<Spares>,
}

impl Scratch {
    pub(super) fn take(tmp: &Path, quota: Arc<Quota>, spares: Arc<Spares>) -> io::Result<Self> {
        let spare = spares.0.lock().pop();
        let path = match spare {
            Some(path) => path,
            None => {
                let path = tmp.join(format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
                fs::create_dir(&path)?;
                path
            }
        };
        Ok(Self { path, quota, spares })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (path, removal) = (std::mem::take(&mut self.path), self.quota.removing());
        let spares = self.spares.clone();
        let give_back = move || {
            let _removal = removal;
            if let Err(error) = spares.take_back(&path) {
                tracing::warn!(path = %path.display(), %error, "a request's directory was not emptied");
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(give_back)),
            Err(_) => give_back(),
        }
    }
}

impl Spares {
    fn take_back(&self, path: &Path) -> io::Result<()> {
        if self.0.lock().len() >= SPARES {
            return fs::remove_dir_all(path);
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
        self.0.lock().push(path.to_owned());
        Ok(())
    }
}
