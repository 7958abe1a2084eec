//! What Spaces use that is paid for, written down every minute.
//!
//! Each supervisor notes in its Space's [`Tally`] since when the Space is on which flavor. Once a minute, and when the host
//! stops, everything up to now goes into the row of the day, which says up to when it counts. A host that is killed loses
//! what it had not written, a minute at most; and nothing is counted twice, since a row takes only what comes after what it
//! has. One writer at a time: whoever has the [`Ledger`]'s turn.

mod sweep;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_core::billing::{MINUTE, by_day, day_of, micro_dollars, month_of};
use spaceport_core::grant::Grant;
use spaceport_core::lifecycle::Millis;
use spaceport_db::{Batch, DayUsage, ReadError, Stay, TierUse, UsageKey};
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use crate::fleet::{FleetError, Shared};
use crate::supervisor::member::Member;
use tally::Span;

pub(crate) use tally::Tally;

/// Time between two looks at the clock.
const LOOK: Duration = Duration::from_secs(5);
/// Spaces whose rows go into one batch: far below the largest batch, and one fsync for most hosts.
const AT_ONCE: usize = 1000;
/// Minutes between two removals of what is too old.
const SWEEP_EVERY: u64 = 60;

/// Who writes, and what of this month's storage is written.
#[derive(Default)]
pub(crate) struct Ledger {
    turn: tokio::sync::Mutex<()>,
    noted: Mutex<HashSet<(UsageKey, String)>>,
}

/// What was written of a Space, to be noted once it is durable.
struct Entered {
    member: Arc<Member>,
    fuel: u64,
}

impl Ledger {
    /// Waits for the turn to write.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

/// Writes down every minute what is used, until the fleet is gone or the host stops.
pub(crate) async fn run(fleet: Weak<Shared>, closing: CancellationToken) {
    let mut last = None;
    loop {
        let goes_on = closing.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some();
        let Some(shared) = fleet.upgrade() else { return };
        let minute = shared.clock.now() / MINUTE;
        if last != Some(minute) || !goes_on {
            if let Err(error) = write_down(&shared).await {
                tracing::warn!(%error, "what Spaces have used is not written down; it will be with the next minute");
            }
            if goes_on && (last.is_none() || minute.is_multiple_of(SWEEP_EVERY)) {
                sweep::sweep(&shared).await;
            }
            last = Some(minute);
        }
        if !goes_on {
            return;
        }
    }
}

/// Writes down everything up to now.
pub(crate) async fn write_down(shared: &Arc<Shared>) -> Result<(), FleetError> {
    let _turn = shared.ledger.turn().await;
    let now = shared.clock.now();
    for members in shared.members().chunks(AT_ONCE) {
        let (shared_too, members) = (shared.clone(), members.to_vec());
        let entered = blocking(move || enter_all(&shared_too, members, now));
        let (batch, entered) = entered.await?;
        if !batch.is_empty() {
            shared.db.commit(batch).await?;
        }
        for Entered { member, fuel } in entered {
            member.tally.lock().settle(now, fuel);
        }
    }
    let shared_too = shared.clone();
    let (batch, noted) = blocking(move || storage_of_month(&shared_too, now)).await?;
    if !batch.is_empty() {
        shared.db.commit(batch).await?;
    }
    shared.ledger.noted.lock().extend(noted);
    Ok(())
}

/// The last rows of a Space that is about to be deleted. The caller has the turn.
pub(crate) fn last_rows(shared: &Shared, member: &Arc<Member>) -> Result<Batch, ReadError> {
    let mut batch = Batch::default();
    enter(shared, member, shared.clock.now(), &mut batch)?;
    Ok(batch)
}

fn enter_all(shared: &Shared, members: Vec<Arc<Member>>, now: Millis) -> Result<(Batch, Vec<Entered>), ReadError> {
    let (mut batch, mut entered) = (Batch::default(), Vec::new());
    for member in members {
        if let Some(fuel) = enter(shared, &member, now, &mut batch)? {
            entered.push(Entered { member, fuel });
        }
    }
    Ok((batch, entered))
}

/// Adds to a batch what a Space has used and what is not written yet; the reading of its fuel, if there is anything.
fn enter(shared: &Shared, member: &Arc<Member>, now: Millis, batch: &mut Batch) -> Result<Option<u64>, ReadError> {
    let fuel = member.meter.lock().total().fuel;
    let (spans, fuel_before) = member.tally.lock().due(now);
    let burnt = fuel.saturating_sub(fuel_before);
    if spans.is_empty() && burnt == 0 {
        return Ok(None);
    }
    let entry = member.slot.entry.load();
    let (path, owner) = (entry.path.to_string(), entry.owner);
    let grants = grants(shared, member)?;
    let mut rows = BTreeMap::<UsageKey, DayUsage>::new();
    for span in &spans {
        for (day, from, to) in by_day(span.from, span.to) {
            let key = UsageKey { period: day, owner: span.owner, space: member.space };
            let row = row(shared, &mut rows, key)?;
            let from = from.max(row.counted_to);
            if from < to {
                add(row, stay(shared, span, &grants, (from, to)));
            }
        }
    }
    if burnt > 0 {
        let row = row(shared, &mut rows, UsageKey { period: day_of(now), owner, space: member.space })?;
        // A row that counts further has had this fuel already.
        row.fuel += if row.counted_to < now { burnt } else { 0 };
    }
    for (key, row) in &mut rows {
        row.counted_to = row.counted_to.max(now);
        row.path.clone_from(&path);
        batch.put(shared.db.usage(), key, row);
    }
    Ok(Some(fuel))
}

fn row<'a>(
    shared: &Shared,
    rows: &'a mut BTreeMap<UsageKey, DayUsage>,
    key: UsageKey,
) -> Result<&'a mut DayUsage, ReadError> {
    use std::collections::btree_map::Entry;
    Ok(match rows.entry(key) {
        Entry::Occupied(there) => there.into_mut(),
        Entry::Vacant(free) => free.insert(shared.db.usage().get(&key)?.unwrap_or_default()),
    })
}

