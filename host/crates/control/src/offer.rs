//! What Spaces can run on: the rows of the configuration, and what administrators have made of them since. Their changes are
//! rows of the database; here is what they come to now, for whoever is about to start, charge or list.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use spaceport_core::hardware::Catalogue;
use spaceport_db::{Batch, Db, HardwareChange, ReadError};
use tokio::sync::{Mutex, MutexGuard};

use crate::fleet::{FleetError, Shared};

/// The rows on offer.
pub(crate) struct Offer {
    configured: Catalogue,
    now: ArcSwap<Catalogue>,
    /// What administrators have said, by flavor; whoever has it may say more.
    changes: Mutex<Changes>,
}

/// What administrators have said, by flavor.
pub(crate) type Changes = BTreeMap<String, HardwareChange>;

impl Offer {
    /// The configured rows with what is stored of their changes.
    pub(crate) fn load(configured: Catalogue, db: &Db) -> Result<Self, ReadError> {
        let changes: Changes = db.hardware_changes().scan()?.into_iter().collect();
        let now = ArcSwap::from_pointee(merged(&configured, &changes));
        Ok(Self { configured, now, changes: Mutex::new(changes) })
    }

    /// The rows on offer.
    pub(crate) fn now(&self) -> Arc<Catalogue> {
        self.now.load_full()
    }

    /// The turn to change them; others wait until it is dropped.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().await
    }
}

/// The configured rows in their order, as changed, then those that the configuration does not know, by name.
fn merged(configured: &Catalogue, changes: &Changes) -> Catalogue {
    let mut catalogue = configured.clone();
    for (name, change) in changes {
        match change {
            HardwareChange::Offered(row) => catalogue.set_hardware(row.clone()),
            HardwareChange::Withdrawn => catalogue.remove_hardware(name),
        }
    }
    catalogue
}

impl Shared {
    /// Changes a row, durably and with more to be stored in the same step. What runs keeps what it was started with.
    pub(crate) async fn change_hardware(
        &self,
        changes: &mut Changes,
        name: &str,
        change: HardwareChange,
        mut batch: Batch,
    ) -> Result<(), FleetError> {
        let (table, key) = (self.db.hardware_changes(), name.to_owned());
        // What the configuration does not know needs no word that it is not offered.
        let is_forgotten = change == HardwareChange::Withdrawn && self.offer.configured.flavor(name).is_none();
        match is_forgotten {
            true => batch.delete(table, &key),
            false => batch.put(table, &key, &change),
        };
        self.db.commit(batch).await?;
        match is_forgotten {
            true => changes.remove(&key),
            false => changes.insert(key, change),
        };
        let now = merged(&self.offer.configured, changes);
        for backend in &self.backends {
            backend.offer(&now);
        }
        self.offer.now.store(Arc::new(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use spaceport_core::hardware::Hardware;

    use super::*;

    #[test]
    fn changed_rows_keep_their_place_and_new_ones_come_last() {
        let configured = Catalogue::default();
        let row = |name: &str| Hardware { name: name.into(), vcpu: 0.5, ..configured.hardware[0].clone() };
        let changes = Changes::from([
            ("a-new".to_owned(), HardwareChange::Offered(row("a-new"))),
            ("cpu-upgrade".to_owned(), HardwareChange::Offered(row("cpu-upgrade"))),
            ("gone".to_owned(), HardwareChange::Withdrawn),
            ("t4-small".to_owned(), HardwareChange::Withdrawn),
        ]);
        let merged = merged(&configured, &changes);
        let names: Vec<&str> = merged.hardware.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names[..3], ["cpu-basic", "cpu-upgrade", "t4-medium"]);
        assert_eq!((names.last(), names.len()), (Some(&"a-new"), configured.hardware.len()));
        assert_eq!(merged.flavor("cpu-upgrade").unwrap().vcpu, 0.5);
    }
}
