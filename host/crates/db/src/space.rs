//! Spaces: their rows in all the tables that know them.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::State;
use spaceport_core::name::SpacePath;
use spaceport_core::space::Space;

use crate::batch::{Batch, Expect};
use crate::db::Db;
use crate::error::ReadError;

impl Batch {
    /// Adds a Space that was never built, over the mark that was left before its repository was made. Conflicts in
    /// `SpacePaths` or `Subdomains` if one of the two is taken.
    pub fn insert_space(&mut self, db: &Db, space: &Space) -> &mut Self {
        self.insert_new(db.space_paths(), &space.path.key(), &space.id);
        self.insert_new(db.subdomains(), &space.subdomain.as_str().to_owned(), &space.id);
        self.insert_new(db.spaces(), &space.id, space);
        self.put(db.lifecycles(), &space.id, &State::default())
    }

    /// Changes the settings of a Space that must still exist; its path and subdomain stay as they are.
    pub fn update_space(&mut self, db: &Db, space: &Space) -> &mut Self {
        self.expect(db.spaces(), &space.id, Expect::Present).put(db.spaces(), &space.id, space)
    }

    /// Removes every row of a Space. Conflicts if it is gone already.
    pub fn remove_space(&mut self, db: &Db, space: &Space) -> Result<&mut Self, ReadError> {
        for (key, _) in db.releases().under(&space.id)? {
            self.delete(db.releases(), &key);
        }
        for (key, _) in db.secrets().under(&space.id)? {
            self.delete(db.secrets(), &key);
        }
        for (key, _) in db.lfs_links().under(&space.id)? {
            self.delete(db.lfs_links(), &key);
        }
        self.expect(db.spaces(), &space.id, Expect::Present);
        self.delete(db.space_paths(), &space.path.key());
        self.delete(db.subdomains(), &space.subdomain.as_str().to_owned());
        self.delete(db.lifecycles(), &space.id);
        Ok(self.delete(db.spaces(), &space.id))
    }
}

impl Db {
    /// The id of the Space at a path, regardless of case.
    pub fn space_id(&self, path: &SpacePath) -> Result<Option<SpaceId>, ReadError> {
        self.space_paths().get(&path.key())
    }

    /// The Space at a path, regardless of case.
    pub fn space_by_path(&self, path: &SpacePath) -> Result<Option<Space>, ReadError> {
        match self.space_id(path)? {
            Some(id) => self.spaces().get(&id),
            None => Ok(None),
        }
    }
}
