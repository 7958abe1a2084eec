//! Large files as git knows them: a small text, the *pointer*, that names the content by its SHA-256 and size, and stands
//! for it in the repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::hex_bytes;

/// Shortest pointer: a version, an id and a size.
pub const MIN_POINTER: u64 = 120;
/// Longest text that is looked at as a pointer: the format's own limit.
pub const MAX_POINTER: u64 = 1024;
/// The largest file that is kept this way: what one upload may have.
pub const MAX_LARGE_FILE: u64 = 5 << 30;
/// The first line of every pointer.
const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

/// The SHA-256 of a large file's content, which is its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LfsOid([u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of a large file is its SHA-256: 64 lower-case hexadecimal digits")]
pub struct InvalidLfsOid;

/// What stands for a large file in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LfsPointer {
    /// Its content.
    pub oid: LfsOid,
    /// Bytes of its content.
    pub size: u64,
}

impl LfsOid {
    /// The id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl LfsPointer {
    /// Reads a pointer; `None` for any other text. Lines in any order but the first, as the format asks of readers.
    pub fn parse(content: &[u8]) -> Option<Self> {
        if content.len() as u64 > MAX_POINTER {
            return None;
        }
        let mut lines = std::str::from_utf8(content).ok()?.lines();
        if lines.next() != Some(VERSION) {
            return None;
        }
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", text) => oid = Some(text.strip_prefix("sha256:")?.parse().ok()?),
                ("size", text) => size = Some(text.parse().ok()?),
                (key, _) if key.starts_with("ext-") => {}
                _ => return None,
            }
        }
        Some(Self { oid: oid?, size: size? })
    }
}

impl fmt::Display for LfsPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{VERSION}\noid sha256:{}\nsize {}", self.oid, self.size)
    }
}

impl fmt::Display for LfsOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LfsOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LfsOid {
    type Err = InvalidLfsOid;

    fn from_str(text: &str) -> Result<Self, InvalidLfsOid> {
        hex_bytes(text).map(Self).ok_or(InvalidLfsOid)
    }
}

impl TryFrom<String> for LfsOid {
    type Error = InvalidLfsOid;

    fn try_from(text: String) -> Result<Self, InvalidLfsOid> {
        text.parse()
    }
}

impl From<LfsOid> for String {
    fn from(oid: LfsOid) -> String {
        oid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    #[test]
    fn a_pointer_reads_back_as_git_lfs_writes_it() {
        let pointer = LfsPointer { oid: OID.parse().unwrap(), size: 12_345 };
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n");
        assert_eq!(pointer.to_string(), text);
        assert_eq!(LfsPointer::parse(text.as_bytes()), Some(pointer));
        assert!(LfsPointer { size: 0, ..pointer }.to_string().len() as u64 >= MIN_POINTER);
        let extended = text.replace("oid ", &format!("ext-0-foo sha256:{OID}\noid "));
        assert_eq!(LfsPointer::parse(extended.as_bytes()), Some(pointer));
    }

    #[test]
    fn other_texts_are_no_pointers() {
        let good = LfsPointer { oid: OID.parse().unwrap(), size: 1 }.to_string();
        for text in [
            String::new(),
            "version https://git-lfs.github.com/spec/v1\n".to_owned(),
            good.replace("size 1\n", ""),
            good.replace("size 1", "size -1"),
            good.replace("sha256:4", "sha256:"),
            good.replace("sha256:4", "sha256:G"),
            good.replace("spec/v1", "spec/v2"),
            format!("{good}and more\n"),
            format!("\n{good}"),
            format!("{good}ext-0-a {}\n", "x".repeat(1024)),
        ] {
            assert_eq!(LfsPointer::parse(text.as_bytes()), None, "{text}");
        }
    }
}
