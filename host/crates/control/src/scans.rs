//! Looking for secrets in what is pushed: whose turn it is, and what the answers make of what is known.
//!
//! A scan never holds up anybody for long: it is a task of its own, for whose result one may wait a little. Scans of one
//! Space run one after the other, and each compares with the head as it is then, so that the last one is right.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use spaceport_core::id::SpaceId;
use spaceport_core::leaks::MAX_FINDINGS;
use spaceport_core::revision::Oid;
use spaceport_db::Finding;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::ports::SecretScanner;

/// Scans at the same time: each takes a core for up to seconds.
const AT_ONCE: usize = 2;
/// Scans that wait or run. Beyond them a push is not scanned, which is logged.
const WAITING: usize = 64;

/// The scanner of this host, and turns to use it.
pub(crate) struct Scans {
    scanner: OnceLock<Arc<dyn SecretScanner>>,
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// Of Spaces that are being scanned or wait to be.
    turns: parking_lot::Mutex<HashMap<SpaceId, Arc<Mutex<()>>>>,
}

impl Default for Scans {
    fn default() -> Self {
        Self {
            scanner: OnceLock::new(),
            places: Arc::new(Semaphore::new(WAITING)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            turns: parking_lot::Mutex::default(),
        }
    }
}

/// A scan's turn.
pub(crate) struct Turn {
    _space: OwnedMutexGuard<()>,
    _running: Option<OwnedSemaphorePermit>,
}

impl Scans {
    /// Sets the scanner, once.
    pub(crate) fn set(&self, scanner: Arc<dyn SecretScanner>) {
        // A second one has nothing to do with this host any more than the first.
        let _ = self.scanner.set(scanner);
    }

    /// The scanner, if this host has one.
    pub(crate) fn scanner(&self) -> Option<Arc<dyn SecretScanner>> {
        self.scanner.get().cloned()
    }

    /// A place in the queue; none if it is full.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for the turn to scan a Space.
    pub(crate) async fn turn(&self, space: SpaceId) -> Turn {
        let turn = {
            let mut turns = self.turns.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(space).or_default())
        };
        // The semaphore is never closed.
        Turn { _space: turn.lock_owned().await, _running: self.running.clone().acquire_owned().await.ok() }
    }
}

/// The deploy branch's head, as far as findings are concerned.
#[derive(Debug, Default)]
pub(crate) struct HeadFiles {
    by_path: BTreeMap<String, Oid>,
    by_blob: HashMap<Oid, String>,
}

impl HeadFiles {
    pub(crate) fn new(files: impl Iterator<Item = (String, Oid)>) -> Self {
        let by_path: BTreeMap<String, Oid> = files.collect();
        let by_blob = by_path.iter().map(|(path, blob)| (*blob, path.clone())).collect();
        Self { by_path, by_blob }
    }

    /// The content of a file.
    pub(crate) fn blob(&self, path: &str) -> Option<Oid> {
        self.by_path.get(path).copied()
    }
}

/// The rows to be written, after these contents were scanned and these secrets found in them.
pub(crate) fn settle(
    known: &BTreeMap<String, Finding>,
    found: &BTreeMap<String, Finding>,
    scanned: &HashSet<Oid>,
    head: &HeadFiles,
) -> BTreeMap<String, Finding> {
    let mut all = known.clone();
    for (key, new) in found {
        let count = all.len();
        match all.get_mut(key) {
            // Since when it has been there stays as it was.
            Some(old) => {
                let (revision, found_at) = (old.revision, old.found_at);
                let is_revoked = old.is_revoked || new.is_revoked;
                // Of several contents with it, the one that is served counts.
                if head.by_blob.contains_key(&new.blob) || !head.by_blob.contains_key(&old.blob) {
                    *old = Finding { revision, found_at, is_revoked, ..new.clone() };
                } else {
                    old.is_revoked = is_revoked;
                }
            }
            None if count < MAX_FINDINGS => {
                all.insert(key.clone(), new.clone());
            }
            None => {}
        }
    }
    for finding in all.values_mut() {
        place(finding, scanned, head);
    }
    all.retain(|key, finding| known.get(key) != Some(finding));
    all
}

