//! Which rows have changed, of the tables that somebody keeps decoded ([`crate::shelf`]): noted before a change is
//! acknowledged, and taken by whoever brings what is kept up to date.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::journal::Change;
use crate::table::TableId;

/// Keys noted of one table; beyond, the table is read anew, which costs about as much as so many rows.
const MOST: usize = 4096;

/// What has changed since it was taken last.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Perhaps every row.
    Everything,
    /// The rows of these stored keys, or none.
    Rows(BTreeSet<Vec<u8>>),
}

/// What has changed, by table.
pub(crate) struct Watched {
    tables: [(TableId, Mutex<Changed>); 2],
}

impl Default for Watched {
    fn default() -> Self {
        Self { tables: [TableId::Spaces, TableId::Likes].map(|table| (table, Mutex::new(Changed::Everything))) }
    }
}

impl Watched {
    /// Notes the rows that were changed. Called after they were.
    pub(crate) fn note(&self, changes: &[(u64, Change)]) {
        for (table, changed) in &self.tables {
            let of_table = |key: &&Vec<u8>| key.first() == Some(&(*table as u8));
            for key in changes.iter().map(|(_, change)| &change.key).filter(of_table) {
                changed.lock().add(key);
            }
        }
    }

    /// Notes that any row may have changed.
    pub(crate) fn note_everything(&self) {
        self.tables.iter().for_each(|(_, changed)| *changed.lock() = Changed::Everything);
    }

    /// What has changed of a table since the last call. Of one that is not watched, everything.
    pub(crate) fn take(&self, table: TableId) -> Changed {
        let changed = self.tables.iter().find(|(watched, _)| *watched == table);
        changed.map_or(Changed::Everything, |(_, changed)| {
            std::mem::replace(&mut *changed.lock(), Changed::Rows(BTreeSet::new()))
        })
    }
}

impl Changed {
    fn add(&mut self, key: &[u8]) {
        if let Self::Rows(keys) = self {
            keys.insert(key.to_owned());
            if keys.len() > MOST {
                *self = Self::Everything;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(table: TableId, key: u16) -> (u64, Change) {
        let [high, low] = key.to_be_bytes();
        (1, Change { key: vec![table as u8, high, low], value: None })
    }

    #[test]
    fn rows_are_told_once_and_of_their_table_only() {
        let watched = Watched::default();
        assert_eq!(watched.take(TableId::Likes), Changed::Everything, "nothing was read yet");
        watched.note(&[change(TableId::Likes, 7), change(TableId::Tokens, 8), change(TableId::Likes, 7)]);
        assert_eq!(watched.take(TableId::Likes), Changed::Rows([vec![TableId::Likes as u8, 0, 7]].into()));
        assert_eq!(watched.take(TableId::Likes), Changed::Rows([].into()));
        assert_eq!(watched.take(TableId::Spaces), Changed::Everything);
        watched.note_everything();
        watched.note(&[change(TableId::Likes, 9)]);
        assert_eq!(watched.take(TableId::Likes), Changed::Everything);
    }

    #[test]
    fn what_nobody_takes_does_not_grow_for_ever() {
        let watched = Watched::default();
        watched.take(TableId::Spaces);
        for key in 0..u16::try_from(MOST + 1).unwrap() {
            watched.note(&[change(TableId::Spaces, key)]);
        }
        assert_eq!(watched.take(TableId::Spaces), Changed::Everything);
    }
}
