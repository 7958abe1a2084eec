//! What a commit changes: from the head's files and the wanted changes to the new revision, checked as a whole.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Change, CommitError};
use crate::path::RepoPath;
use crate::tree::{Entry, FileMode, Listing, MAX_LINK_TARGET, TreeError, blob_oid};

/// The difference between the head and the new revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Files that go.
    pub(crate) removed: Vec<RepoPath>,
    /// Files that come, or change.
    pub(crate) put: Vec<PlannedFile>,
}

/// A file that comes, or changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlannedFile {
    pub(crate) path: RepoPath,
    pub(crate) mode: FileMode,
    pub(crate) content: Bytes,
}

impl Plan {
    /// Whether the new revision is the head.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.put.is_empty()
    }

    /// Applies the changes to the head's files.
    pub(crate) fn new(head: &Listing, changes: &[Change]) -> Result<Self, CommitError> {
        let next = applied(head, changes)?;
        let contents: BTreeMap<&RepoPath, &Bytes> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put { path, content, .. } => Some((path, content)),
                Change::Delete { .. } | Change::DeleteFolder { .. } => None,
            })
            .collect();
        let removed = head.files.keys().filter(|path| !next.files.contains_key(*path)).cloned().collect();
        let put = contents
            .into_iter()
            .filter_map(|(path, content)| {
                let entry = next.files.get(path)?;
                let is_same = head.files.get(path) == Some(entry);
                (!is_same).then(|| PlannedFile { path: path.clone(), mode: entry.mode, content: content.clone() })
            })
            .collect();
        Ok(Self { removed, put })
    }
}

/// The files that changes make of others, held to the rules.
pub(crate) fn applied(files: &Listing, changes: &[Change]) -> Result<Listing, CommitError> {
    let mut next = files.clone();
    for change in changes {
        match change {
            Change::Put { path, mode, content } => put(&mut next, path, *mode, content)?,
            Change::Delete { path } => {
                next.links.remove(path);
                next.files.remove(path).ok_or_else(|| CommitError::NotThere(path.clone()))?;
            }
            Change::DeleteFolder { path } => delete_folder(&mut next, path)?,
        }
    }
    next.check()?;
    Ok(next)
}

fn put(next: &mut Listing, path: &RepoPath, mode: FileMode, content: &Bytes) -> Result<(), CommitError> {
    next.links.remove(path);
    if mode == FileMode::Symlink {
        let target = std::str::from_utf8(content).ok().filter(|target| target.len() as u64 <= MAX_LINK_TARGET);
        let target = target.ok_or_else(|| TreeError::LinkLeaves {
            path: path.to_string(),
            target: String::from_utf8_lossy(content).chars().take(100).collect(),
        })?;
        next.links.insert(path.clone(), target.to_owned());
    }
    next.files.insert(path.clone(), Entry { mode, oid: blob_oid(content), size: content.len() as u64 });
    Ok(())
}

