//! The files of a revision as a flat list, and the rules that every revision is held to.
//!
//! A revision that breaks a rule is never committed by this host, and one that was pushed is neither listed nor written
//! to disk: the walk stops at the first fault and says what to change.

mod links;

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};
use spaceport_core::revision::Oid;

use crate::path::{PathError, RepoPath};

/// Files a revision may have.
pub const MAX_FILES: usize = 10_000;
/// Bytes that all files of a revision may have together.
pub const MAX_REVISION_BYTES: u64 = 10 << 30;
/// Longest target of a symbolic link: what Linux takes.
pub(crate) const MAX_LINK_TARGET: u64 = 4095;
/// Bytes that git may write while it lists a revision: every file with a path of ordinary length. A tree that refers to
/// itself many times over would be listed for ever.
pub(crate) const MAX_LISTING: usize = MAX_FILES * (crate::path::MAX_PATH + 80);

/// What a path of a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileMode {
    /// A file.
    Regular,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link; its content is the target.
    Symlink,
}

/// One file of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it is.
    pub path: RepoPath,
    /// What it is.
    pub mode: FileMode,
    /// The id of its content.
    pub oid: Oid,
    /// Bytes of its content.
    pub size: u64,
}

/// Why a revision's content cannot be used. The message is for the author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A path that is not accepted.
    #[error(transparent)]
    Path(#[from] PathError),
    /// More files than allowed.
    #[error("a Space may have at most {MAX_FILES} files and this has more: put many small files into an archive")]
    TooManyFiles,
    /// More bytes than allowed.
    #[error("the files of a Space may have at most {} GiB together and these have {bytes} bytes", MAX_REVISION_BYTES >> 30)]
    TooManyBytes {
        /// Bytes of all files.
        bytes: u64,
    },
    /// One path for two things.
    #[error("{0:?} is there twice: two files, or a file and a folder, cannot have the same name")]
    Twice(String),
    /// A submodule.
    #[error("{0:?} is a submodule: commit its files instead, other repositories are not fetched")]
    Submodule(String),
    /// A symbolic link to something outside the repository, or to itself.
    #[error(
        "{path:?} is a symbolic link to {target:?}, which is not in the repository: commit the file itself instead"
    )]
    LinkLeaves {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
}

/// A revision that follows the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Its files by path.
    pub(crate) files: BTreeMap<RepoPath, Entry>,
    /// The targets of those that are symbolic links.
    pub(crate) links: BTreeMap<RepoPath, String>,
}

/// A file as [`Listing`] keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) mode: FileMode,
    pub(crate) oid: Oid,
    pub(crate) size: u64,
}

impl FileMode {
    /// The mode as git writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

impl Listing {
    /// Reads the output of `git ls-tree -r -z -l`. Links are still without their targets.
    pub(crate) fn parse(output: &[u8]) -> Result<Self, ListingError> {
        let mut listing = Self::default();
        for record in output.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
            if listing.files.len() == MAX_FILES {
                return Err(TreeError::TooManyFiles.into());
            }
            let (path, entry) = parse_record(record)?;
            if let Some(_first) = listing.files.insert(path.clone(), entry) {
                return Err(TreeError::Twice(path.to_string()).into());
            }
        }
        Ok(listing)
    }

    /// The symbolic links.
    pub(crate) fn symlinks(&self) -> impl Iterator<Item = (&RepoPath, &Entry)> {
        self.files.iter().filter(|(_, entry)| entry.mode == FileMode::Symlink)
    }

    /// Holds the revision as a whole to the rules; every link has its target by now.
    pub(crate) fn check(&self) -> Result<(), TreeError> {
        if self.files.len() > MAX_FILES {
            return Err(TreeError::TooManyFiles);
        }
        let bytes = self.files.values().fold(0u64, |sum, entry| sum.saturating_add(entry.size));
        if bytes > MAX_REVISION_BYTES {
            return Err(TreeError::TooManyBytes { bytes });
        }
        let file_as_folder =
            self.files.keys().flat_map(RepoPath::parents).find(|parent| self.files.contains_key(*parent));
        if let Some(path) = file_as_folder {
            return Err(TreeError::Twice(path.to_owned()));
        }
        for (path, target) in &self.links {
            links::resolve(self, path)
                .map_err(|links::Leaves| TreeError::LinkLeaves { path: path.to_string(), target: target.clone() })?;
        }
        Ok(())
    }

