//! The texts that browsers and applications hold: a prefix that tells what it is, whose it is and of which sign-in, and 190
//! random bits. Account and sign-in stand in the text so that a row is found by its key, whatever the rest says; only the
//! hash of the whole is stored.

use std::fmt;

use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};
use spaceport_core::id::{AccountId, ID_BYTES, SignInId};
use spaceport_db::TokenHash;

/// Random characters; each carries 5.95 bits.
const SECRET_CHARS: usize = 32;
/// Characters of an id.
const ID_CHARS: usize = 2 * ID_BYTES;

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum Kind {
    /// An application acts for a user.
    Access,
    /// An application gets other tokens.
    Refresh,
    /// An application gets its first tokens.
    Code,
    /// A browser is a user's.
    Session,
}

/// A text and what it says.
#[derive(Clone)]
pub(in crate::service) struct Credential {
    pub(in crate::service) text: String,
    pub(in crate::service) account: AccountId,
    pub(in crate::service) grant: SignInId,
    pub(in crate::service) hash: TokenHash,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Access, Self::Refresh, Self::Code, Self::Session];

    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "spo_",
            Self::Refresh => "spr_",
            Self::Code => "spc_",
            Self::Session => "sps_",
        }
    }

    /// What a text claims to be.
    pub(in crate::service) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))
    }
}

impl Credential {
    /// A new one.
    pub(in crate::service) fn generate(kind: Kind, account: AccountId, grant: SignInId) -> Self {
        let secret: String = rand::rng().sample_iter(Alphanumeric).take(SECRET_CHARS).map(char::from).collect();
        let text = format!("{}{account}{grant}{secret}", kind.prefix());
        let hash = TokenHash(Sha256::digest(text.as_bytes()).into());
        Self { text, account, grant, hash }
    }

    /// Reads one of a kind; `None` if it cannot be one.
    pub(in crate::service) fn parse(kind: Kind, text: &str) -> Option<Self> {
        let body = text.strip_prefix(kind.prefix())?;
        let is_formed = body.len() == 2 * ID_CHARS + SECRET_CHARS && body.bytes().all(|c| c.is_ascii_alphanumeric());
        if !is_formed {
            return None;
        }
        let (account, grant) = (body[..ID_CHARS].parse().ok()?, body[ID_CHARS..2 * ID_CHARS].parse().ok()?);
        let hash = TokenHash(Sha256::digest(text.as_bytes()).into());
        Some(Self { text: text.to_owned(), account, grant, hash })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_back_as_what_it_is_and_as_nothing_else() {
        let (account, grant) = (AccountId::from_bytes([1; 12]), SignInId::from_bytes([2; 12]));
        let made = Credential::generate(Kind::Access, account, grant);
        let read = Credential::parse(Kind::Access, &made.text).unwrap();
        assert_eq!((read.account, read.grant, read.hash), (account, grant, made.hash));
        assert_eq!(Kind::of(&made.text), Some(Kind::Access));
        for kind in [Kind::Refresh, Kind::Code, Kind::Session] {
            assert!(Credential::parse(kind, &made.text).is_none());
        }
        let other = made.text.replacen('1', "2", 1);
        assert_ne!(Credential::parse(Kind::Access, &other).unwrap().hash, made.hash);
        for text in ["", "spo_", &made.text[..made.text.len() - 1], &made.text.replacen('0', "é", 1), "sp_x"] {
            assert!(Credential::parse(Kind::Access, text).is_none(), "{text}");
        }
        assert_eq!(format!("{made:?}"), "Credential(***)");
    }
}
