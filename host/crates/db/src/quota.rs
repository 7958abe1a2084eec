//! Quotas: how much an owner may have.

/// The most that an owner may have; `None`: as much as fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnerQuota {
    /// Spaces.
    pub spaces: Option<u64>,
    /// Bytes of the repositories of all its Spaces, without large files.
    pub storage_bytes: Option<u64>,
    /// Bytes of the large files of all its Spaces.
    pub lfs_bytes: Option<u64>,
}
