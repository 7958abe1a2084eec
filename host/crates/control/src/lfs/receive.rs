//! A large file sent in one piece: written and hashed while it comes, a content once all of it has come.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use cap_std::fs::{File, OpenOptions};
use sha2::{Digest, Sha256};
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::{LfsError, LfsStore, Shared, TMP, failed};

/// Bytes handed on at once.
const PIECE: usize = 256 << 10;
/// Pieces that wait for the disk.
const WAITING: usize = 4;
/// Bytes after which an upload looks again whether the disk has room: what is beside it writes, too.
const RECHECK: u64 = 16 << 20;

/// Takes the pieces as they come.
pub(super) trait Sink: Send + 'static {
    /// What it has to say in the end.
    type Done: Send + 'static;

    /// Takes the next piece.
    fn take(&mut self, piece: &[u8]) -> io::Result<()>;

    /// All has come.
    fn finish(self) -> io::Result<Self::Done>;
}

/// A file that goes unless it is kept.
pub(super) struct Unfinished {
    shared: Arc<Shared>,
    pub(super) name: String,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After it was kept there is nothing of this name.
        let _ = self.shared.dir.remove_file(&self.name);
    }
}

struct Hashing {
    file: File,
    hash: Sha256,
}

impl Sink for Hashing {
    type Done = LfsOid;

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hash.update(piece);
        self.file.write_all(piece)
    }

    fn finish(self) -> io::Result<LfsOid> {
        seal(&self.file)?;
        Ok(LfsOid::from_bytes(self.hash.finalize().into()))
    }
}

/// Makes a file one that is not written any more, and puts it on the medium.
pub(super) fn seal(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)?;
    file.sync_all()
}

impl LfsStore {
    /// Takes a whole content. When it returns the Space has the file, durably; else nothing has changed.
    pub(crate) async fn receive(
        &self,
        space: SpaceId,
        oid: LfsOid,
        size: u64,
        input: impl AsyncRead + Unpin,
    ) -> Result<(), LfsError> {
        let _turn = self.upload_turn().await?;
        self.admit(space, oid, size).await?;
        let name = format!("{TMP}/{}", self.shared.next.fetch_add(1, Ordering::Relaxed));
        let unfinished = Unfinished { shared: self.shared.clone(), name: name.clone() };
        let file = self.blocking("write a large file", move |shared| {
            shared.dir.open_with(name, OpenOptions::new().write(true).create_new(true))
        });
        let sink = Hashing { file: file.await?, hash: Sha256::new() };
        let found = self.write(sink, size, input).await?;
        if found != oid {
            return Err(LfsError::Mismatch(format!("its SHA-256 is {found}")));
        }
        self.keep(unfinished.name.clone(), space, oid, size).await
    }

    /// Writes exactly so many bytes, on a thread that may wait for the disk.
    pub(super) async fn write<S: Sink>(
        &self,
        mut sink: S,
        size: u64,
        mut input: impl AsyncRead + Unpin,
    ) -> Result<S::Done, LfsError> {
        let attempt = "write a large file";
        let (pieces, mut received) = mpsc::channel::<Bytes>(WAITING);
        let shared = self.shared.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let (mut left, mut unchecked) = (size, 0);
            while let Some(piece) = received.blocking_recv() {
                left = left.saturating_sub(piece.len() as u64);
                unchecked += piece.len() as u64;
                if unchecked >= RECHECK {
                    unchecked = 0;
                    if (shared.room)()? == 0 {
                        return Err(io::ErrorKind::StorageFull.into());
                    }
                }
                sink.take(&piece)?;
            }
            // Whoever sends breaks off by sending too little.
            if left == 0 { sink.finish().map(Some) } else { Ok(None) }
        });
        let sent = send(&mut input, size, &pieces).await;
        drop(pieces);
        let written = writing.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        let done = written.map_err(failed(attempt))?;
        sent?;
        done.ok_or(LfsError::NoUpload)
    }
}

async fn send(input: &mut (impl AsyncRead + Unpin), size: u64, pieces: &mpsc::Sender<Bytes>) -> Result<(), LfsError> {
    let mut left = size;
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        while piece.len() < PIECE {
            if input.read_buf(&mut piece).await.map_err(LfsError::BrokenOff)? == 0 {
                break;
            }
        }
        if piece.is_empty() {
            break;
        }
        let rest = left.checked_sub(piece.len() as u64);
        left = rest.ok_or_else(|| LfsError::Mismatch(format!("it has more than {size} bytes")))?;
        if pieces.send(piece.freeze()).await.is_err() {
            // The disk said no; the writer tells.
            return Ok(());
        }
    }
    if left == 0 { Ok(()) } else { Err(LfsError::Mismatch(format!("it has {} bytes, not {size}", size - left))) }
}
