//! Moving the refs of a push: each from where the client has seen it, all of them in one step where it asks for that.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use spaceport_core::discussion::PULL_REFS;
use spaceport_core::revision::Oid;

use super::request::RefCommand;
use crate::error::GitError;
use crate::process::{Call, READ_DEADLINE};
use crate::repo::{MAX_REFS, Repo};

/// Refs that this host keeps for itself.
pub(crate) const OURS: &str = "refs/spaceport/";
/// Why a ref stays that is not where the client has seen it.
pub(super) const MOVED: &str = "it has moved meanwhile, or its name is taken: fetch first";
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

    /// Those that cannot move, with the reason: the client has not seen where they are, another's name is in the way, or
    /// they would be more than a repository may have. Found before the objects are taken in, so that a push of nothing else
    /// leaves nothing.
    pub(super) async fn stuck(&self, commands: &[&RefCommand]) -> Result<BTreeMap<String, &'static str>, GitError> {
        let there: BTreeMap<String, Oid> = self.all_refs().await?.into_iter().collect();
        let going: BTreeSet<&str> =
            commands.iter().filter(|command| command.new.is_none()).map(|command| command.name.as_str()).collect();
        let stays = |name: &str| there.contains_key(name) && !going.contains(name);
        let is_blocked = |name: &str| {
            let below = format!("{name}/");
            let mut inside = there.range(below.clone()..).take_while(|(other, _)| other.starts_with(&below));
            name.match_indices('/').any(|(at, _)| stays(&name[..at])) || inside.any(|(other, _)| stays(other))
        };
        let counted = there.keys().filter(|name| !name.starts_with(PULL_REFS)).count();
        let mut room = MAX_REFS.saturating_sub(counted);
        let mut stuck = BTreeMap::new();
        for command in commands {
            let is_new = command.new.is_some() && command.old.is_none();
            let why = match is_new {
                _ if there.get(&command.name) != command.old.as_ref() => Some(MOVED),
                true if is_blocked(&command.name) => Some(MOVED),
                true if room == 0 => Some("the repository has as many branches and tags as it may have"),
                _ => None,
            };
            room -= usize::from(is_new && why.is_none());
            if let Some(why) = why {
                stuck.insert(command.name.clone(), why);
            }
        }
        Ok(stuck)
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
