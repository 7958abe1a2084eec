use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::record::Record;
use crate::testing::space_id;

fn store() -> (TempDir, KeyStore) {
    let dir = TempDir::new().unwrap();
    let keys = KeyStore::open(&dir.path().join("keys")).unwrap();
    (dir, keys)
}

#[test]
fn the_master_key_is_created_once_and_for_its_owner_only() {
    let (dir, keys) = store();
    let path = dir.path().join("keys").join(MASTER_KEY_FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.path().join("keys")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(KeyStore::open(&dir.path().join("keys")).unwrap().id(), keys.id());
    assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let (dir, _) = store();
    let keys = dir.path().join("keys");
    let path = keys.join(MASTER_KEY_FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = KeyStore::open(&keys).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for text in ["", "00", &"g".repeat(64), &"0".repeat(63)] {
        fs::write(&path, text).unwrap();
        assert!(matches!(KeyStore::open(&keys), Err(KeyError::Malformed(_))), "{text:?}");
    }
}

#[test]
fn a_file_of_another_key_is_made_once_whole_and_for_its_owner_only() {
    let (dir, keys) = store();
    let made = |text: &str| Ok(Zeroizing::new(text.to_owned()));
    assert_eq!(keys.key_file("other.key", || made("first\n")).unwrap().as_str(), "first\n");
    assert_eq!(keys.key_file("other.key", || made("second\n")).unwrap().as_str(), "first\n");
    let path = dir.path().join("keys/other.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(keys.dir()).unwrap().count(), 2, "nothing is left beside it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = keys.key_file("other.key", || made("third\n")).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");

    let failed = keys.key_file("third.key", || Err(io::Error::other("no randomness")));
    assert!(matches!(failed, Err(KeyError::Io { action: "create", .. })), "{failed:?}");
    fs::remove_dir_all(keys.dir()).unwrap();
    fs::write(keys.dir(), "").unwrap();
    let failed = keys.key_file("other.key", || made("fourth\n"));
    assert!(matches!(failed, Err(KeyError::Io { .. })), "{failed:?}");
}

#[test]
fn a_secret_opens_for_its_own_space_and_name_only() {
    let (_dir, keys) = store();
    let sealed = keys.seal_secret(space_id(1), "TOKEN", "swordfish");
    assert_eq!(keys.open_secret(space_id(1), "TOKEN", &sealed).unwrap().reveal(), "swordfish");
    assert_eq!(keys.open_secret(space_id(2), "TOKEN", &sealed), Err(UnsealError::Damaged));
    assert_eq!(keys.open_secret(space_id(1), "TOKEN2", &sealed), Err(UnsealError::Damaged));
    let (_other_dir, other) = store();
    assert_eq!(other.open_secret(space_id(1), "TOKEN", &sealed), Err(UnsealError::WrongKey));
    assert_ne!(keys.seal_secret(space_id(1), "TOKEN", "swordfish"), sealed, "each sealing has its own nonce");
}

#[test]
fn a_secret_that_was_changed_does_not_open() {
    let (_dir, keys) = store();
    let sealed = keys.seal_secret(space_id(1), "TOKEN", "");
    let mut bytes = Vec::new();
    sealed.encode(&mut bytes);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = SealedSecret::decode(1, &changed).unwrap();
        assert!(keys.open_secret(space_id(1), "TOKEN", &changed).is_err(), "byte {at}");
        let short = SealedSecret::decode(1, &bytes[..at]).unwrap();
        assert!(keys.open_secret(space_id(1), "TOKEN", &short).is_err(), "cut at {at}");
    }
}

#[test]
fn keys_for_different_purposes_differ_and_last() {
    let (dir, keys) = store();
    let again = KeyStore::open(&dir.path().join("keys")).unwrap();
    assert_eq!(keys.artifact_key().as_bytes(), again.artifact_key().as_bytes());
    assert_ne!(keys.artifact_key().as_bytes(), keys.derive("something else").as_bytes());
}

#[test]
fn nothing_secret_is_printed() {
    let (_dir, keys) = store();
    let sealed = keys.seal_secret(space_id(1), "TOKEN", "swordfish");
    let opened = keys.open_secret(space_id(1), "TOKEN", &sealed).unwrap();
    let printed = format!("{keys:?} {:?} {sealed:?} {opened:?}", keys.artifact_key());
    assert_eq!(printed, "KeyStore(***) Subkey(***) *** ***");
}
