//! A `/tmp` for one request.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;

use super::quota::Quota;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory below the Space's `/tmp` that is removed with everything in it when this is dropped. To be dropped after
/// the store of its instance.
pub struct Scratch {
    path: PathBuf,
    quota: Arc<Quota>,
}

impl Scratch {
    pub(super) fn create(tmp: &Path, quota: Arc<Quota>) -> io::Result<Self> {
        let path = tmp.join(format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&path)?;
        Ok(Self { path, quota })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (path, removal) = (std::mem::take(&mut self.path), self.quota.removing());
        let remove = move || {
            let _removal = removal;
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(path = %path.display(), %error, "a request's directory was not removed");
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