    /// The file that a link finally leads to; `None` if it leads to a folder or to nothing.
    pub(crate) fn link_destination(&self, link: &RepoPath) -> Option<&Entry> {
        let destination = links::resolve(self, link).ok()?;
        self.files.get(destination.as_str())
    }
}

/// Why a listing cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListingError {
    /// The author's fault.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Git wrote something else than it says it does.
    #[error("git ls-tree wrote {0:?}")]
    Format(String),
}

/// `<mode> <type> <oid> <size>\t<path>`, the size padded with spaces.
fn parse_record(record: &[u8]) -> Result<(RepoPath, Entry), ListingError> {
    let format = || ListingError::Format(String::from_utf8_lossy(record).into_owned());
    let tab = record.iter().position(|byte| *byte == b'\t').ok_or_else(format)?;
    let (head, path) = record.split_at(tab);
    let path = path.get(1..).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| format())?;
    let mut words = head.split_ascii_whitespace();
    let (Some(mode), Some(_kind), Some(oid), Some(size)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(format());
    };
    let mode = match mode {
        // Old versions of git wrote group-writable files.
        "100644" | "100664" => FileMode::Regular,
        "100755" => FileMode::Executable,
        "120000" => FileMode::Symlink,
        "160000" => return Err(TreeError::Submodule(String::from_utf8_lossy(path).into_owned()).into()),
        _ => return Err(format()),
    };
    let path = RepoPath::parse_bytes(path).map_err(TreeError::from)?;
    let oid = oid.parse().map_err(|_| format())?;
    let size = size.parse().map_err(|_| format())?;
    Ok((path, Entry { mode, oid, size }))
}

/// The id git gives to a file with this content.
pub fn blob_oid(content: &[u8]) -> Oid {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    Oid::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_are_those_of_git() {
        assert_eq!(blob_oid(b"").to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(blob_oid(b"hello\n").to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn a_listing_is_read_as_git_writes_it() {
        let oid = "ce013625030ba8dba906f756967f9e9ca394464a";
        let output = format!(
            "100644 blob {oid}       6\ta b/\"c\".txt\0100755 blob {oid}  123456\trun\0120000 blob {oid} 3\tl\0"
        );
        let listing = Listing::parse(output.as_bytes()).unwrap();
        let found: Vec<_> = listing.files.iter().map(|(path, entry)| (path.as_str(), entry.mode, entry.size)).collect();
        assert_eq!(
            found,
            [
                ("a b/\"c\".txt", FileMode::Regular, 6),
                ("l", FileMode::Symlink, 3),
                ("run", FileMode::Executable, 123_456)
            ]
        );
        assert_eq!(Listing::parse(b"").unwrap(), Listing::default());
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let oid = "ce013625030ba8dba906f756967f9e9ca394464a";
        let submodule = format!("160000 commit {oid}       -\tlib\0");
        assert_eq!(Listing::parse(submodule.as_bytes()), Err(TreeError::Submodule("lib".into()).into()));
        for path in ["../x", ".git/config", "a\nb"] {
            let output = format!("100644 blob {oid} 6\t{path}\0");
            let error = Listing::parse(output.as_bytes()).unwrap_err();
            assert!(
                matches!(error, ListingError::Tree(TreeError::Path(PathError { path: named, .. })) if named == path)
            );
        }
        for garbage in ["x", "100644 blob\tx", "040000 tree ce01 -\tx", "100644 blob zz 6\tx"] {
            assert!(matches!(Listing::parse(garbage.as_bytes()), Err(ListingError::Format(_))), "{garbage}");
        }
    }

    #[test]
    fn the_ten_thousand_and_first_file_is_one_too_many() {
        let oid = "ce013625030ba8dba906f756967f9e9ca394464a";
        let output = |count: usize| (0..count).map(|n| format!("100644 blob {oid} 6\tf{n}\0")).collect::<String>();
        assert_eq!(Listing::parse(output(MAX_FILES).as_bytes()).unwrap().files.len(), MAX_FILES);
        assert_eq!(Listing::parse(output(MAX_FILES + 1).as_bytes()), Err(TreeError::TooManyFiles.into()));
    }
}
