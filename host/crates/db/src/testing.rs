//! What the tests of several modules need: a database in a temporary directory and things to put into it.

use std::path::PathBuf;

use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::lifecycle::Release;
use spaceport_core::name::{SpacePath, Subdomain};
use spaceport_core::revision::Oid;
use spaceport_core::space::{Sdk, SecretInfo, SleepAfter, Space, Variable, Visibility};
use tempfile::TempDir;

use crate::{BuiltRelease, Db, Finding, KeyStore, OnDamage, OpenError, OpenReport, Options};

/// A data directory that goes with the test.
pub(crate) struct Home {
    dir: TempDir,
    pub(crate) keys: KeyStore,
    pub(crate) options: Options,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let keys = KeyStore::open(&dir.path().join("keys")).unwrap();
        Self { dir, keys, options: Options::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    #[track_caller]
    pub(crate) fn open(&self) -> (Db, OpenReport) {
        self.try_open(OnDamage::Refuse).unwrap()
    }

    pub(crate) fn try_open(&self, on_damage: OnDamage) -> Result<(Db, OpenReport), OpenError> {
        Db::open(&self.path("store"), &self.keys, Options { on_damage, ..self.options.clone() })
    }

    /// The newest file of the journal whose name starts with this word.
    pub(crate) fn journal_file(&self, kind: &str) -> PathBuf {
        let files = std::fs::read_dir(self.path("store/journal")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind)).max().unwrap()
    }
}

pub(crate) fn space_id(number: u32) -> SpaceId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SpaceId::from_bytes(bytes)
}

pub(crate) fn space(number: u32) -> Space {
    let path: SpacePath = format!("Ada/space-{number}").parse().unwrap();
    let variable = Variable { value: "on".into(), description: Some("a switch".into()), updated_at: 3 };
    Space {
        id: space_id(number),
        subdomain: Subdomain::derive(&path),
        path,
        owner: AccountId::from_bytes([1; 12]),
        creator: AccountId::from_bytes([2; 12]),
        created_at: 1,
        updated_at: 2,
        visibility: Visibility::Protected,
        sdk: Sdk::Wasm,
        hardware: "cpu-basic".into(),
        storage: Some("small".into()),
        sleep_after: SleepAfter::Never,
        variables: [("MODE".to_owned(), variable)].into(),
        secrets: [("TOKEN".to_owned(), SecretInfo { description: None, updated_at: 4 })].into(),
        preview: None,
    }
}

pub(crate) fn release(number: u64) -> BuiltRelease {
    BuiltRelease {
        release: Release { number, revision: Oid::from_bytes([7; 20]) },
        artifact: "component:abc".into(),
        readme: "---\nsdk: wasm\n---\n".into(),
        created_at: 5,
    }
}

pub(crate) fn finding() -> Finding {
    Finding {
        rule: "private-key".into(),
        path: "a/b.py".into(),
        line: 3,
        blob: Oid::from_bytes([8; 20]),
        revision: Oid::from_bytes([7; 20]),
        found_at: 5,
        excerpt: "KEY = …".into(),
        is_revoked: false,
        is_in_history: true,
    }
}

/// Runs something and says how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (std::time::Duration, T) {
    let start = std::time::Instant::now();
    let result = work();
    (start.elapsed(), result)
}
