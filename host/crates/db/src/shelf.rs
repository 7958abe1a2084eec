//! Tables kept decoded and at hand: all Spaces and all likes, since lists are asked for far more often than one of these
//! changes.
//!
//! The index notes which rows have changed before a change is acknowledged ([`crate::index::Watched`]); whoever asks reads
//! just these again. So whoever was told of a change finds it here, and a change costs one row, however many there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use spaceport_core::id::{AccountId, SpaceId};
use spaceport_core::space::Space;

use crate::db::Db;
use crate::error::ReadError;
use crate::index::{Changed, Index};
use crate::key::Key;
use crate::like::Like;
use crate::record::Record;
use crate::table::Table;

/// Likes by Space and account.
pub type Likes = BTreeMap<(SpaceId, AccountId), Like>;

/// What is kept.
#[derive(Default)]
pub(crate) struct Shelf {
    spaces: Mutex<Spaces>,
    likes: Mutex<Kept<(SpaceId, AccountId), Like>>,
}

#[derive(Default)]
struct Spaces {
    kept: Kept<SpaceId, Arc<Space>>,
    list: Arc<Vec<Arc<Space>>>,
}

/// The rows of a table.
struct Kept<K, V> {
    rows: BTreeMap<K, V>,
    /// Whether they are as they were when the index was last asked for changes.
    is_sound: bool,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), is_sound: false }
    }
}

impl<K: Key + Ord, V> Kept<K, V> {
    /// Brings the rows up to those of the table; whether any has changed.
    fn refresh<R: Record>(
        &mut self,
        index: &Index,
        table: Table<'_, K, R>,
        keep: impl Fn(R) -> V,
    ) -> Result<bool, ReadError> {
        // Asked before the rows are read: a change that comes between is read again the next time.
        let changed = index.watched().take(table.id);
        // What was taken and could not be read is lost, so after an error all is read.
        let was_sound = std::mem::replace(&mut self.is_sound, false);
        let has_changed = match changed {
            Changed::Rows(keys) if was_sound => {
                for stored in &keys {
                    let key = table.key(stored)?;
                    match table.get(&key)? {
                        Some(value) => self.rows.insert(key, keep(value)),
                        None => self.rows.remove(&key),
                    };
                }
                !keys.is_empty()
            }
            Changed::Rows(_) | Changed::Everything => {
                self.rows = table.scan()?.into_iter().map(|(key, value)| (key, keep(value))).collect();
                true
            }
        };
        self.is_sound = true;
        Ok(has_changed)
    }
}

impl Db {
    /// Every Space but previews, in the order of ids. Costs nothing while none changes.
    pub fn all_spaces(&self) -> Result<Arc<Vec<Arc<Space>>>, ReadError> {
        let mut spaces = self.shelf().spaces.lock();
        if spaces.kept.refresh(self.index(), self.spaces(), Arc::new)? {
            let shown = spaces.kept.rows.values().filter(|space| space.preview.is_none());
            spaces.list = Arc::new(shown.cloned().collect());
        }
        Ok(spaces.list.clone())
    }

    /// Looks at all likes, which are held meanwhile: for what is quick.
    pub fn with_likes<T>(&self, look: impl FnOnce(&Likes) -> T) -> Result<T, ReadError> {
        let mut likes = self.shelf().likes.lock();
        likes.refresh(self.index(), self.likes(), |like| like)?;
        Ok(look(&likes.rows))
    }
}
