//! Who has which device: values and decisions, without locks, clocks and engines.

use std::collections::{BTreeMap, HashMap, HashSet};

use spaceport_backend_protocol::{Gpu, InstanceId, Word};

use super::found::Device;

/// How much of the memory that a row names a device must have, in hundredths: a driver keeps some for itself, and what is
/// sold as 16 GB reports less.
const ENOUGH: u128 = 90;

/// A moment between two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// An instance that runs, or is being started, with a device that is another's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its device {device} is another instance's")]
pub struct Conflict {
    /// The device.
    pub device: Word,
    /// Who has to be stopped.
    pub instance: InstanceId,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shortage {
    /// There are enough, and others have them.
    Busy { kind: Word, wanted: usize, free: usize, all: usize },
    /// There are not enough, ever.
    Never { kind: Word, wanted: usize, all: usize, too_small: usize, memory_each: u64 },
}

/// Owners of devices.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<Word, Held>,
    /// When a device last got or lost an owner.
    changed: HashMap<Word, u64>,
    /// Counts changes.
    now: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    owner: InstanceId,
    /// The number of the lease under which it is being started; none once it runs.
    starting: Option<u64>,
}

impl Leases {
    /// Chooses devices that nobody has: the smallest that do, so that larger ones are left for those who need them.
    pub(super) fn choose(&self, devices: &[Device], wanted: &Gpu) -> Result<Vec<Word>, Shortage> {
        let count = wanted.count.max(1);
        let memory_each = wanted.memory_bytes / u64::from(count);
        let is_enough = |device: &&Device| u128::from(device.memory_bytes) * 100 >= u128::from(memory_each) * ENOUGH;
        let of_kind = devices.iter().filter(|device| is_kind(&device.kind, &wanted.kind));
        let (mut fit, small): (Vec<_>, Vec<_>) = of_kind.partition(is_enough);
        let (kind, wanted, all) = (wanted.kind.clone(), count as usize, fit.len());
        if all < wanted {
            return Err(Shortage::Never { kind, wanted, all, too_small: small.len(), memory_each });
        }
        fit.retain(|device| !self.held.contains_key(&device.id));
        if fit.len() < wanted {
            return Err(Shortage::Busy { kind, wanted, free: fit.len(), all });
        }
        fit.sort_by_key(|device| (device.memory_bytes, &device.id));
        Ok(fit.into_iter().take(wanted).map(|device| device.id.clone()).collect())
    }

    /// Takes devices for a start; the lease's number and the devices.
    pub(super) fn lease(
        &mut self,
        devices: &[Device],
        owner: &InstanceId,
        wanted: &Gpu,
    ) -> Result<(u64, Vec<Word>), Shortage> {
        let chosen = self.choose(devices, wanted)?;
        let number = self.tick();
        for id in &chosen {
            self.give(id, Held { owner: owner.clone(), starting: Some(number) }, number);
        }
        Ok((number, chosen))
    }

    /// The start succeeded: what was leased is its owner's until it is released. False if any of it has become another's
    /// meanwhile; then the rest is free again.
    pub(super) fn keep(&mut self, number: u64, leased: &[Word]) -> bool {
        let is_whole = leased.iter().all(|id| self.held.get(id).is_some_and(|held| held.starting == Some(number)));
        if !is_whole {
            self.give_back(number);
            return false;
        }
        let now = self.tick();
        for id in leased {
            if let Some(held) = self.held.get_mut(id) {
                held.starting = None;
            }
            self.changed.insert(id.clone(), now);
        }
        true
    }

    /// The start came to nothing. What was kept is not a start's any more, and stays.
    pub(super) fn give_back(&mut self, number: u64) {
        self.free(|held| held.starting == Some(number));
    }

    /// An instance has ended.
    pub(super) fn release(&mut self, owner: &InstanceId) {
        self.free(|held| held.owner == *owner);
    }

    /// Devices with their owners.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&Word, &InstanceId)> {
        self.held.iter().map(|(id, held)| (id, &held.owner))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.now)
    }

    /// Takes over a list of what runs, asked for after the mark was taken. The first in the list to have a device is its
    /// owner; what changed since the mark stays as it is, and so does what is being started, unless something that runs
    /// has its device.
    pub(super) fn settle(&mut self, mark: Mark, running: &[(InstanceId, Vec<Word>)]) -> Vec<Conflict> {
        let is_newer = |changed: &HashMap<Word, u64>, id: &Word| changed.get(id).is_some_and(|when| *when > mark.0);
        let mut listed: BTreeMap<Word, InstanceId> = BTreeMap::new();
        let mut conflicts = Vec::new();
        for (owner, ids) in running {
            for id in ids.iter().filter(|id| !is_newer(&self.changed, id)) {
                let first = listed.entry(id.clone()).or_insert_with(|| owner.clone());
                if first != owner {
                    conflicts.push(Conflict { device: id.clone(), instance: owner.clone() });
                }
            }
        }
        let now = self.tick();
        for (id, owner) in &listed {
            let before = self.held.get(id).cloned();
            match before {
                Some(held) if held.owner == *owner => continue,
                Some(Held { owner: starting, starting: Some(_) }) => {
                    conflicts.push(Conflict { device: id.clone(), instance: starting });
                }
                _ => {}
            }
            self.give(id, Held { owner: owner.clone(), starting: None }, now);
        }
        let kept: HashSet<Word> =
            self.changed.iter().filter(|(_, when)| **when > mark.0).map(|(id, _)| id.clone()).collect();
        self.free_where(|id, held| held.starting.is_none() && !listed.contains_key(id) && !kept.contains(id));
        conflicts
    }

    fn free(&mut self, is_over: impl Fn(&Held) -> bool) {
        self.free_where(|_, held| is_over(held));
    }

    fn free_where(&mut self, is_over: impl Fn(&Word, &Held) -> bool) {
        let over: Vec<Word> =
            self.held.iter().filter(|(id, held)| is_over(id, held)).map(|(id, _)| id.clone()).collect();
        let now = self.tick();
        for id in over {
            self.held.remove(&id);
            self.changed.insert(id, now);
        }
    }

    fn give(&mut self, id: &Word, held: Held, now: u64) {
        self.held.insert(id.clone(), held);
        self.changed.insert(id.clone(), now);
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

/// Whether a device is of the model that is wanted.
pub(super) fn is_kind(kind: &Word, wanted: &Word) -> bool {
    kind.as_str().eq_ignore_ascii_case(wanted.as_str())
}

#[cfg(test)]
mod tests;
