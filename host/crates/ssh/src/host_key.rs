//! The key by which clients recognise this host: made at the first start, and kept for ever, since a client that has seen
//! one key refuses another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, PrivateKey};
use spaceport_core::ssh::Fingerprint;
use zeroize::Zeroizing;

/// Name of its file in the directory of keys, as OpenSSH names its own: a host that moves can bring its key.
pub const HOST_KEY_FILE: &str = "ssh_host_ed25519_key";
/// Permission bits by which anybody but the owner could reach the key.
const OTHERS: u32 = 0o077;
/// More than a key's text can be, so that a wrong file is not read whole.
const MAX_FILE: u64 = 8 << 10;
/// Bytes from which an Ed25519 key is made.
const SEED: usize = 32;

/// The host's key.
#[derive(Clone)]
pub struct HostKey {
    key: PrivateKey,
    text: String,
    fingerprint: Fingerprint,
}

/// The host's key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The file cannot be read or written.
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
    /// The file does not hold a key that can be used.
    #[error("{} does not hold an Ed25519 key without a passphrase, in the form of OpenSSH", .0.display())]
    Malformed(PathBuf),
}

impl HostKey {
    /// Reads the key in this directory, or makes one if there is none.
    pub fn open(dir: &Path) -> Result<Self, HostKeyError> {
        let path = dir.join(HOST_KEY_FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(dir, &path).map_err(failed("create", &path))?;
                // Read back what is there: another process may have been first.
                File::open(&path)
            }
            other => other,
        };
        read(file.map_err(failed("open", &path))?, &path)
    }

    /// The public half, as it stands in a `known_hosts` file behind the host's name.
    pub fn public(&self) -> &str {
        &self.text
    }

    /// What a client shows when it asks whether this is the right host.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(crate) fn private(&self) -> PrivateKey {
        self.key.clone()
    }
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostKey({})", self.fingerprint)
    }
}

fn read(file: File, path: &Path) -> Result<HostKey, HostKeyError> {
    let mode = file.metadata().map_err(failed("examine", path))?.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(HostKeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed("read", path))?;
    let malformed = || HostKeyError::Malformed(path.to_owned());
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| malformed())?;
    if key.is_encrypted() || key.algorithm() != Algorithm::Ed25519 {
        return Err(malformed());
    }
    let bytes = key.public_key().to_bytes().map_err(|_| malformed())?;
    let public = key.public_key().to_openssh().map_err(|_| malformed())?;
    let words: Vec<&str> = public.split(' ').take(2).collect();
    Ok(HostKey { text: words.join(" "), fingerprint: Fingerprint::of(&bytes), key })
}

fn create(dir: &Path, path: &Path) -> io::Result<()> {
    let mut seed = Zeroizing::new([0; SEED]);
    rand::rngs::OsRng.try_fill_bytes(seed.as_mut_slice()).map_err(io::Error::other)?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let aside = dir.join(format!(".{HOST_KEY_FILE}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // A link, unlike a rename, never replaces a key that another process has put there meanwhile.
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&aside)?;
    linked?;
    File::open(dir)?.sync_all()
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HostKeyError {
    let path = path.to_owned();
    move |source| HostKeyError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_keeps_its_key_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let first = HostKey::open(dir.path()).unwrap();
        let again = HostKey::open(dir.path()).unwrap();
        assert_eq!((first.public(), first.fingerprint()), (again.public(), again.fingerprint()));
        let mode = fs::metadata(dir.path().join(HOST_KEY_FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(HostKey::open(other.path()).unwrap().fingerprint(), first.fingerprint());
        let shown = format!("{first:?}");
        assert!(shown.starts_with("HostKey(SHA256:") && shown.len() < 70, "{shown}");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        HostKey::open(dir.path()).unwrap();
        let file = dir.path().join(HOST_KEY_FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = HostKey::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "no key").unwrap();
        assert!(matches!(HostKey::open(dir.path()), Err(HostKeyError::Malformed(_))));
        assert!(matches!(HostKey::open(&dir.path().join("absent")), Err(HostKeyError::Io { action: "create", .. })));
    }
}
