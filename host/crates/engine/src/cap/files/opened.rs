//! The files that a Space's guests have open, which are the host's descriptors: a process has only so many.

use std::fs::File;
use std::sync::Weak;

use parking_lot::Mutex;
use wasmtime_wasi::filesystem::Descriptor;

/// Files and directories that a Space may have open: as many as a process of its own would get from most systems.
const MOST: usize = 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Opened(Mutex<Vec<Weak<File>>>);

impl Opened {
    /// Counts what was opened. Says whether it may stay open.
    pub(super) fn admit(&self, descriptor: &Descriptor) -> bool {
        let file = match descriptor {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(dir) => &dir.dir,
        };
        let mut open = self.0.lock();
        if open.len() >= MOST {
            open.retain(|file| file.strong_count() > 0);
        }
        let has_room = open.len() < MOST;
        if has_room {
            open.push(std::sync::Arc::downgrade(file));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi::filesystem::Dir;
    use wasmtime_wasi::{FsPerms, OpenMode};

    #[test]
    fn what_is_closed_makes_room() {
        let opened = Opened::default();
        let open = || Descriptor::Dir(Dir::new(File::open("/").unwrap(), FsPerms::ReadOnly, OpenMode::READ, false));
        let mut held: Vec<_> = (0..MOST).map(|_| open()).collect();
        assert!(held.iter().all(|descriptor| opened.admit(descriptor)));
        assert!(!opened.admit(&open()));
        held.truncate(MOST - 1);
        assert!(opened.admit(&open()));
    }
}
