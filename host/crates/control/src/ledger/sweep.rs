//! Removing what is kept for a time only: old usage, and entries of the audit log that are too old or too many.

use std::sync::Arc;

use spaceport_core::billing::{DAY, day_of, month_of};
use spaceport_core::lifecycle::Millis;
use spaceport_db::{Batch, CommitError, Db, Key, ReadError, Record, Table};

use crate::fleet::{FleetError, Shared};

/// Days for which usage is kept: bills of three years.
const USAGE_DAYS: u64 = 3 * 366;
/// Days for which the audit log is kept: a year, and the time to notice.
const AUDIT_DAYS: u64 = 400;
/// Entries of the audit log that are kept: some 40 MB. A host that makes more in a year is looked after by people who
/// take them elsewhere.
pub(super) const AUDIT_ENTRIES: usize = 100_000;
/// Rows removed in one batch.
const AT_ONCE: usize = 1000;

/// Removes what is too old.
pub(super) async fn sweep(shared: &Arc<Shared>) {
    if let Err(error) = try_sweep(shared, AUDIT_ENTRIES).await {
        tracing::warn!(%error, "old usage and old entries of the audit log stay for another hour");
    }
}

/// The same, with another number of entries to be kept.
pub(super) async fn try_sweep(shared: &Arc<Shared>, entries: usize) -> Result<(), FleetError> {
    let (db, now) = (&shared.db, shared.clock.now());
    let day = day_of(now).saturating_sub(USAGE_DAYS);
    let audit_from: Millis = now.saturating_sub(AUDIT_DAYS * DAY);
    remove_first(db, Db::usage, |key| key.period < day, usize::MAX).await?;
    remove_first(db, Db::storage_months, |key| key.period < month_of(day), usize::MAX).await?;
    remove_first(db, Db::audit, |key| key.at < audit_from, usize::MAX).await?;
    let counting = db.clone();
    let count = tokio::task::spawn_blocking(move || counting.audit().count()).await;
    let surplus = count.map_err(|_| FleetError::Panicked)??.saturating_sub(entries);
    remove_first(db, Db::audit, |_| true, surplus).await
}

/// Removes rows from the first on, as long as they are old, and at most so many.
async fn remove_first<K: Key, V: Record>(
    db: &Db,
    table: impl for<'a> Fn(&'a Db) -> Table<'a, K, V>,
    is_old: impl Fn(&K) -> bool,
    mut most: usize,
) -> Result<(), FleetError> {
    loop {
        let (batch, count) = first_old(db, &table, &is_old, most.min(AT_ONCE))?;
        if count == 0 {
            return Ok(());
        }
        store(db, batch).await?;
        most -= count;
    }
}

fn first_old<K: Key, V: Record>(
    db: &Db,
    table: impl for<'a> Fn(&'a Db) -> Table<'a, K, V>,
    is_old: impl Fn(&K) -> bool,
    most: usize,
) -> Result<(Batch, usize), ReadError> {
    let (mut batch, mut count) = (Batch::default(), 0);
    for (key, _) in table(db).first(most)?.into_iter().take_while(|(key, _)| is_old(key)) {
        batch.delete(table(db), &key);
        count += 1;
    }
    Ok((batch, count))
}

async fn store(db: &Db, batch: Batch) -> Result<(), CommitError> {
    db.commit(batch).await.map(drop)
}
