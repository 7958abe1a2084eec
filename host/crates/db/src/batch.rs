//! A batch: changes that are stored all together or not at all, and what must hold for them to be.
//!
//! Expectations are checked by the one thread that writes, after every batch before this one, so a unique name or an
//! unchanged row is settled there and nowhere else.

use crate::journal::Change;
use crate::key::Key;
use crate::record::Record;
use crate::table::{Table, TableId, Version};

/// Largest batch, keys and values together: a batch is one record of the journal and is held in memory a few times over.
pub const MAX_BATCH: usize = 8 << 20;

/// What must hold for a row when the batch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such row.
    Absent,
    /// There is such a row.
    Present,
    /// The row is as it was when this version was read.
    Version(Version),
}

/// Changes to commit together with [`crate::Db::commit`].
#[derive(Debug, Default, Clone)]
pub struct Batch {
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) changes: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) table: TableId,
    pub(crate) key: Vec<u8>,
    pub(crate) expect: Expect,
}

impl Batch {
    /// Sets a row, whatever was there.
    pub fn put<K: Key, V: Record>(&mut self, table: Table<'_, K, V>, key: &K, value: &V) -> &mut Self {
        self.changes.push(Change { key: table.full_key(key), value: Some(stored(value)) });
        self
    }

    /// Adds a row; the batch conflicts if there is one.
    pub fn insert_new<K: Key, V: Record>(&mut self, table: Table<'_, K, V>, key: &K, value: &V) -> &mut Self {
        self.expect(table, key, Expect::Absent).put(table, key, value)
    }

    /// Sets a row that must still be as it was read by [`Table::get_versioned`].
    pub fn replace<K: Key, V: Record>(
        &mut self,
        table: Table<'_, K, V>,
        key: &K,
        value: &V,
        version: Version,
    ) -> &mut Self {
        self.expect(table, key, Expect::Version(version)).put(table, key, value)
    }

    /// Removes a row, if there is one.
    pub fn delete<K: Key, V: Record>(&mut self, table: Table<'_, K, V>, key: &K) -> &mut Self {
        self.changes.push(Change { key: table.full_key(key), value: None });
        self
    }

    /// Demands something of a row; the batch conflicts if it does not hold.
    pub fn expect<K: Key, V: Record>(&mut self, table: Table<'_, K, V>, key: &K, expect: Expect) -> &mut Self {
        self.expectations.push(Expectation { table: table.id, key: table.full_key(key), expect });
        self
    }

    /// Adds the changes of another batch, and what must hold for them.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.expectations.extend(other.expectations);
        self.changes.extend(other.changes);
        self
    }

    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn size(&self) -> usize {
        self.changes.iter().map(Change::size).sum()
    }
}

fn stored<V: Record>(value: &V) -> Vec<u8> {
    let mut bytes = vec![V::VERSION];
    value.encode(&mut bytes);
    bytes
}