fn delete_folder(next: &mut Listing, folder: &RepoPath) -> Result<(), CommitError> {
    let before = next.files.len();
    next.files.retain(|path, _| !path.is_in(folder));
    next.links.retain(|path, _| !path.is_in(folder));
    if next.files.len() == before { Err(CommitError::NotThere(folder.clone())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    fn file(text: &str, content: &str) -> Change {
        Change::Put { path: path(text), mode: FileMode::Regular, content: Bytes::from(content.to_owned()) }
    }

    fn link(text: &str, target: &str) -> Change {
        Change::Put { path: path(text), mode: FileMode::Symlink, content: Bytes::from(target.to_owned()) }
    }

    fn head(files: &[(&str, &str)]) -> Listing {
        let mut listing = Listing::default();
        for (name, content) in files {
            put(&mut listing, &path(name), FileMode::Regular, &Bytes::from(content.to_string())).unwrap();
        }
        listing
    }

    fn summary(plan: &Plan) -> (Vec<&str>, Vec<&str>) {
        (plan.removed.iter().map(RepoPath::as_str).collect(), plan.put.iter().map(|file| file.path.as_str()).collect())
    }

    #[test]
    fn only_what_differs_is_written() {
        let head = head(&[("a", "1"), ("b", "2"), ("d/e", "3")]);
        let plan =
            Plan::new(&head, &[file("a", "1"), file("b", "x"), file("c", "2"), Change::Delete { path: path("d/e") }]);
        assert_eq!(summary(&plan.unwrap()), (vec!["d/e"], vec!["b", "c"]));
        assert!(Plan::new(&head, &[file("a", "1")]).unwrap().is_empty());
        assert!(Plan::new(&head, &[]).unwrap().is_empty());
    }

    #[test]
    fn a_changed_mode_is_a_change() {
        let change = Change::Put { path: path("a"), mode: FileMode::Executable, content: Bytes::from_static(b"1") };
        assert_eq!(Plan::new(&head(&[("a", "1")]), &[change]).unwrap().put.len(), 1);
    }

    #[test]
    fn later_changes_win_over_earlier_ones() {
        let head = head(&[("a", "1")]);
        let plan =
            Plan::new(&head, &[file("b", "1"), file("b", "2"), Change::Delete { path: path("a") }, file("a", "1")]);
        let plan = plan.unwrap();
        assert_eq!(summary(&plan), (vec![], vec!["b"]));
        assert_eq!(plan.put[0].content, "2");
        let plan = Plan::new(&head, &[file("b", "1"), Change::Delete { path: path("b") }]).unwrap();
        assert!(plan.is_empty());
    }

    #[test]
    fn what_is_not_there_cannot_be_deleted() {
        let head = head(&[("a/b", "1"), ("ab/c", "1")]);
        for change in [
            Change::Delete { path: path("a") },
            Change::Delete { path: path("x") },
            Change::DeleteFolder { path: path("a/b") },
            Change::DeleteFolder { path: path("x") },
        ] {
            let error = Plan::new(&head, &[change]).unwrap_err();
            assert!(matches!(error, CommitError::NotThere(_)), "{error}");
        }
        let plan = Plan::new(&head, &[Change::DeleteFolder { path: path("a") }]).unwrap();
        assert_eq!(summary(&plan), (vec!["a/b"], vec![]));
    }

    #[test]
    fn a_file_and_a_folder_of_one_name_are_refused() {
        for changes in [vec![file("a/b/c", "1")], vec![file("x", "1"), file("x/y", "1")]] {
            let error = Plan::new(&head(&[("a/b", "1")]), &changes).unwrap_err();
            assert!(matches!(error, CommitError::Tree(TreeError::Twice(_))), "{error}");
        }
        let replaced = [Change::Delete { path: path("a/b") }, file("a/b/c", "1")];
        assert_eq!(summary(&Plan::new(&head(&[("a/b", "1")]), &replaced).unwrap()), (vec!["a/b"], vec!["a/b/c"]));
    }

    #[test]
    fn links_must_stay_within() {
        let head = head(&[("a/b", "1")]);
        assert!(Plan::new(&head, &[link("l", "a/b")]).is_ok());
        for target in ["/etc/passwd", "../x", "l", ""] {
            let error = Plan::new(&head, &[link("l", target)]).unwrap_err();
            assert!(matches!(error, CommitError::Tree(TreeError::LinkLeaves { .. })), "{target}: {error}");
        }
        // A file in place of a link is a file.
        assert!(Plan::new(&head, &[link("l", "../x"), file("l", "1")]).is_ok());
    }

    #[test]
    fn the_new_revision_keeps_to_the_number_of_files() {
        let many: Vec<Change> = (0..=crate::tree::MAX_FILES).map(|n| file(&format!("f{n}"), "")).collect();
        assert!(Plan::new(&Listing::default(), &many[1..]).is_ok());
        let error = Plan::new(&Listing::default(), &many).unwrap_err();
        assert!(matches!(error, CommitError::Tree(TreeError::TooManyFiles)), "{error}");
    }
}
