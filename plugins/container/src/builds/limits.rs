//! What builds may use of the machine, held from outside the Engine.
//!
//! BuildKit has no memory limit for a build, and the one inside an Engine none for processes either. Its steps run in control
//! groups below one group, though, and that may be limited for all of them together by whoever may write there. Disk is
//! watched: what the Engine's file system lost since a build began.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// Where the groups of BuildKit's steps are, below a hierarchy: with the Engine's own driver for them, and with systemd's.
const GROUPS: [&str; 3] = ["docker/buildkit", "system.slice/docker/buildkit", "system.slice/docker.service/buildkit"];
/// Processes and threads of all builds together.
const PIDS: u64 = 8192;
/// Memory of all builds together, as a share of the machine's.
const MEMORY_SHARE: (u64, u64) = (3, 4);
/// What all builds together get of the processors while others want them, where one container gets 1024, and the same where the
/// scale is another, and one gets 100: a half.
const CPU: (u64, u64) = (512, 50);
/// Free disk below which no build goes on: the Engine and the host need some to keep running.
const RESERVE: u64 = 1 << 30;

/// What is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) memory: Option<u64>,
    pub(super) pids: Option<u64>,
}

/// Limits the memory and the processes of all builds together, where that can be done.
pub(super) fn hold(memory: u64) -> Held {
    hold_below(Path::new("/sys/fs/cgroup"), memory)
}

fn hold_below(top: &Path, machine: u64) -> Held {
    let memory = machine / MEMORY_SHARE.1 * MEMORY_SHARE.0;
    let write = |file: PathBuf, value: u64| fs::write(file, value.to_string()).is_ok();
    let mut held = Held::default();
    for group in GROUPS {
        // The second version has one hierarchy, the first one for each resource.
        let unified = top.join(group);
        let is_memory = if top.join("memory").is_dir() {
            write(group_of(&top.join("memory"), group).join("memory.limit_in_bytes"), memory)
        } else {
            write(unified.join("memory.max"), memory)
        };
        let is_pids = if top.join("pids").is_dir() {
            write(group_of(&top.join("pids"), group).join("pids.max"), PIDS)
        } else {
            write(unified.join("pids.max"), PIDS)
        };
        // Who may not write there has no fairness, and nobody is told: it is none of the limits.
        if top.join("cpu").is_dir() {
            write(group_of(&top.join("cpu"), group).join("cpu.shares"), CPU.0);
        } else {
            write(unified.join("cpu.weight"), CPU.1);
        }
        held.memory = held.memory.or(is_memory.then_some(memory));
        held.pids = held.pids.or(is_pids.then_some(PIDS));
    }
    held
}

/// A group of the first version, made if the Engine has not made it yet.
fn group_of(hierarchy: &Path, group: &str) -> PathBuf {
    let path = hierarchy.join(group);
    if group == GROUPS[0] {
        // Whoever may not make it may not write there either.
        let _ = fs::create_dir_all(&path);
    }
    path
}

/// What a build has taken of the Engine's disk.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    free: Option<u64>,
}

impl Disk {
    /// From now on.
    pub(super) fn watch(root: PathBuf) -> Self {
        let free = free(&root);
        Self { root, free }
    }

    /// Whether there is too little left, or this build, as one of so many, has taken more than it may.
    pub(super) fn is_over(&self, most: u64, builds: usize) -> bool {
        let (Some(before), Some(now)) = (self.free, free(&self.root)) else { return false };
        let builds = u64::try_from(builds.max(1)).unwrap_or(u64::MAX);
        now < RESERVE.min(before) || before.saturating_sub(now) > most.saturating_mul(builds)
    }
}

fn free(root: &Path) -> Option<u64> {
    let found = statvfs(root).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_such_groups_limits_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(hold_below(dir.path(), 100), Held::default());
    }

    #[test]
    fn both_versions_of_control_groups_are_known() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("docker/buildkit")).unwrap();
        assert_eq!(hold_below(dir.path(), 100), Held { memory: Some(75), pids: Some(PIDS) });
        assert_eq!(fs::read_to_string(dir.path().join("docker/buildkit/memory.max")).unwrap(), "75");
        assert_eq!(fs::read_to_string(dir.path().join("docker/buildkit/cpu.weight")).unwrap(), "50");
        let dir = tempfile::tempdir().unwrap();
        for hierarchy in ["memory", "pids"] {
            fs::create_dir(dir.path().join(hierarchy)).unwrap();
        }
        assert_eq!(hold_below(dir.path(), 100), Held { memory: Some(75), pids: Some(PIDS) });
        let limit = dir.path().join("memory/docker/buildkit/memory.limit_in_bytes");
        assert_eq!(fs::read_to_string(limit).unwrap(), "75");
    }

    #[test]
    fn a_build_that_has_taken_nothing_is_not_over() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::watch(dir.path().to_owned());
        assert!(!disk.is_over(1 << 30, 1));
        let poor = Disk { root: dir.path().to_owned(), free: free(dir.path()).map(|free| free + (2 << 30)) };
        assert!(poor.is_over(1 << 30, 1) && !poor.is_over(1 << 30, 4));
    }
}
