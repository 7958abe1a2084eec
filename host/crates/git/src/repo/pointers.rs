//! Small files that stand for large ones.

use std::collections::{BTreeMap, BTreeSet};

use spaceport_core::lfs::{LfsPointer, MAX_POINTER};
use spaceport_core::revision::Oid;

use super::Repo;
use crate::error::GitError;

/// Files that are read at once.
const BATCH: usize = 1000;

impl Repo {
    /// Which of these contents are pointers to large files. None may be larger than a pointer.
    pub async fn lfs_pointers(&self, contents: &BTreeSet<Oid>) -> Result<BTreeMap<Oid, LfsPointer>, GitError> {
        let contents: Vec<Oid> = contents.iter().copied().collect();
        let mut pointers = BTreeMap::new();
        for some in contents.chunks(BATCH) {
            let names = some.iter().map(Oid::to_string).collect();
            for (oid, content) in some.iter().zip(self.read_objects(names, MAX_POINTER).await?) {
                if let Some(pointer) = content.and_then(|content| LfsPointer::parse(&content)) {
                    pointers.insert(*oid, pointer);
                }
            }
        }
        Ok(pointers)
    }
}
