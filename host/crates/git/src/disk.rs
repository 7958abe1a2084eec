//! What is left on a disk for content that comes from outside: pushes and large files.

use std::io;
use std::path::Path;

/// What such content leaves free, so that everything else can still be written.
const RESERVE: u64 = 1 << 30;

/// Bytes that content may still take on the disk of a folder, beside what everything else needs.
pub fn room(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(RESERVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_no_room() {
        let folder = std::env::temp_dir();
        let disk = rustix::fs::statvfs(&folder).unwrap();
        // Others write to the disk at the same time, but not that much.
        let free = disk.f_bavail * disk.f_frsize;
        let room = room(&folder).unwrap();
        assert!(room <= free.saturating_sub(RESERVE / 2), "{room} of {free}");
        assert!(super::room(Path::new("/there/is/no/such/folder")).is_err());
    }
}
