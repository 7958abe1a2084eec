//! Moving the refs of a push: each from where the client has seen it, all of them in one step where it asks for that.

use std::collections::BTreeSet;

use bytes::Bytes;
use spaceport_core::revision::Oid;

use super::request::RefCommand;
use crate::error::GitError;
use crate::process::{Call, READ_DEADLINE};
use crate::repo::{MAX_REFS, Repo};

/// Refs that this host keeps for itself.
pub(crate) const OURS: &str = "refs/spaceport/";
/// `update-ref` says little.
const OUTPUT: usize = 64 << 10;

impl Repo {
    /// Moves refs, each by itself, or all or none; for each whether it moved. Durable when this returns. For a caller that
    /// holds the lock of whoever changes the repository.
    pub(super) async fn move_refs(&self, commands: &[&RefCommand], is_atomic: bool) -> Result<Vec<bool>, GitError> {
        let all = self.transaction(commands).await?;
        let moved = if all || is_atomic || commands.len() <= 1 {
            vec![all; commands.len()]
        } else {
            let mut moved = Vec::with_capacity(commands.len());
            for command in commands {
                moved.push(self.transaction(&[command]).await?);
            }
            moved
        };
        let names = commands.iter().zip(&moved).filter(|(_, moved)| **moved).map(|(command, _)| command.name.as_str());
        self.sync_refs(&names.collect::<Vec<_>>()).await?;
        Ok(moved)
    }

    /// The names of those that would be more refs than a repository may have.
    pub(super) async fn surplus(&self, commands: &[&RefCommand]) -> Result<BTreeSet<String>, GitError> {
        let there: BTreeSet<String> = self.all_refs().await?.into_iter().map(|(name, _)| name).collect();
        let new = commands.iter().filter(|command| command.new.is_some() && !there.contains(&command.name));
        let room = MAX_REFS.saturating_sub(there.len());
        Ok(new.skip(room).map(|command| command.name.clone()).collect())
    }

    /// Whether all of them moved, or none.
    async fn transaction(&self, commands: &[&RefCommand]) -> Result<bool, GitError> {
        if commands.is_empty() {
            return Ok(true);
        }
        let zero = Oid::from_bytes([0; 20]);
        let mut lines = String::new();
        for RefCommand { name, old, new } in commands {
            let (old, new) = (old.unwrap_or(zero), new.unwrap_or(zero));
            // Names hold no spaces and no line breaks: they were checked when they were read.
            lines.push_str(&format!("update {name} {new} {old}\n"));
        }
        let args = ["--no-deref", "--stdin"];
        let call = Call { command: "update-ref", args: &args, max_output: OUTPUT, deadline: READ_DEADLINE };
        let updated = self.run(call, vec![Bytes::from(lines)]).await?;
        if updated.success {
            return Ok(true);
        }
        match updated.into_error("update-ref") {
            // Somebody else has moved one of them, or its name is the folder of another's.
            GitError::Git { message, .. } => {
                tracing::info!(space = %self.space, message, "refs of a push were not moved");
                Ok(false)
            }
            error => Err(error),
        }
    }
}
