//! The key by which clients recognise this host: made at the first start, and kept for ever, since a client that has seen
//! one key refuses another. Here it is a text; its file is the affair of whoever keeps the host's keys.

use std::io;

use rand::TryRngCore;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, PrivateKey};
use spaceport_core::ssh::Fingerprint;
use zeroize::Zeroizing;

/// Name of its file among the keys, as OpenSSH names its own: a host that moves can bring its key.
pub const HOST_KEY_FILE: &str = "ssh_host_ed25519_key";
/// Bytes from which an Ed25519 key is made.
const SEED: usize = 32;

/// The host's key.
#[derive(Clone)]
pub struct HostKey {
    key: PrivateKey,
    text: String,
    fingerprint: Fingerprint,
}

/// A text is no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not hold an Ed25519 key without a passphrase, in the form of OpenSSH")]
pub struct InvalidHostKey;

impl HostKey {
    /// The text of a new key.
    pub fn generate() -> io::Result<Zeroizing<String>> {
        let mut seed = Zeroizing::new([0; SEED]);
        rand::rngs::OsRng.try_fill_bytes(seed.as_mut_slice()).map_err(io::Error::other)?;
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        key.to_openssh(LineEnding::LF).map_err(io::Error::other)
    }

    /// Reads the text of a key.
    pub fn parse(text: &str) -> Result<Self, InvalidHostKey> {
        let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| InvalidHostKey)?;
        if key.is_encrypted() || key.algorithm() != Algorithm::Ed25519 {
            return Err(InvalidHostKey);
        }
        let bytes = key.public_key().to_bytes().map_err(|_| InvalidHostKey)?;
        let public = key.public_key().to_openssh().map_err(|_| InvalidHostKey)?;
        let words: Vec<&str> = public.split(' ').take(2).collect();
        Ok(Self { text: words.join(" "), fingerprint: Fingerprint::of(&bytes), key })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_another_and_reads_back() {
        let text = HostKey::generate().unwrap();
        let (first, again) = (HostKey::parse(&text).unwrap(), HostKey::parse(&text).unwrap());
        assert_eq!((first.public(), first.fingerprint()), (again.public(), again.fingerprint()));
        let other = HostKey::parse(&HostKey::generate().unwrap()).unwrap();
        assert_ne!(other.fingerprint(), first.fingerprint());
        let shown = format!("{first:?}");
        assert!(shown.starts_with("HostKey(SHA256:") && shown.len() < 70, "{shown}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let text = HostKey::generate().unwrap();
        for damaged in ["", "no key", &text[..text.len() / 2]] {
            assert_eq!(HostKey::parse(damaged).unwrap_err(), InvalidHostKey, "{damaged}");
        }
    }
}
