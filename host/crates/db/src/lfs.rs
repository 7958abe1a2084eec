//! Large files: which Spaces have which. The files themselves are kept once for all, by their content; a Space has one only
//! if its content was sent by somebody who may write to the Space, so that knowing an id gives nobody the file.

use std::collections::HashSet;

use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use spaceport_core::lifecycle::Millis;

use crate::batch::{Batch, Expect};
use crate::db::Db;
use crate::error::ReadError;

/// A large file that a Space has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LfsLink {
    /// Bytes of its content.
    pub size: u64,
    /// When the Space got it.
    pub created_at: Millis,
}

impl Batch {
    /// Gives a Space every large file that another has, as a copy of its repository needs. Conflicts in `Spaces` if the
    /// other is gone, since its files may be, too.
    pub fn copy_lfs_links(&mut self, db: &Db, from: SpaceId, to: SpaceId) -> Result<&mut Self, ReadError> {
        self.expect(db.spaces(), &from, Expect::Present);
        for ((_, oid), link) in db.lfs_links().under(&from)? {
            self.put(db.lfs_links(), &(to, oid), &link);
        }
        Ok(self)
    }
}

impl Db {
    /// Every large file that some Space has.
    pub fn linked_lfs(&self) -> Result<HashSet<LfsOid>, ReadError> {
        Ok(self.lfs_links().scan()?.into_iter().map(|((_, oid), _)| oid).collect())
    }
}
