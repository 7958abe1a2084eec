//! All Spaces, decoded and at hand: lists are asked for far more often than Spaces change.
//!
//! What is kept is compared with the index by a count of the changes that touched the table, which is raised before a
//! change is acknowledged: whoever was told of a change finds it here. After a change only rows of another version are
//! decoded again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use spaceport_core::id::SpaceId;
use spaceport_core::space::Space;

use crate::db::Db;
use crate::error::ReadError;

/// What was read last.
#[derive(Default)]
pub(crate) struct Shelf {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The count of changes before it was read; `None`: nothing was.
    at: Option<u64>,
    rows: HashMap<SpaceId, (u64, Arc<Space>)>,
    list: Arc<Vec<Arc<Space>>>,
}

impl Db {
    /// Every Space but previews, in the order of ids. Costs nothing while none changes.
    pub fn all_spaces(&self) -> Result<Arc<Vec<Arc<Space>>>, ReadError> {
        let mut state = self.shelf().state.lock();
        // Read before the rows: a change that comes between is read again the next time.
        let count = self.index().space_changes();
        if state.at == Some(count) {
            return Ok(state.list.clone());
        }
        let table = self.spaces();
        let mut rows = HashMap::new();
        let mut list = Vec::new();
        for (id, row) in table.scan_stored()? {
            let space = match state.rows.get(&id).filter(|(version, _)| *version == row.version) {
                Some((_, space)) => space.clone(),
                None => Arc::new(table.value(&row.value)?),
            };
            rows.insert(id, (row.version, space.clone()));
            if space.preview.is_none() {
                list.push(space);
            }
        }
        *state = State { at: Some(count), rows, list: Arc::new(list) };
        Ok(state.list.clone())
    }
}
