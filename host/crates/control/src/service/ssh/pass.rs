//! What a client that came by SSH sends over HTTP in place of a token: who it is, for the large files of one Space and one
//! direction, for a short time, under a keyed hash that only this host can make.

use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Millis;
use spaceport_core::ssh::LfsOperation;
use spaceport_db::KeyStore;

/// How long a pass is good: a client asks for another when it has run out, and for files it has addresses that last longer.
pub(super) const VALID: Millis = 60 * 60 * 1000;
/// What stands before it in `Authorization`.
pub(super) const SCHEME: &str = "RemoteAuth";
/// What the key is for.
const PURPOSE: &str = "passes for large files";

/// What a pass says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) operation: LfsOperation,
    pub(super) space: SpaceId,
    pub(super) account: AccountId,
}

/// A pass as text that stands in a header as it is.
pub(super) fn sign(keys: &KeyStore, pass: &Pass, now: Millis) -> String {
    let Pass { operation, space, account } = pass;
    let text = format!("{}.{space}.{account}.{}", operation.as_str(), now + VALID);
    let seal = seal(keys, &text);
    format!("{text}.{seal}")
}

/// The pass, if this host has made it and it is still good.
pub(super) fn read(keys: &KeyStore, text: &str, now: Millis) -> Option<Pass> {
    let (text, given) = text.rsplit_once('.')?;
    let given = blake3::Hash::from_hex(given).ok()?;
    // Compared in a time that does not tell how much of it was right.
    if seal(keys, text) != given {
        return None;
    }
    let mut words = text.split('.');
    let operation = match words.next()? {
        "download" => LfsOperation::Download,
        "upload" => LfsOperation::Upload,
        _ => return None,
    };
    let (space, account) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let until: Millis = words.next()?.parse().ok()?;
    (now < until).then_some(Pass { operation, space, account })
}

fn seal(keys: &KeyStore, text: &str) -> blake3::Hash {
    blake3::keyed_hash(keys.derive(PURPOSE).as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_for_what_it_says_until_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(&dir.path().join("keys")).unwrap();
        let (space, account) = (SpaceId::from_bytes([1; 12]), AccountId::from_bytes([2; 12]));
        for operation in [LfsOperation::Download, LfsOperation::Upload] {
            let pass = Pass { operation, space, account };
            let text = sign(&keys, &pass, 1000);
            assert_eq!(read(&keys, &text, 1000 + VALID - 1), Some(pass));
            assert_eq!(read(&keys, &text, 1000 + VALID), None);
            let other = KeyStore::open(&dir.path().join("others")).unwrap();
            assert_eq!(read(&other, &text, 1000), None);
            for forged in [
                text.replacen("01", "03", 1),
                text.replacen("02", "03", 1),
                text.replacen("download", "upload", 1),
                text.replacen(&(1000 + VALID).to_string(), "9999999999", 1),
                text[..text.len() - 1].to_owned(),
                String::new(),
            ] {
                assert!(forged == text || read(&keys, &forged, 1000).is_none(), "{forged}");
            }
        }
    }
}
