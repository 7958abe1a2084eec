//! Locks of files, which tell other processes to keep out.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

/// How long a lock may stay with who is done with it: until it is another program, a child that was just begun has all that
/// its parent had when that was killed; sled's threads hold its files for a moment after it was closed. Twice what that took
/// when a machine was busy.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
/// Time between two looks whether it is free.
const LOOK: Duration = Duration::from_millis(20);

/// Locks a file for as long as it is open. Whoever has had the lock for a while is using it.
pub(crate) fn take(file: &File) -> Result<(), TryLockError> {
    let end = Instant::now() + LEFT_BEHIND;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(LOOK),
            outcome => return outcome,
        }
    }
}
