//! An amount of space.

/// Space taken or allowed in a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes: lengths of files, holes included, and of the targets of symbolic links.
    pub bytes: u64,
    /// Names: files, directories, links.
    pub entries: u64,
}

impl Usage {
    /// Bytes in entries that exist.
    pub(super) fn bytes(bytes: u64) -> Self {
        Self { bytes, entries: 0 }
    }

    /// A new name, and what it holds at once.
    pub(super) fn entry(bytes: u64) -> Self {
        Self { bytes, entries: 1 }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), entries: self.entries.saturating_add(other.entries) }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), entries: self.entries.saturating_sub(other.entries) }
    }

    pub(super) fn fits(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.entries <= limit.entries
    }
}
