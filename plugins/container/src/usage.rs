//! What a container has written, where the engine's driver enforces no quota: measured again and again, and when it is too
//! much, the end of the container. What is written between two measurements is the price of not having a quota.
//!
//! The folder is the container's to fill, so nothing in it is trusted: links are not followed, not even for a moment, names
//! may be as long and folders as deep as the kernel lets them, and counting stops where the limit is.

use std::collections::HashSet;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// How often it is to be measured: at 500 MB/s that is 5 GB too much at the most.
pub const EVERY: Duration = Duration::from_secs(10);
/// Bytes of disk for which there may be one file: what file systems are made for.
const BYTES_PER_FILE: u64 = 16 << 10;
/// Files that there may be on however small a disk.
const FILES: u64 = 10_000;
/// Folders within each other: far more than any program makes, and each costs the plugin an open file while it counts.
const DEPTH: usize = 256;
/// Bytes of what the kernel counts in.
const BLOCK: u64 = 512;

/// How much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Bytes.
    pub bytes: u64,
    /// Files, folders and links.
    pub files: u64,
}

/// How much there is, counted up to what is allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes.
    pub bytes: u64,
    /// Files, folders and links.
    pub files: u64,
    /// Whether folders are too deep within each other to be counted.
    pub is_too_deep: bool,
}

impl Allowed {
    /// What a disk of this size may hold.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, files: (bytes / BYTES_PER_FILE).max(FILES) }
    }
}

/// Why the container must end, if it must.
pub fn verdict(usage: Usage, allowed: Allowed) -> Option<String> {
    let evicted = |limit: &dyn Display| Some(format!("Workload evicted, storage limit exceeded ({limit})"));
    if usage.bytes > allowed.bytes {
        evicted(&size(allowed.bytes))
    } else if usage.files > allowed.files {
        evicted(&format_args!("{} files", allowed.files))
    } else if usage.is_too_deep {
        evicted(&format_args!("{DEPTH} folders within each other"))
    } else {
        None
    }
}

/// A size as rows of hardware have it: `50G`, `512Mi`.
fn size(bytes: u64) -> String {
    let units = [
        ("T", 1_000_000_000_000),
        ("Ti", 1 << 40),
        ("G", 1_000_000_000),
        ("Gi", 1 << 30),
        ("M", 1_000_000),
        ("Mi", 1 << 20),
    ];
    match units.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Counts a folder and all that is in it. Blocks; stops once it is more than allowed.
pub fn measure(folder: &Path, allowed: Allowed) -> io::Result<Usage> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut usage = Usage::default();
    let mut linked = HashSet::new();
    let mut open = vec![Dir::new(openat(CWD, folder, flags, Mode::empty())?)?];
    loop {
        let depth = open.len();
        let Some(dir) = open.last_mut() else { return Ok(usage) };
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let stat = match statat(dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // The container has removed it meanwhile.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        usage.files += 1;
        // A file with several names takes its room once.
        if stat.st_nlink < 2
            || FileType::from_raw_mode(stat.st_mode).is_dir()
            || linked.insert((stat.st_dev, stat.st_ino))
        {
            usage.bytes = usage.bytes.saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK);
        }
        if usage.bytes > allowed.bytes || usage.files > allowed.files {
            return Ok(usage);
        }
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            if depth == DEPTH {
                return Ok(Usage { is_too_deep: true, ..usage });
            }
            match openat(dir.fd()?, name, flags, Mode::empty()) {
                Ok(inner) => open.push(Dir::new(inner)?),
                // It is gone, or has become something else.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    const MUCH: Allowed = Allowed { bytes: u64::MAX, files: u64::MAX };

    #[test]
    fn the_reason_names_the_limit() {
        let allowed = Allowed::of(50_000_000_000);
        let usage = |bytes, files| Usage { bytes, files, is_too_deep: false };
        assert_eq!(verdict(usage(50_000_000_000, 1), allowed), None);
        let reason = |bytes, files| verdict(usage(bytes, files), allowed).unwrap();
        assert_eq!(reason(50_000_000_001, 1), "Workload evicted, storage limit exceeded (50G)");
        assert_eq!(reason(1, 3_051_758), "Workload evicted, storage limit exceeded (3051757 files)");
        let deep = Usage { is_too_deep: true, ..usage(1, 1) };
        let reason = verdict(deep, allowed).unwrap();
        assert_eq!(reason, "Workload evicted, storage limit exceeded (256 folders within each other)");
        for (bytes, text) in
            [(100 << 20, "100Mi"), (16 << 30, "16Gi"), (3_200_000_000_000, "3200G"), (1, "1"), (0, "0")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(Allowed::of(1).files, FILES);
    }

    #[test]
    fn what_lies_in_the_folder_is_counted_once_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/file"), vec![1; 100_000]).unwrap();
        fs::hard_link(path.join("a/b/file"), path.join("again")).unwrap();
        symlink("/usr", path.join("usr")).unwrap();
        let usage = measure(path, MUCH).unwrap();
        assert_eq!(usage.files, 5, "{usage:?}");
        let of = |name: &str| fs::symlink_metadata(path.join(name)).unwrap().blocks() * BLOCK;
        assert_eq!(usage.bytes, ["a", "a/b", "a/b/file", "usr"].into_iter().map(of).sum::<u64>(), "{usage:?}");
        assert!(usage.bytes >= 100_000, "{usage:?}");
        assert!(measure(&path.join("usr"), MUCH).is_err(), "a link is no folder");
        assert!(measure(&path.join("missing"), MUCH).is_err());
    }

    #[test]
    fn counting_stops_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        (0..100).for_each(|number| fs::write(folder.path().join(number.to_string()), [1; 5000]).unwrap());
        let few = Allowed { bytes: u64::MAX, files: 10 };
        assert_eq!(measure(folder.path(), few).unwrap().files, 11);
        let little = Allowed { bytes: 20_000, files: u64::MAX };
        let usage = measure(folder.path(), little).unwrap();
        assert!(usage.files < 10 && verdict(usage, little).is_some(), "{usage:?}");
    }

    #[test]
    fn folders_that_nobody_can_name_any_more_are_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        let name = "d".repeat(200);
        let mut dir = openat(CWD, folder.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&dir, &name, Mode::RWXU).unwrap();
            dir = openat(&dir, &name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let usage = measure(folder.path(), MUCH).unwrap();
        assert!(usage.is_too_deep, "{usage:?}");
        assert_eq!(usage.files, DEPTH as u64);
    }
}
