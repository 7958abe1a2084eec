//! Names of branches and tags, by git's own rule for refs.

use spaceport_core::discussion::pull_number;

use crate::error::GitError;

/// Longest name: git keeps each as a file.
const MAX_BRANCH: usize = 200;
/// Where what is made of revisions is committed.
const MADE: &str = "refs/convert/";
/// Shortest id that is looked up: shorter ones are likelier a mistake.
const MIN_ID: usize = 7;

/// The full name of a branch.
pub(super) fn full_name(branch: &str) -> Result<String, GitError> {
    if is_valid(branch) { Ok(format!("refs/heads/{branch}")) } else { Err(GitError::Branch(branch.to_owned())) }
}

/// The full name of what commits are made on: of a branch, or of a pull request's head or of what is made of a revision,
/// which are named in full.
pub(super) fn committed_name(name: &str) -> Result<String, GitError> {
    let is_made = name.starts_with(MADE) && is_ref(name);
    if is_made || pull_number(name).is_some() { Ok(name.to_owned()) } else { full_name(name) }
}

/// The full name of a tag.
pub(super) fn tag_name(tag: &str) -> Result<String, GitError> {
    if is_valid(tag) { Ok(format!("refs/tags/{tag}")) } else { Err(GitError::Branch(tag.to_owned())) }
}

/// Whether a text can be an object's id, in full or shortened.
pub(super) fn is_id(text: &str) -> bool {
    (MIN_ID..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// Whether a full name is one that git accepts for a ref.
pub(crate) fn is_ref(name: &str) -> bool {
    name.strip_prefix("refs/").is_some_and(|rest| rest.contains('/') && is_valid(rest))
}

fn is_valid(name: &str) -> bool {
    let is_component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    (1..=MAX_BRANCH).contains(&name.len())
        && name.split('/').all(is_component)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c))
        && name != "@"
        && name != "HEAD"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_named_by_gits_rule() {
        for name in ["main", "feature/x", "v1.0", "ü", "a-b_c", "a@b"] {
            assert_eq!(full_name(name).unwrap(), format!("refs/heads/{name}"));
        }
        for name in [
            "",
            "-x",
            "a b",
            "a..b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "a\nb",
            "a\0",
            "@",
            "HEAD",
            "a@{1}",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "x".repeat(MAX_BRANCH + 1).as_str(),
        ] {
            assert!(full_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn commits_are_made_on_branches_on_pull_requests_and_on_what_is_made_of_them() {
        for name in ["refs/pr/12", "refs/convert/build"] {
            assert_eq!(committed_name(name).unwrap(), name);
        }
        for name in ["main", "refs/pr/x", "refs/tags/v1"] {
            assert_eq!(committed_name(name).unwrap(), format!("refs/heads/{name}"));
        }
    }

    #[test]
    fn ids_have_at_least_seven_digits() {
        assert!(is_id("46f3011") && is_id("46f3011723fd0db027ec3604767d75603cb25ba0"));
        assert!(!is_id("46f301") && !is_id("46F3011") && !is_id("46f3011723fd0db027ec3604767d75603cb25ba00"));
    }
}