fn grants(shared: &Shared, member: &Member) -> Result<Vec<Grant>, ReadError> {
    Ok(shared.db.grants().under(&member.space)?.into_iter().map(|(_, grant)| grant).collect())
}

/// A part of a span with what it costs.
fn stay(shared: &Shared, span: &Span, grants: &[Grant], (from, to): (Millis, Millis)) -> Stay {
    let price = shared.catalogue().flavor(&span.flavor).map_or(0, |row| micro_dollars(row.price_per_hour));
    let grant = grants.iter().find(|grant| grant.covers(&span.flavor, from, to)).filter(|_| price > 0);
    Stay { flavor: span.flavor.clone(), price, grant: grant.map(|grant| grant.id), millis: to - from }
}

fn add(row: &mut DayUsage, stay: Stay) {
    let same = |there: &&mut Stay| (&there.flavor, there.price, there.grant) == (&stay.flavor, stay.price, stay.grant);
    match row.stays.iter_mut().find(same) {
        Some(there) => there.millis += stay.millis,
        None => row.stays.push(stay),
    }
}

/// The storage tiers that are not written for this month yet.
fn storage_of_month(shared: &Shared, now: Millis) -> Result<(Batch, Vec<(UsageKey, String)>), ReadError> {
    let month = month_of(day_of(now));
    shared.ledger.noted.lock().retain(|(key, _)| key.period == month);
    let (mut batch, mut noted) = (Batch::default(), Vec::new());
    for space in shared.db.all_spaces()?.iter() {
        let Some(tier) = &space.storage else { continue };
        let note = (UsageKey { period: month, owner: space.owner, space: space.id }, tier.clone());
        if shared.ledger.noted.lock().contains(&note) {
            continue;
        }
        let mut row = shared.db.storage_months().get(&note.0)?.unwrap_or_default();
        if row.tiers.iter().all(|there| there.tier != *tier) {
            let price = shared.catalogue().tier(tier).map_or(0, |row| micro_dollars(row.price_per_month));
            row.tiers.push(TierUse { tier: tier.clone(), price, since: now });
            row.path = space.path.to_string();
            batch.put(shared.db.storage_months(), &note.0, &row);
        }
        noted.push(note);
    }
    Ok((batch, noted))
}

/// Runs what reads many rows where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, FleetError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| FleetError::Panicked)??)
}
