//! Removing what nobody needs: contents that no Space has any more, and uploads in parts that nobody goes on with.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use cap_std::fs::Dir;
use spaceport_core::id::SpaceId;
use spaceport_core::lfs::LfsOid;
use spaceport_db::Batch;

use super::{LfsError, LfsStore, OBJECTS, PARTS};

/// How long an upload in parts may pause.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

impl LfsStore {
    /// Removes what a Space that was deleted has or was being sent. Its rows went with it, but one that was stored in that
    /// very moment did not; from here on none is, since uploads ask for the Space while they hold the turn.
    pub(crate) async fn forget(&self, space: SpaceId) -> Result<(), LfsError> {
        let _turn = self.shared.turn.lock().await;
        let links = self.shared.db.lfs_links();
        let mut batch = Batch::default();
        for (key, _) in links.under(&space)? {
            batch.delete(links, &key);
        }
        if !batch.is_empty() {
            self.shared.db.commit(batch).await.map_err(LfsError::Commit)?;
        }
        self.blocking("remove parts of large files", move |shared| {
            let parts = shared.dir.open_dir(PARTS)?;
            let its = format!("{space}-");
            for entry in parts.entries()? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(&its) {
                    entry.remove_file()?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes contents without a Space; how many. Uploads that end meanwhile wait for it.
    pub(crate) async fn collect(&self) -> Result<usize, LfsError> {
        let _turn = self.shared.turn.lock().await;
        let linked = self.shared.db.linked_lfs()?;
        self.blocking("remove large files that no Space has", move |shared| {
            remove_unlinked(&shared.dir.open_dir(OBJECTS)?, &linked)
        })
        .await
    }

    /// Removes uploads in parts that have paused for too long. One that somebody works on at this moment has not.
    pub(crate) async fn drop_stale_parts(&self) -> Result<(), LfsError> {
        let oldest = Duration::from_millis(self.shared.clock.now()).saturating_sub(PAUSE);
        let store = self.clone();
        self.blocking("remove parts of large files", move |shared| {
            let parts = shared.dir.open_dir(PARTS)?;
            for entry in parts.entries()? {
                let entry = entry?;
                let name = format!("{PARTS}/{}", entry.file_name().to_string_lossy());
                let Ok(_alone) = store.lock(&name).try_write_owned() else { continue };
                let changed = entry.metadata()?.modified()?.into_std();
                if changed.duration_since(UNIX_EPOCH).is_ok_and(|changed| changed < oldest) {
                    entry.remove_file()?;
                }
            }
            Ok(())
        })
        .await
    }
}

fn remove_unlinked(objects: &Dir, linked: &HashSet<LfsOid>) -> io::Result<usize> {
    let mut removed = 0;
    for shelf in objects.entries()? {
        let shelf = shelf?.open_dir()?;
        for entry in shelf.entries()? {
            let entry = entry?;
            let oid = entry.file_name().to_str().and_then(|name| name.parse::<LfsOid>().ok());
            if oid.is_some_and(|oid| !linked.contains(&oid)) {
                entry.remove_file()?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