/// Says of a finding whether the head still has it, and where.
fn place(finding: &mut Finding, scanned: &HashSet<Oid>, head: &HeadFiles) {
    if head.blob(&finding.path) == Some(finding.blob) {
        finding.is_in_history = false;
    } else if let Some(path) = head.by_blob.get(&finding.blob) {
        finding.path.clone_from(path);
        finding.is_in_history = false;
    } else {
        // Of a content that nobody has looked through nothing is known, so what was said is not taken back.
        let is_looked_through = head.blob(&finding.path).is_none_or(|blob| scanned.contains(&blob));
        finding.is_in_history |= is_looked_through;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(byte: u8) -> Oid {
        Oid::from_bytes([byte; 20])
    }

    fn finding(path: &str, blob: u8) -> Finding {
        Finding {
            rule: "x".into(),
            path: path.into(),
            line: 1,
            blob: oid(blob),
            revision: oid(100 + blob),
            found_at: u64::from(blob),
            excerpt: "…".into(),
            is_revoked: false,
            is_in_history: false,
        }
    }

    fn rows(list: &[(&str, &Finding)]) -> BTreeMap<String, Finding> {
        list.iter().map(|(key, finding)| ((*key).to_owned(), (*finding).clone())).collect()
    }

    fn head(files: &[(&str, u8)]) -> HeadFiles {
        HeadFiles::new(files.iter().map(|(path, blob)| ((*path).to_owned(), oid(*blob))))
    }

    fn scanned(blobs: &[u8]) -> HashSet<Oid> {
        blobs.iter().map(|blob| oid(*blob)).collect()
    }

    #[test]
    fn a_secret_is_current_while_the_head_has_it_and_history_afterwards() {
        let first = finding("a", 1);
        assert_eq!(
            settle(&rows(&[]), &rows(&[("k", &first)]), &scanned(&[1]), &head(&[("a", 1)])),
            rows(&[("k", &first)])
        );
        let known = rows(&[("k", &first)]);
        let gone = Finding { is_in_history: true, ..first.clone() };
        for (files, scan) in [(head(&[]), scanned(&[])), (head(&[("a", 2)]), scanned(&[2]))] {
            assert_eq!(settle(&known, &rows(&[]), &scan, &files), rows(&[("k", &gone)]));
        }
        assert_eq!(settle(&known, &rows(&[]), &scanned(&[]), &head(&[("a", 1)])), rows(&[]), "nothing is new");
        // The head goes back to it.
        assert_eq!(settle(&rows(&[("k", &gone)]), &rows(&[]), &scanned(&[]), &head(&[("a", 1)])), known);
    }

    #[test]
    fn a_changed_file_that_was_not_looked_through_takes_nothing_back() {
        let known = rows(&[("k", &finding("a", 1))]);
        assert_eq!(settle(&known, &rows(&[]), &scanned(&[]), &head(&[("a", 2)])), rows(&[]));
    }

    #[test]
    fn a_secret_that_moves_within_its_file_or_with_it_is_the_same() {
        let known = rows(&[("k", &finding("a", 1))]);
        let moved = Finding { path: "b".into(), ..finding("a", 1) };
        assert_eq!(settle(&known, &rows(&[]), &scanned(&[]), &head(&[("b", 1)])), rows(&[("k", &moved)]));
        let again = Finding { line: 7, is_revoked: true, ..finding("a", 2) };
        let kept = Finding { revision: oid(101), found_at: 1, ..again.clone() };
        let settled = settle(&known, &rows(&[("k", &again)]), &scanned(&[2]), &head(&[("a", 2)]));
        assert_eq!(settled, rows(&[("k", &kept)]));
        // An older content with it, which only the history has, is no news.
        let settled = settle(&known, &rows(&[("k", &finding("a", 2))]), &scanned(&[2]), &head(&[("a", 1)]));
        assert_eq!(settled, rows(&[]));
    }

    #[test]
    fn a_secret_on_another_branch_is_in_the_history() {
        let new = finding("a", 1);
        let kept = Finding { is_in_history: true, ..new.clone() };
        assert_eq!(settle(&rows(&[]), &rows(&[("k", &new)]), &scanned(&[1]), &head(&[])), rows(&[("k", &kept)]));
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let many: BTreeMap<String, Finding> =
            (0..MAX_FINDINGS + 9).map(|n| (format!("{n}"), finding("a", 1))).collect();
        assert_eq!(settle(&rows(&[]), &many, &scanned(&[1]), &head(&[("a", 1)])).len(), MAX_FINDINGS);
    }
}
