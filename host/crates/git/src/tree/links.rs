//! Where a symbolic link of a revision leads.
//!
//! Followed name by name through the revision itself, as a kernel would: reading only the text of a target would miss
//! that `a/up/..`, with `up` a link, is not `a`.

use super::Listing;
use crate::path::RepoPath;

/// Links followed for one path before it counts as a circle; Linux follows as many.
const MAX_FOLLOWED: usize = 40;

/// The link leads out of the revision, or in a circle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaves;

/// The path that a link finally leads to, empty for the revision's top. It need not exist, but lies within.
pub(super) fn resolve(listing: &Listing, link: &RepoPath) -> Result<String, Leaves> {
    let mut followed = 0;
    let mut reached: Vec<String> = Vec::new();
    let mut ahead: Vec<String> = reversed_names(link.as_str());
    while let Some(name) = ahead.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                reached.pop().ok_or(Leaves)?;
                continue;
            }
            _ => reached.push(name),
        }
        let Some(target) = listing.links.get(reached.join("/").as_str()) else { continue };
        followed += 1;
        if followed > MAX_FOLLOWED || target.is_empty() || target.starts_with('/') || target.contains('\0') {
            return Err(Leaves);
        }
        reached.pop();
        ahead.extend(reversed_names(target));
    }
    Ok(reached.join("/"))
}

/// The names of a path, last one first.
fn reversed_names(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, FileMode, blob_oid};
    use super::*;

    fn listing(files: &[&str], links: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        let entry = |mode| Entry { mode, oid: blob_oid(b""), size: 0 };
        for path in files {
            listing.files.insert(RepoPath::parse(path).unwrap(), entry(FileMode::Regular));
        }
        for (path, target) in links {
            let path = RepoPath::parse(path).unwrap();
            listing.files.insert(path.clone(), entry(FileMode::Symlink));
            listing.links.insert(path, target.to_string());
        }
        listing
    }

    fn resolve_in(listing: &Listing, link: &str) -> Result<String, Leaves> {
        resolve(listing, &RepoPath::parse(link).unwrap())
    }

    #[test]
    fn a_link_within_the_revision_leads_to_its_file() {
        let tree = listing(
            &["a/file", "b/file"],
            &[
                ("l", "a/file"),
                ("a/up", "../b/file"),
                ("dir", "a"),
                ("via", "dir/up"),
                ("top", "."),
                ("none", "a/gone"),
                ("a/self", "./file"),
            ],
        );
        for (link, destination) in [
            ("l", "a/file"),
            ("a/up", "b/file"),
            ("dir", "a"),
            ("via", "b/file"),
            ("top", ""),
            ("none", "a/gone"),
            ("a/self", "a/file"),
        ] {
            assert_eq!(resolve_in(&tree, link), Ok(destination.to_owned()), "{link}");
        }
    }

    #[test]
    fn a_link_that_leaves_is_found_out() {
        let tree = listing(
            &["s/t/file", "q/r/file"],
            &[
                ("absolute", "/etc/passwd"),
                ("above", ".."),
                ("a/above", "../../x"),
                ("round", "dnuor"),
                ("dnuor", "round"),
                ("self", "self"),
                // Reads as `s`, but `up` is the top.
                ("s/t/up", "../.."),
                ("q/r/chain", "../../s/t/up/../.."),
                ("back", "../repo/file"),
                ("empty", ""),
            ],
        );
        for link in ["absolute", "above", "a/above", "round", "self", "q/r/chain", "back", "empty"] {
            assert_eq!(resolve_in(&tree, link), Err(Leaves), "{link}");
        }
        assert_eq!(resolve_in(&tree, "s/t/up"), Ok(String::new()));
    }

    #[test]
    fn a_long_chain_of_links_counts_as_a_circle() {
        let names: Vec<(String, String)> = (0..100).map(|n| (format!("l{n}"), format!("l{}", n + 1))).collect();
        let links: Vec<(&str, &str)> = names.iter().map(|(name, target)| (name.as_str(), target.as_str())).collect();
        let tree = listing(&["l100"], &links);
        assert_eq!(resolve_in(&tree, "l0"), Err(Leaves));
        assert_eq!(resolve_in(&tree, "l90"), Ok("l100".to_owned()));
    }
}
