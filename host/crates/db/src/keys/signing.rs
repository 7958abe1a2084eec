//! The key by which this host signs what others check: who has signed in. ECDSA on P-256 (`ES256`), since every library for
//! OpenID knows it. It is made when it is first asked for, and kept: whoever has the public half goes on trusting it.

use std::fmt;
use std::io;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::file::{in_digits, of_digits};
use super::{KeyError, KeyStore};

/// Name of the key's file in the directory of keys.
pub const SIGNING_KEY_FILE: &str = "sign-in.key";
/// Bytes of one coordinate of a point on the curve.
const COORDINATE: usize = 32;

/// A key to sign with. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<EcdsaKeyPair>,
}

impl KeyStore {
    /// The key by which this host signs. Reads a file, and makes it if there is none.
    pub fn signing_key(&self) -> Result<SigningKey, KeyError> {
        let path = self.dir.join(SIGNING_KEY_FILE);
        let text = self.key_file(SIGNING_KEY_FILE, || {
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
            Ok(in_digits(made.map_err(|_| io::Error::other("no randomness"))?.as_ref()))
        })?;
        let malformed = || KeyError::MalformedSigningKey(path.clone());
        let document = of_digits(text.trim_end()).ok_or_else(malformed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document, &SystemRandom::new());
        Ok(SigningKey { pair: Arc::new(pair.map_err(|_| malformed())?) })
    }
}

impl SigningKey {
    /// Signs: the two numbers of the signature, one after the other.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.expect("the operating system gives random bytes once it has booted").as_ref().to_vec()
    }

    /// The public half: the coordinates of its point.
    pub fn public(&self) -> (&[u8], &[u8]) {
        // A byte says that both coordinates follow.
        self.pair.public_key().as_ref()[1..].split_at(COORDINATE)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn the_key_is_made_once_kept_for_its_owner_alone_and_signs() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(dir.path()).unwrap();
        let made = keys.signing_key().unwrap();
        let again = KeyStore::open(dir.path()).unwrap().signing_key().unwrap();
        assert_eq!(made.public(), again.public());
        let path = dir.path().join(SIGNING_KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let (x, y) = again.public();
        let point = [&[4], x, y].concat();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        public.verify(b"ada", &made.sign(b"ada")).unwrap();
        public.verify(b"bob", &made.sign(b"ada")).unwrap_err();
        assert_eq!(format!("{made:?}"), "SigningKey(***)");
    }

    #[test]
    fn a_key_that_is_damaged_or_open_to_others_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(dir.path()).unwrap();
        keys.signing_key().unwrap();
        let path = dir.path().join(SIGNING_KEY_FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        for damaged in ["", "zz", &whole[..40], &whole[2..]] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(keys.signing_key(), Err(KeyError::MalformedSigningKey(_))), "{damaged}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keys.signing_key(), Err(KeyError::Exposed { .. })));
    }
}
