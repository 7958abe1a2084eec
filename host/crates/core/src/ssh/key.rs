//! A user's public key, as `ssh-keygen` writes it: which kinds are taken, and what is wrong with a text that is none.
//!
//! Invariant: a [`PublicKey`] is in the one form in which its parts can be written, so that two texts of the same key
//! have the same [`Fingerprint`], and it is that of the key as a client presents it.

use std::fmt;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Longest text that is looked at: an RSA key of the largest size, with a comment.
pub const MAX_KEY_TEXT: usize = 8 << 10;
/// Shortest RSA modulus in bits: below this one it can be factored by those who have the means.
const MIN_RSA: usize = 2048;
/// Longest: nothing is gained beyond it, and each sign-in costs the host more.
const MAX_RSA: usize = 8192;
/// Bytes of an Ed25519 key.
const ED25519: usize = 32;
/// How a point on a curve begins that is written with both coordinates.
const UNCOMPRESSED: u8 = 4;
/// Longest name of what a hardware key signs for; clients write `ssh:`.
const MAX_APPLICATION: usize = 255;
/// Longest comment that is kept as a title.
const MAX_COMMENT: usize = 100;

/// What is taken, for whoever has brought something else.
const TAKEN: &str = "ssh-ed25519, ecdsa-sha2-nistp256, -nistp384 and -nistp521, ssh-rsa of 2048 bits or more, and the \
                     hardware keys sk-ssh-ed25519@openssh.com and sk-ecdsa-sha2-nistp256@openssh.com";

/// The SHA-256 of a public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
    /// `ecdsa-sha2-nistp384`.
    EcdsaP384,
    /// `ecdsa-sha2-nistp521`.
    EcdsaP521,
    /// `ssh-rsa`; signatures by SHA-2 only.
    Rsa,
    /// An Ed25519 key that never leaves its hardware.
    HardwareEd25519,
    /// The same on the curve P-256.
    HardwareEcdsaP256,
}

/// A user's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    bytes: Vec<u8>,
    comment: String,
}

/// What is wrong with a text that is to be a public key; the message says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing there.
    #[error("The key is empty: paste the content of a .pub file, such as ~/.ssh/id_ed25519.pub")]
    Empty,
    /// The half that nobody but its owner may have.
    #[error(
        "This is a private key, which nobody else may have: paste the .pub file beside it instead, and make a new pair if \
         this one was sent to anybody"
    )]
    Private,
    /// Longer than any key.
    #[error("A public key has at most {MAX_KEY_TEXT} bytes")]
    TooLong,
    /// Several lines.
    #[error("A public key is one line: add one key at a time, without line breaks in it")]
    SeveralLines,
    /// A certificate.
    #[error("This is a certificate: add the public key that it was made for")]
    Certificate,
    /// Not the beginning of a key.
    #[error("A public key begins with its type, such as \"ssh-ed25519 AAAA…\": this host takes {TAKEN}")]
    NoType,
    /// A kind that is not taken.
    #[error("Keys of the type {0:?} are not taken: this host takes {TAKEN}")]
    Kind(String),
    /// What follows the type is not one.
    #[error("The key after {0:?} is damaged: copy the whole line of the .pub file")]
    Damaged(&'static str),
    /// RSA of a size that is not taken.
    #[error(
        "An RSA key of {0} bits is not taken: make one with {MIN_RSA} to {MAX_RSA} bits, or better `ssh-keygen -t ed25519`"
    )]
    RsaSize(usize),
}

