//! Flushing a file to disk takes as long as the disk does: never on a thread that others are waiting for, and for one
//! Space once at a time.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime_wasi::filesystem::Descriptor;

use super::depth;

/// What is flushed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flush {
    Data,
    All,
}

/// A Space's turn to flush.
pub(super) struct Syncing(Semaphore);

impl Syncing {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(1))
    }

    pub(super) async fn flush(&self, descriptor: Descriptor, what: Flush) -> io::Result<()> {
        let _turn = self.0.acquire().await.map_err(io::Error::other)?;
        let flush = move || {
            let file = match descriptor {
                Descriptor::File(file) => file.file,
                // What a directory is passed through by cannot be flushed itself.
                Descriptor::Dir(dir) => Arc::new(depth::open_to_list(&dir.dir)?),
            };
            match what {
                Flush::Data => file.sync_data(),
                Flush::All => file.sync_all(),
            }
        };
        spawn_blocking(flush).await.map_err(io::Error::other)?
    }
}
