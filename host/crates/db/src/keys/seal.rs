//! Sealing secrets: XChaCha20-Poly1305 with a random nonce, bound to the Space, the name and what the value is.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use spaceport_core::id::SpaceId;
use zeroize::Zeroizing;

use crate::keys::{KEY_ID_BYTES, KeyStore};
use crate::record::{Record, RecordError, unknown_version};

/// Bytes of an XChaCha20 nonce: long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// What a sealed value is, so that a value of another kind never opens as a secret.
const KIND: &[u8] = b"space secret";

/// A secret as it is stored: the key's id, the nonce and the ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

/// A secret in the clear; overwritten in memory when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

/// A sealed secret does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It was sealed under another master key.
    #[error("the secret was sealed with another master key")]
    WrongKey,
    /// It was changed, or belongs to another Space or name.
    #[error("the secret cannot be decrypted: it was damaged or moved")]
    Damaged,
}

impl KeyStore {
    /// Seals the value of a Space's secret.
    pub fn seal_secret(&self, space: SpaceId, name: &str, value: &str) -> SealedSecret {
        let mut nonce = [0; NONCE_BYTES];
        rand::rngs::OsRng
            .try_fill_bytes(&mut nonce)
            .expect("the operating system gives random bytes once it has booted");
        let aad = binding(space, name);
        let ciphertext = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: value.as_bytes(), aad: &aad })
            .expect("encryption fails for messages of 256 GiB and more only");
        let mut sealed = self.id_bytes().to_vec();
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        SealedSecret(sealed)
    }

    /// Opens the value that was sealed for this Space and name.
    pub fn open_secret(&self, space: SpaceId, name: &str, sealed: &SealedSecret) -> Result<SecretValue, UnsealError> {
        let (key_id, rest) = sealed.0.split_at_checked(KEY_ID_BYTES).ok_or(UnsealError::Damaged)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(UnsealError::Damaged)?;
        if key_id != self.id_bytes() {
            return Err(UnsealError::WrongKey);
        }
        let aad = binding(space, name);
        let plain = self
            .cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: &aad })
            .map_err(|_| UnsealError::Damaged)?;
        let text = String::from_utf8(plain).expect("what was sealed as text and has passed its seal is that text");
        Ok(SecretValue(Zeroizing::new(text)))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.derive("space secrets").as_bytes().into())
    }
}

/// What the ciphertext is bound to. Space id and kind have fixed lengths and the version one byte, so the name, last,
/// needs no delimiter.
fn binding(space: SpaceId, name: &str) -> Vec<u8> {
    let mut aad = space.as_bytes().to_vec();
    aad.extend_from_slice(KIND);
    aad.push(SealedSecret::VERSION);
    aad.extend_from_slice(name.as_bytes());
    aad
}

impl Record for SealedSecret {
    const VERSION: u8 = 1;

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0);
    }

    fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        match version {
            1 => Ok(Self(bytes.to_vec())),
            newer => Err(unknown_version(newer)),
        }
    }
}

impl SecretValue {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
