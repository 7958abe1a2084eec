//! Names as people write them: owners, Spaces, `owner/name`, and the host label derived from them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest owner or Space name.
pub const MAX_NAME: usize = 96;
/// Longest label of a host name (RFC 1035).
pub const MAX_LABEL: usize = 63;
/// Longest part of a ref in a preview's label that needs a hash: what it belongs to shall be read there, too.
const MAX_SLUG: usize = 20;
/// Hexadecimal digits of the hash that tells colliding or overlong subdomains apart.
const HASH_DIGITS: usize = 8;

/// The text cannot be the name of an owner or a Space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no valid name: use 1 to 96 letters, digits, \"-\", \"_\" and \".\", not starting or ending with \"-\" or \".\", \
     without \"--\" or \"..\", and not ending in \".git\""
)]
pub struct InvalidName(pub String);

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                if is_name(&text) { Ok(Self(text)) } else { Err(InvalidName(text)) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )*};
}

names! {
    /// The name of a user or an organization.
    OwnerName;
    /// The name of a Space within its owner.
    SpaceName;
}

/// `owner/name`: the human key of a Space. Unique regardless of case; see [`SpacePath::key`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpacePath {
    /// Who owns it.
    pub owner: OwnerName,
    /// What it is called.
    pub name: SpaceName,
}

impl SpacePath {
    /// The form by which two paths are the same: lower case.
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl fmt::Display for SpacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for SpacePath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (owner, name) = text.split_once('/').ok_or_else(|| InvalidName(text.to_owned()))?;
        Ok(Self { owner: owner.parse()?, name: name.parse()? })
    }
}

impl TryFrom<String> for SpacePath {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<SpacePath> for String {
    fn from(path: SpacePath) -> String {
        path.to_string()
    }
}

/// The label in front of the domain at which a Space's app answers. Stored, since collisions are settled at creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subdomain(String);

impl Subdomain {
    /// The label clients expect: owner and name in lower case, `/`, `_` and `.` as `-`. A label that is too long, or
    /// that would read as one of the reserved `--` forms, gets a hash of the path.
    pub fn derive(path: &SpacePath) -> Self {
        let label = flatten(path);
        if label.len() > MAX_LABEL || label.contains("--") || label.starts_with('-') || label.ends_with('-') {
            Self::derive_with_hash(path)
        } else {
            Self(label)
        }
    }

    /// The label for a path whose plain one is taken.
    pub fn derive_with_hash(path: &SpacePath) -> Self {
        let hash = short_hash(&path.key());
        let mut stem = String::new();
        for part in flatten(path).split('-').filter(|part| !part.is_empty()) {
            if !stem.is_empty() {
                stem.push('-');
            }
            stem.push_str(part);
        }
        stem.truncate(MAX_LABEL - HASH_DIGITS - 1);
        let stem = stem.trim_end_matches('-');
        Self(if stem.is_empty() { format!("space-{hash}") } else { format!("{stem}-{hash}") })
    }

    /// The label of a preview of a ref beside the app of this one: `<this>--<ref>`, the ref in lower case and every run of
    /// other characters a `-`. One that would be too long, or whose ref is a number and so reads as a port, gets a hash.
    pub fn preview(&self, reference: &str) -> Self {
        let slug = slug(reference);
        let label = format!("{self}--{slug}");
        let reads_as_port = slug.bytes().all(|byte| byte.is_ascii_digit());
        if label.len() > MAX_LABEL || reads_as_port { self.preview_with_hash(reference) } else { Self(label) }
    }

