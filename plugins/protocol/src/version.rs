//! Which versions each side speaks, and the one that both use.

use serde::{Deserialize, Serialize};

use crate::decode::list;
use crate::{DecodeError, Message, limits};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

impl Version {
    /// The version that this crate describes.
    pub const CURRENT: Self = Self(1);
    /// Every version that this crate speaks.
    pub const ALL: [Self; 1] = [Self::CURRENT];
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The reply to [`crate::Call::Protocol`], the same in every version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Says that this is such a plugin and nothing else: [`Hello::PROTOCOL`].
    pub protocol: String,
    /// The versions it speaks.
    #[serde(deserialize_with = "list::<_, _, { limits::VERSIONS }>")]
    pub versions: Vec<Version>,
}

/// The two sides have no version in common.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it speaks version {}, this host {}", numbers(.theirs), numbers(&Version::ALL))]
pub struct NoCommonVersion {
    /// What the plugin speaks.
    pub theirs: Vec<Version>,
}

impl Hello {
    /// The name of the protocol.
    pub const PROTOCOL: &str = "spaceport-backend";

    /// What a plugin made with this crate says.
    pub fn new() -> Self {
        Self { protocol: Self::PROTOCOL.to_owned(), versions: Version::ALL.to_vec() }
    }

    /// The highest version that both sides speak.
    pub fn choose(&self) -> Result<Version, NoCommonVersion> {
        let common = self.versions.iter().filter(|version| Version::ALL.contains(version));
        common.max().copied().ok_or_else(|| NoCommonVersion { theirs: self.versions.clone() })
    }
}

impl Default for Hello {
    fn default() -> Self {
        Self::new()
    }
}

impl Message for Hello {
    const WHAT: &'static str = "the list of versions";
    const MOST: usize = 4 << 10;

    fn check(&self) -> Result<(), String> {
        match self.protocol == Self::PROTOCOL {
            true => Ok(()),
            false => Err(format!("protocol is not {:?}", Self::PROTOCOL)),
        }
    }
}

impl From<NoCommonVersion> for DecodeError {
    fn from(error: NoCommonVersion) -> Self {
        Self::invalid::<Hello>(&error.to_string())
    }
}

fn numbers(versions: &[Version]) -> String {
    match versions {
        [] => "none".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(versions: &[u32]) -> Hello {
        Hello { versions: versions.iter().copied().map(Version).collect(), ..Hello::new() }
    }

    #[test]
    fn the_highest_common_version_is_used() {
        assert_eq!(hello(&[7, 1, 3]).choose(), Ok(Version(1)));
        assert_eq!(hello(&[1]).choose(), Ok(Version::CURRENT));
    }

    #[test]
    fn without_a_common_version_both_lists_are_named() {
        let refused = |versions: &[u32]| hello(versions).choose().unwrap_err().to_string();
        assert_eq!(refused(&[2, 3]), "it speaks version 2, 3, this host 1");
        assert_eq!(refused(&[]), "it speaks version none, this host 1");
    }
}
