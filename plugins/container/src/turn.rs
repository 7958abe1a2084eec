//! The right to change what all plugins of a machine share: a lock on a file, which ends with whoever has it.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Where all plugins of this machine find what they share.
pub(crate) const COMMONS: &str = "/run/spaceport";
/// How long others may have it: trying a rule takes seconds, and several may be waiting.
const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two looks whether it is free.
const LOOK: Duration = Duration::from_millis(20);

/// The right, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "it is locked as long as it is open")] File);

impl Turn {
    /// Waits until nobody else has it. The folder is made if there is none.
    pub(crate) async fn take(folder: &Path, name: &str) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", folder.display());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let file = made.and_then(|()| File::create(folder.join(name))).map_err(|error| failed(&error))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
                Err(TryLockError::WouldBlock) if Instant::now() > end => {
                    return Err(failed(&format_args!("another host has had its turn for {} s", PATIENCE.as_secs())));
                }
                Err(TryLockError::WouldBlock) => sleep(LOOK).await,
            }
        }
    }
}
