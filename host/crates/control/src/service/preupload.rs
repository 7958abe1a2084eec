//! What is to become of files before they are uploaded: which are there already, and which the repository ignores.
//!
//! Clients do not read `.gitignore` themselves, they rely on this answer. The rules are those they are about to commit,
//! else those of the revision; only the file at the root counts.

use std::collections::BTreeMap;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Actor;
use spaceport_core::revision::Oid;
use spaceport_git::{Repo, TreeEntry};

use super::Control;
use super::error::{ServiceError, ServiceResult};
use super::files::resolve;
use super::storage::git_failed;

/// The largest file that is sent within a commit, whose body holds it as text of four thirds its size, and in memory;
/// larger ones are sent by themselves and kept beside the repository.
const MAX_COMMITTED_FILE: u64 = 128 << 20;
/// The file with the rules.
const GIT_IGNORE: &str = ".gitignore";
/// Largest list of rules, in bytes: they become one automaton in memory. The longest in use have a few kilobytes.
const MAX_RULES: usize = 64 << 10;

/// What a committer should know of the files to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPlan {
    /// The revision they were compared with.
    pub commit: Oid,
    /// One for each path, in the order asked.
    pub files: Vec<PlannedUpload>,
}

/// What a committer should know of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedUpload {
    /// Whether it is to be sent by itself, as a large file.
    pub is_large: bool,
    /// The id of the content that is there now: of a file that is kept as a large one and is to be again, the SHA-256.
    pub oid: Option<String>,
    /// Whether it is to be left out.
    pub is_ignored: bool,
}

impl Control {
    /// Compares files to be uploaded with a revision and with the rules about ignored files, for a commit there or as a pull
    /// request.
    pub async fn upload_plan(
        &self,
        actor: &Actor,
        path: &SpacePath,
        revision: &str,
        wanted: &[(&str, u64)],
        rules: Option<String>,
        as_pull_request: bool,
    ) -> ServiceResult<UploadPlan> {
        let space = self.may_commit(actor, path, revision, as_pull_request)?;
        let repo = self.inner.repos.repo(space.id);
        let commit = resolve(&repo, revision).await?;
        let tree = repo.tree(commit).await.map_err(git_failed)?;
        let rules = match rules {
            Some(rules) if rules.len() > MAX_RULES => {
                return Err(ServiceError::Invalid(format!("{GIT_IGNORE} may have at most {MAX_RULES} bytes")));
            }
            Some(rules) => rules,
            None => committed_rules(&repo, commit, &tree).await?,
        };
        let rules = tokio::task::spawn_blocking(move || parse(&rules));
        let rules = rules.await.map_err(|error| ServiceError::internal("read the rules of .gitignore", error))?;
        let there: BTreeMap<&str, &TreeEntry> = tree.iter().map(|entry| (entry.path.as_str(), entry)).collect();
        let named: Vec<&TreeEntry> = wanted.iter().filter_map(|(path, _)| there.get(path).copied()).collect();
        let pointers = self.pointers(space.id, &repo, &named).await?;
        let plan = |(path, size): &(&str, u64)| {
            let is_large = *size > MAX_COMMITTED_FILE;
            let oid = there.get(path).map(|entry| match pointers.get(&entry.oid) {
                Some(pointer) if is_large => pointer.oid.to_string(),
                _ => entry.oid.to_string(),
            });
            PlannedUpload { is_large, oid, is_ignored: is_ignored(&rules, path) }
        };
        Ok(UploadPlan { commit, files: wanted.iter().map(plan).collect() })
    }
}

/// The rules of a revision; none if the file is missing, or so large that it is none for people.
async fn committed_rules(repo: &Repo, commit: Oid, tree: &[TreeEntry]) -> ServiceResult<String> {
    let is_there = tree.iter().any(|entry| entry.path.as_str() == GIT_IGNORE && entry.size <= MAX_RULES as u64);
    let text = match is_there {
        true => repo.read(commit, GIT_IGNORE).await.map_err(git_failed)?,
        false => None,
    };
    Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default())
}

/// The rules of a text. A line that is no rule is passed over, as git does.
fn parse(text: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn is_ignored(rules: &Gitignore, path: &str) -> bool {
    // What is not below the root is refused when it is committed; the crate would panic on it.
    let is_below = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
    is_below && rules.matched_path_or_any_parents(path, false).is_ignore()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_git_reads_them() {
        let rules = parse("# build\n*.log\n!keep.log\n/dist/\nnode_modules\n\\#odd\n[broken\ndocs/**/*.tmp\n");
        for path in ["a.log", "x/b.log", "dist/app.js", "x/node_modules/y/z.js", "#odd", "docs/a/b.tmp"] {
            assert!(is_ignored(&rules, path), "{path}");
        }
        for path in ["keep.log", "x/keep.log", "x/dist/app.js", "dist", "README.md", "/a.log", "../a.log", "a.tmp", ""]
        {
            assert!(!is_ignored(&rules, path), "{path}");
        }
    }
}
