//! The master key of a data directory, and what is sealed under it.
//!
//! One random key in one file that only its owner may read. It never encrypts anything itself: every purpose has a key
//! derived from it, so that what leaks or wears out in one place says nothing about another. Secrets are bound to their
//! Space and name; moved to another row they do not open.

mod file;
mod seal;
mod signing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

pub use seal::{SealedSecret, SecretValue, UnsealError};
pub use signing::{SIGNING_KEY_FILE, SigningKey};

/// Bytes of the master key and of every derived key.
pub const KEY_BYTES: usize = 32;
/// Name of the master key's file in the directory of keys.
pub const MASTER_KEY_FILE: &str = "master.key";
/// Bytes by which a key is told from others without giving anything of it away.
const KEY_ID_BYTES: usize = 8;

/// The master key, ready to derive from. Clones share one copy in memory, which is overwritten when the last one goes.
#[derive(Clone)]
pub struct KeyStore {
    master: Arc<Zeroizing<[u8; KEY_BYTES]>>,
    /// Where other keys are.
    dir: Arc<Path>,
}

/// A key for one purpose; overwritten in memory when dropped.
#[derive(Clone)]
pub struct Subkey(Zeroizing<[u8; KEY_BYTES]>);

/// The master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file or its directory cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Others could read the key.
    #[error("{} can be read by others (mode {mode:04o}): run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("{} does not hold a master key: 64 hexadecimal digits on one line", .0.display())]
    Malformed(PathBuf),
    /// The file does not hold a key to sign with.
    #[error("{} does not hold the key that signs sign-ins: put back the file as it was, or remove it and everybody signs in again", .0.display())]
    MalformedSigningKey(PathBuf),
}

impl KeyStore {
    /// Reads `master.key` in this directory, or creates directory and key if there is none.
    pub fn open(dir: &Path) -> Result<Self, KeyError> {
        Ok(Self { master: Arc::new(file::master(dir)?), dir: dir.into() })
    }

    /// The text of another key's file in the same directory, which is made if there is none: by whoever knows what is in it.
    pub fn key_file(
        &self,
        name: &str,
        make: impl FnOnce() -> io::Result<Zeroizing<String>>,
    ) -> Result<Zeroizing<String>, KeyError> {
        file::read_or_create(&self.dir, name, make)
    }

    /// Where the keys are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells this master key from others; safe to store and print.
    pub fn id(&self) -> String {
        self.id_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key under which the engine seals compiled artifacts.
    pub fn artifact_key(&self) -> Subkey {
        self.derive("artifact seal")
    }

    /// A key for this purpose: the same for the same words, unrelated for any others.
    pub fn derive(&self, purpose: &str) -> Subkey {
        let context = format!("spaceport 2026-11 {purpose}");
        Subkey(Zeroizing::new(blake3::derive_key(&context, self.master.as_slice())))
    }

    fn id_bytes(&self) -> [u8; KEY_ID_BYTES] {
        let derived = self.derive("key id");
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&derived.as_bytes()[..KEY_ID_BYTES]);
        id
    }
}

impl Subkey {
    /// The key itself.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyStore(***)")
    }
}

impl fmt::Debug for Subkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subkey(***)")
    }
}
