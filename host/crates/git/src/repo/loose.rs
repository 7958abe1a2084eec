//! Heads of branches without a process of git: a branch that was moved lately is a file with the id of its commit, and
//! nearly every operation begins with one. Whatever else is found in its place is for git to read.

use spaceport_core::revision::Oid;

use super::Repo;

impl Repo {
    /// The commit that a branch, or a pull request, is at, if it is kept in a file of its own.
    pub(super) async fn loose(&self, full_name: &str) -> Option<Oid> {
        let text = tokio::fs::read_to_string(self.folder().join(full_name)).await.ok()?;
        text.strip_suffix('\n')?.parse().ok()
    }
}
