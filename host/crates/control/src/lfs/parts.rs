//! A large file sent in parts, each of which can be sent again: written in their places in one file, which is hashed as a
//! whole when the sender says that all are there. What that hash says is all that counts; parts themselves prove nothing.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use cap_std::fs::{File, OpenOptions};
use sha2::{Digest, Sha256};
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use tokio::io::AsyncRead;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::receive::{Sink, seal};
use super::{LfsError, LfsStore, PARTS};

/// Bytes of every part but the last: what is sent again when a connection breaks.
pub const PART: u64 = 64 << 20;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;

struct Part {
    file: File,
    checksum: crc32fast::Hasher,
    /// Until the last byte is written, whatever becomes of the request that sent it: nobody may put the file together while
    /// somebody can still write in it.
    _writing: OwnedRwLockReadGuard<()>,
}

impl Sink for Part {
    type Done = u32;

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.checksum.update(piece);
        self.file.write_all(piece)
    }

    fn finish(self) -> io::Result<u32> {
        Ok(self.checksum.finalize())
    }
}

impl LfsStore {
    /// Takes a part, counted from 0; its checksum.
    pub(crate) async fn receive_part(
        &self,
        (space, oid, size): (SpaceId, LfsOid, u64),
        number: u64,
        input: impl AsyncRead + Unpin,
    ) -> Result<u32, LfsError> {
        let start = number.checked_mul(PART).filter(|start| *start < size).ok_or(LfsError::NoUpload)?;
        let _turn = self.upload_turn().await?;
        self.admit(space, oid, size).await?;
        let name = name(space, oid);
        let writing = self.lock(&name).read_owned().await;
        let file = self.blocking("write a part of a large file", move |shared| {
            let mut file = shared.dir.open_with(name, OpenOptions::new().write(true).create(true))?;
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        });
        let sink = Part { file: file.await?, checksum: crc32fast::Hasher::new(), _writing: writing };
        self.write(sink, (size - start).min(PART), input).await
    }

    /// Puts the parts together. When it returns the Space has the file, durably; else the parts stay, to be mended.
    pub(crate) async fn complete(&self, space: SpaceId, oid: LfsOid, size: u64) -> Result<(), LfsError> {
        let store = self.clone();
        // By itself, so that the lock is held to the end even if whoever asked has left.
        let done = tokio::spawn(async move { store.put_together(space, oid, size).await });
        done.await.unwrap_or_else(|panicked| {
            Err(LfsError::Files { attempt: "put a large file together", source: io::Error::other(panicked) })
        })
    }

    async fn put_together(&self, space: SpaceId, oid: LfsOid, size: u64) -> Result<(), LfsError> {
        let name = name(space, oid);
        let _alone = self.lock(&name).write_owned().await;
        // Sent again, because the answer was lost.
        if self.find(space, oid)?.is_some_and(|link| link.size == size) {
            return Ok(());
        }
        let _turn = self.upload_turn().await?;
        self.admit(space, oid, size).await?;
        let place = name.clone();
        let found = self.blocking("put a large file together", move |shared| {
            let mut file = match shared.dir.open(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            let found = hash(&mut file)?;
            if found == (oid, size) {
                seal(&file)?;
            }
            Ok(Some(found))
        });
        let (found, length) = found.await?.ok_or(LfsError::NoUpload)?;
        if length != size {
            return Err(LfsError::Mismatch(format!("its parts have {length} bytes, not {size}")));
        }
        if found != oid {
            return Err(LfsError::Mismatch(format!("its SHA-256 is {found}")));
        }
        self.keep(name, space, oid, size).await
    }

    /// The bytes that have come of every upload of a Space that is not put together yet.
    pub(super) async fn unfinished(&self, space: SpaceId) -> Result<HashMap<LfsOid, u64>, LfsError> {
        self.blocking("list the parts of large files", move |shared| {
            let mut found = HashMap::new();
            for entry in shared.dir.read_dir(PARTS)? {
                let entry = entry?;
                let name = entry.file_name();
                let oid = name.to_str().and_then(|name| name.split_once('-')).filter(|(of, _)| of.parse() == Ok(space));
                let Some(oid) = oid.and_then(|(_, oid)| oid.parse().ok()) else { continue };
                match entry.metadata() {
                    Ok(part) => drop(found.insert(oid, part.len())),
                    // Put together or dropped at this moment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(found)
        })
        .await
    }

    /// The lock of an upload. It is forgotten when nobody holds it.
    pub(super) fn lock(&self, name: &str) -> Arc<RwLock<()>> {
        let mut locks = self.shared.in_parts.lock();
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(name.to_owned()).or_default())
    }
}

fn name(space: SpaceId, oid: LfsOid) -> String {
    format!("{PARTS}/{space}-{oid}")
}

/// Hash and length of a file.
fn hash(file: &mut File) -> io::Result<(LfsOid, u64)> {
    let mut hash = Sha256::new();
    let mut length = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        length += read as u64;
    }
    Ok((LfsOid::from_bytes(hash.finalize().into()), length))
}