    /// The same for a ref whose plain label is taken.
    pub fn preview_with_hash(&self, reference: &str) -> Self {
        let hash = short_hash(&format!("{self} {reference}"));
        let part = |text: &str, most: usize| text[..text.len().min(most)].trim_matches('-').to_owned();
        let slug = part(&slug(reference), MAX_SLUG);
        let stem = part(&self.0, MAX_LABEL - "--".len() - slug.len() - "-".len() - HASH_DIGITS);
        Self(format!("{stem}--{}", format!("{slug}-{hash}").trim_start_matches('-')))
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A ref as a part of a label.
fn slug(reference: &str) -> String {
    let mut slug = String::new();
    for character in reference.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(HASH_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Subdomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn flatten(path: &SpacePath) -> String {
    path.to_string().chars().map(|c| if matches!(c, '/' | '_' | '.') { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
        && !text.contains("--")
        && !text.contains("..")
        && !text.to_ascii_lowercase().ends_with(".git")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SpacePath {
        text.parse().unwrap()
    }

    #[test]
    fn names_follow_the_rule_of_the_clients() {
        for good in ["a", "A-b_c.d", "x".repeat(96).as_str(), "9"] {
            assert!(good.parse::<SpaceName>().is_ok(), "{good}");
        }
        for bad in
            ["", "-a", "a-", ".a", "a.", "a--b", "a..b", "x.git", "x.GIT", "a b", "ä", "a/b", "x".repeat(97).as_str()]
        {
            assert!(bad.parse::<SpaceName>().is_err(), "{bad}");
        }
        assert!("a/b/c".parse::<SpacePath>().is_err());
    }

    #[test]
    fn subdomain_is_the_documented_one() {
        for (text, label) in [
            ("NimaBoscarino/hotdog-gradio", "nimaboscarino-hotdog-gradio"),
            ("user/tmp_test_space", "user-tmp-test-space"),
            ("microsoft/TRELLIS.2", "microsoft-trellis-2"),
        ] {
            assert_eq!(Subdomain::derive(&path(text)).as_str(), label);
        }
    }

    #[test]
    fn a_preview_is_named_by_its_ref() {
        let subdomain = Subdomain::derive(&path("ada/hello"));
        for (reference, label) in [
            ("dev", "ada-hello--dev"),
            ("Feature/New_Look", "ada-hello--feature-new-look"),
            ("refs/pr/12", "ada-hello--refs-pr-12"),
            ("v1.2..x", "ada-hello--v1-2-x"),
        ] {
            assert_eq!(subdomain.preview(reference).as_str(), label);
        }
        let long = Subdomain::derive(&path(&format!("{}/{}", "a".repeat(60), "b".repeat(60))));
        for (subdomain, reference) in [
            (&subdomain, "8080".to_owned()),
            (&subdomain, "ä".into()),
            (&subdomain, "x".repeat(200)),
            (&long, "dev".into()),
            (&long, "-".repeat(9)),
        ] {
            let label = subdomain.preview(&reference);
            let (stem, slug) = label.as_str().split_once("--").unwrap();
            assert!(label.as_str().len() <= MAX_LABEL && stem.starts_with("a") && !slug.is_empty(), "{label}");
            assert!(!label.as_str().ends_with('-') && !slug.starts_with('-'), "{label}");
            assert!(!slug.bytes().all(|byte| byte.is_ascii_digit()) || reference != "8080", "{label}");
            assert_ne!(label, subdomain.preview(&format!("{reference}1")));
        }
    }

    #[test]
    fn unusual_paths_get_a_stable_valid_label() {
        for text in [
            format!("{}/{}", "a".repeat(60), "b".repeat(60)),
            "_/_".into(),
            "a/_b".into(),
            "_a/b".into(),
            "a_-_b/c".into(),
        ] {
            let label = Subdomain::derive(&path(&text));
            assert_eq!(label, Subdomain::derive(&path(&text)));
            let label = label.as_str();
            assert!(label.len() <= MAX_LABEL && !label.contains("--"), "{label}");
            assert!(!label.starts_with('-') && !label.ends_with('-'), "{label}");
        }
        assert_ne!(Subdomain::derive_with_hash(&path("a-b/c")), Subdomain::derive_with_hash(&path("a/b-c")));
    }
}