impl KeyKind {
    const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa,
        Self::HardwareEd25519,
        Self::HardwareEcdsaP256,
    ];

    /// The name by which clients know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::EcdsaP521 => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
            Self::HardwareEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::HardwareEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl PublicKey {
    /// Reads a line of a `.pub` file: type, key, and a comment, if there is one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > MAX_KEY_TEXT {
            return Err(KeyError::TooLong);
        }
        if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
            return Err(KeyError::Private);
        }
        if text.starts_with("---- BEGIN SSH2") {
            return Err(KeyError::NoType);
        }
        if text.contains(['\n', '\r']) {
            return Err(KeyError::SeveralLines);
        }
        let mut words = text.splitn(3, [' ', '\t']);
        let name = words.next().unwrap_or_default();
        if name.contains("-cert-v") {
            return Err(KeyError::Certificate);
        }
        if !name.contains('-') || name.contains(['=', '"', ',']) {
            return Err(KeyError::NoType);
        }
        let kind = KeyKind::from_name(name).ok_or_else(|| KeyError::Kind(name.chars().take(60).collect()))?;
        let damaged = KeyError::Damaged(kind.as_str());
        let encoded = words.next().unwrap_or_default();
        let Ok(bytes) = BASE64_STANDARD.decode(encoded) else { return Err(damaged) };
        let comment = words.next().unwrap_or_default().trim();
        let comment = comment.chars().filter(|letter| !letter.is_control()).take(MAX_COMMENT).collect();
        let mut fields = Fields(&bytes);
        if fields.next() != Some(name.as_bytes()) {
            return Err(damaged);
        }
        match is_whole(kind, fields) {
            Some(Ok(())) => Ok(Self { kind, bytes, comment }),
            Some(Err(error)) => Err(error),
            None => Err(damaged),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// What whoever made it calls it; may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// What tells it from every other.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.bytes)
    }

    /// Type and key, without the comment, as they stand in a `.pub` file.
    pub fn text(&self) -> String {
        format!("{} {}", self.kind.as_str(), BASE64_STANDARD.encode(&self.bytes))
    }
}

/// Whether these are the fields of a key of this kind, and no more; `None` if not.
fn is_whole(kind: KeyKind, mut fields: Fields<'_>) -> Option<Result<(), KeyError>> {
    match kind {
        KeyKind::Ed25519 => (fields.next()?.len() == ED25519).then_some(())?,
        KeyKind::EcdsaP256 => point(&mut fields, "nistp256", 32)?,
        KeyKind::EcdsaP384 => point(&mut fields, "nistp384", 48)?,
        KeyKind::EcdsaP521 => point(&mut fields, "nistp521", 66)?,
        KeyKind::Rsa => {
            let (_exponent, modulus) = (positive(fields.next()?)?, positive(fields.next()?)?);
            let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
            if !(MIN_RSA..=MAX_RSA).contains(&bits) {
                return Some(Err(KeyError::RsaSize(bits)));
            }
        }
        KeyKind::HardwareEd25519 => {
            (fields.next()?.len() == ED25519).then_some(())?;
            application(&mut fields)?;
        }
        KeyKind::HardwareEcdsaP256 => {
            point(&mut fields, "nistp256", 32)?;
            application(&mut fields)?;
        }
    }
    fields.0.is_empty().then_some(Ok(()))
}

/// The name of a curve, and a point on it.
fn point(fields: &mut Fields<'_>, curve: &str, bytes: usize) -> Option<()> {
    (fields.next()? == curve.as_bytes()).then_some(())?;
    let point = fields.next()?;
    (point.len() == 1 + 2 * bytes && point.first() == Some(&UNCOMPRESSED)).then_some(())
}

/// What a hardware key signs for.
fn application(fields: &mut Fields<'_>) -> Option<()> {
    let name = fields.next()?;
    (name.len() <= MAX_APPLICATION && std::str::from_utf8(name).is_ok()).then_some(())
}

/// The digits of a positive number in the only form in which it may be written.
fn positive(number: &[u8]) -> Option<&[u8]> {
    match number {
        [0, rest @ ..] => rest.first().filter(|first| **first >= 0x80).map(|_| rest),
        [first, ..] => (*first < 0x80).then_some(number),
        [] => None,
    }
}

/// Pieces, each behind its length.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(field)
    }
}

impl Fingerprint {
    /// Of a key in the form in which clients present it.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// One that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it stands in addresses: hexadecimal digits.
    pub fn id(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads [`Fingerprint::id`].
    pub fn from_id(text: &str) -> Option<Self> {
        crate::id::hex_bytes(text).map(Self)
    }
}

/// As `ssh-keygen -l` prints it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", BASE64_STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
