//! Built revisions: what a Space can launch, and go back to.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::{Millis, Release};

use crate::db::Db;
use crate::error::ReadError;

/// A release with all that is needed to launch it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltRelease {
    /// Number and revision.
    pub release: Release,
    /// What the backend calls the result of the build.
    pub artifact: String,
    /// The README as it was at the revision, so far as the manifest needs it; parsing it again gives the manifest.
    pub readme: String,
    /// When the build ended.
    pub created_at: Millis,
}

impl Db {
    /// The newest release of a Space.
    pub fn newest_release(&self, space: SpaceId) -> Result<Option<BuiltRelease>, ReadError> {
        Ok(self.releases().under(&space)?.pop().map(|(_, release)| release))
    }
}
