//! Where a git runs: the repository, what of a push it sees, and what it may use while it works on what a client sent.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, prlimit};
use tokio::process::Command;

use super::GroupChild;
use crate::error::GitError;

/// Memory that a git for a clone, a fetch or a push may use, each of its processes. A delta that unpacks to more is no
/// source code; packs are mapped in pieces, so their size does not count.
const MEMORY: u64 = 2 << 30;
/// Seconds on a CPU that each of its processes may use: minutes for the largest repositories, and an end for a small pack
/// that unpacks to terabytes.
const CPU: u64 = 300;
/// The largest file that it may write: somewhat above the largest pack.
const FILE: u64 = 4 << 30;

/// Where a git runs, and under what besides the configuration of every call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The repository.
    pub(crate) dir: &'a Path,
    /// New objects are written here, and read from here too.
    pub(crate) incoming: Option<&'a Path>,
    /// What the client says it speaks, in git's words.
    pub(crate) protocol: Option<&'a str>,
    /// Whether what a client sent decides how much work it is.
    pub(crate) is_bounded: bool,
}

impl<'a> From<&'a Path> for Place<'a> {
    fn from(dir: &'a Path) -> Self {
        Self { dir, incoming: None, protocol: None, is_bounded: false }
    }
}

impl<'a> From<&'a PathBuf> for Place<'a> {
    fn from(dir: &'a PathBuf) -> Self {
        Self::from(dir.as_path())
    }
}

impl Place<'_> {
    /// Adds what a call here needs to know.
    pub(super) fn add_environment(&self, git: &mut Command) {
        if let Some(incoming) = self.incoming {
            git.env("GIT_OBJECT_DIRECTORY", incoming);
            git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.dir.join("objects"));
        }
        if let Some(protocol) = self.protocol {
            git.env("GIT_PROTOCOL", protocol);
        }
    }

    /// Bounds a process that has just been started, before it was told what to do; those that it starts inherit it.
    pub(super) fn bound(&self, child: &GroupChild) -> Result<(), GitError> {
        if !self.is_bounded && self.incoming.is_none() {
            return Ok(());
        }
        let Some(pid) = child.pid() else { return Ok(()) };
        // If the machine's memory runs out, this ends and not the host. Best effort: not every system lets it be said.
        let _ = std::fs::write(format!("/proc/{}/oom_score_adj", pid.as_raw_nonzero()), "1000");
        for (resource, most) in
            [(Resource::As, MEMORY), (Resource::Cpu, CPU), (Resource::Fsize, FILE), (Resource::Core, 0)]
        {
            prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) })
                .map_err(|errno| GitError::io("bound what git may use")(errno.into()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Call, Git, READ_DEADLINE};

    #[tokio::test]
    async fn what_works_on_strangers_data_is_bounded() {
        let git = Git::find().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let init = Call { command: "init", args: &["-q", "--bare", "."], max_output: 0, deadline: READ_DEADLINE };
        git.run(dir.path(), init, Vec::new()).await.unwrap().ok("init").unwrap();
        let place = Place { is_bounded: true, ..Place::from(dir.path()) };
        let running = git.start_piped(place, "cat-file", &["--batch"]).unwrap();
        let pid = running.child.pid().unwrap();
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap();
        for (name, most) in [("Max address space", MEMORY), ("Max cpu time", CPU), ("Max file size", FILE)] {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            assert!(line.split_whitespace().any(|word| word == most.to_string()), "{line}");
        }
    }
}
