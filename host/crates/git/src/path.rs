//! Paths within a repository: what may be committed, listed and written to disk.
//!
//! One rule for every way in. It refuses what some file system reads as something else: `..` and absolute paths leave
//! the folder, `.git` in any spelling that NTFS or HFS+ take for it becomes a repository's inside on somebody's clone,
//! `\` is a separator elsewhere, and control characters forge lines in logs and protocols.

use std::fmt;

/// Longest path, in bytes: well under what every system takes together with the folder it is checked out into.
pub const MAX_PATH: usize = 1024;
/// Longest name of a file or folder, in bytes: the limit of every common file system.
pub const MAX_NAME: usize = 255;
/// Deepest path: deep trees cost time in every walk, and nobody writes one by hand.
pub const MAX_DEPTH: usize = 64;

/// A path of a file or folder in a repository: relative, with `/` between names that no system reads as anything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

/// A path that is not accepted, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} cannot be the path of a file: {reason}")]
pub struct PathError {
    /// The path as given.
    pub path: String,
    /// What is wrong with it and what is allowed.
    pub reason: &'static str,
}

impl RepoPath {
    /// Checks a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(PathError { path: text.to_owned(), reason }),
        }
    }

    /// Checks the path of a folder, which may end in one `/`.
    pub fn parse_folder(text: &str) -> Result<Self, PathError> {
        Self::parse(text.strip_suffix('/').unwrap_or(text))
    }

    /// Checks a path as git stores it.
    pub(crate) fn parse_bytes(bytes: &[u8]) -> Result<Self, PathError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(_) => Err(PathError {
                path: String::from_utf8_lossy(bytes).into_owned(),
                reason: "names are written in UTF-8",
            }),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders that lead to it, from the outermost.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| self.0.split_at(at).0)
    }

    /// Whether it lies in a folder, at any depth.
    pub(crate) fn is_in(&self, folder: &Self) -> bool {
        self.0.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a path.
fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > MAX_PATH {
        return Some("it has more than 1024 bytes");
    }
    if path.starts_with('/') {
        return Some("it must be relative to the repository, without \"/\" in front");
    }
    if path.contains('\\') {
        return Some("write \"/\" between folders, \"\\\" is not allowed");
    }
    if path.chars().any(char::is_control) {
        return Some("control characters are not allowed");
    }
    if path.split('/').count() > MAX_DEPTH {
        return Some("it lies more than 64 folders deep");
    }
    path.split('/').find_map(name_fault)
}

fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("there is nothing between two \"/\", or after the last one");
    }
    if name == "." || name == ".." {
        return Some("\".\" and \"..\" are not allowed, write the path from the repository's top");
    }
    if name.len() > MAX_NAME {
        return Some("a name in it has more than 255 bytes");
    }
    if is_dot_git(name) {
        return Some("\".git\" belongs to git, and so do names that some systems take for it");
    }
    None
}

/// Whether some file system takes a name for `.git`: any case, with characters that HFS+ ignores, and on NTFS with
/// trailing dots and spaces, a stream name, or as its short form.
fn is_dot_git(name: &str) -> bool {
    let visible: String = name.chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
    let file = visible.split(':').next().unwrap_or_default();
    let plain = file.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    plain == ".git" || plain.strip_prefix("git~").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_accepted() {
        for path in [
            "README.md",
            "a/b/c.txt",
            ".gitignore",
            ".gitattributes",
            ".github/x",
            "git",
            "a b",
            "ü/日本",
            "...",
            "a.git",
            ".gitfoo",
            "git~x",
            "-x",
            "a'b\"c",
            "x".repeat(MAX_NAME).as_str(),
            &["d"; MAX_DEPTH].join("/"),
        ] {
            assert_eq!(RepoPath::parse(path).map(|path| path.0), Ok(path.to_owned()));
        }
    }

    #[test]
    fn paths_that_some_system_reads_otherwise_are_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "./a",
            "a/./b",
            "..",
            "../a",
            "a/../b",
            "a/..",
            "a\\b",
            "..\\a",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}",
            ".git",
            ".GIT/config",
            "a/.Git",
            ".git.",
            ".git ",
            ".git. .",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "git~1",
            "GIT~1/x",
            "git~22",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{206a}t/x",
            "x".repeat(MAX_NAME + 1).as_str(),
            &"x/".repeat(MAX_PATH),
            &["d"; MAX_DEPTH + 1].join("/"),
        ] {
            assert!(RepoPath::parse(path).is_err(), "{path:?}");
        }
        assert!(RepoPath::parse_bytes(b"a\xff").is_err());
    }

    #[test]
    fn a_folder_may_end_in_a_slash() {
        assert_eq!(RepoPath::parse_folder("a/b/").unwrap().as_str(), "a/b");
        assert!(RepoPath::parse_folder("a/b//").is_err());
    }

    #[test]
    fn a_path_lies_in_its_parents_only() {
        let path = RepoPath::parse("a/b/c").unwrap();
        assert_eq!(path.parents().collect::<Vec<_>>(), ["a", "a/b"]);
        for (folder, is_in) in [("a", true), ("a/b", true), ("a/b/c", false), ("a/bc", false), ("b", false)] {
            assert_eq!(path.is_in(&RepoPath::parse(folder).unwrap()), is_in, "{folder}");
        }
    }
}
