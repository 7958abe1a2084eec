//! Contents of files by their ids, several at once.

use bytes::Bytes;
use spaceport_core::revision::Oid;

use super::Repo;
use crate::error::GitError;

impl Repo {
    /// The contents of files, in this order; `None` for what is no file. All are held in memory, and none may have more
    /// than `largest` bytes.
    pub async fn read_blobs(&self, ids: &[Oid], largest: u64) -> Result<Vec<Option<Bytes>>, GitError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.read_objects(ids.iter().map(Oid::to_string).collect(), largest).await
    }
}
