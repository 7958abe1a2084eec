//! Spaces: their rows in all the tables that know them.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::State;
use spaceport_core::name::SpacePath;
use spaceport_core::space::Space;

use crate::batch::{Batch, Expect};
use crate::db::Db;
use crate::error::ReadError;
use crate::table::Version;

/// Old paths kept per Space: more than anybody renames one, and few enough that moving to and fro does not fill the store.
const MAX_MOVED_PATHS: usize = 50;

impl Batch {
    /// Adds a Space or a preview that was never built, over the mark that was left before its repository was made. Conflicts in
    /// `SpacePaths` or `Subdomains` if one of the two is taken.
    pub fn insert_space(&mut self, db: &Db, space: &Space) -> &mut Self {
        match &space.preview {
            Some(preview) => {
                self.expect(db.spaces(), &preview.of, Expect::Present);
                self.insert_new(db.previews(), &(preview.of, preview.reference.clone()), &space.id);
            }
            None => {
                self.insert_new(db.space_paths(), &space.path.key(), &space.id);
                // Whoever had the name before is not to be found by it any more.
                self.delete(db.moved_paths(), &space.path.key());
            }
        }
        self.insert_new(db.subdomains(), &space.subdomain.as_str().to_owned(), &space.id);
        self.insert_new(db.spaces(), &space.id, space);
        self.put(db.lifecycles(), &space.id, &State::default())
    }

    /// Gives a Space another path and subdomain, and keeps the old path in mind. Conflicts in `SpacePaths` or `Subdomains`
    /// if one of the two is taken, and in `Spaces` if the Space has changed since it was read.
    pub fn move_space(&mut self, db: &Db, old: &Space, new: &Space, version: Version) -> Result<&mut Self, ReadError> {
        if old.path.key() != new.path.key() {
            self.delete(db.space_paths(), &old.path.key());
            self.insert_new(db.space_paths(), &new.path.key(), &new.id);
            let kept = db.moved_paths().scan()?.into_iter().filter(|(_, id)| *id == new.id).map(|(key, _)| key);
            let kept: Vec<String> = kept.collect();
            for forgotten in kept.iter().take((kept.len() + 1).saturating_sub(MAX_MOVED_PATHS)) {
                self.delete(db.moved_paths(), forgotten);
            }
            self.put(db.moved_paths(), &old.path.key(), &new.id);
            self.delete(db.moved_paths(), &new.path.key());
        }
        if old.subdomain != new.subdomain {
            self.delete(db.subdomains(), &old.subdomain.as_str().to_owned());
            self.insert_new(db.subdomains(), &new.subdomain.as_str().to_owned(), &new.id);
        }
        Ok(self.replace(db.spaces(), &new.id, new, version))
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
        for (key, _) in db.likes().under(&space.id)? {
            self.delete(db.likes(), &key);
        }
        self.remove_discussions(db, space.id)?;
        for (key, _) in db.grants().under(&space.id)? {
            self.delete(db.grants(), &key);
        }
        for (key, _) in db.findings().under(&space.id)? {
            self.delete(db.findings(), &key);
        }
        self.delete(db.linked_repos(), &space.id);
        for (key, _) in db.moved_paths().scan()?.into_iter().filter(|(_, id)| *id == space.id) {
            self.delete(db.moved_paths(), &key);
        }
        self.delete(db.oauth_apps(), &space.id);
        self.expect(db.spaces(), &space.id, Expect::Present);
        match &space.preview {
            Some(preview) => self.delete(db.previews(), &(preview.of, preview.reference.clone())),
            None => self.delete(db.space_paths(), &space.path.key()),
        };
        self.delete(db.subdomains(), &space.subdomain.as_str().to_owned());
        self.delete(db.lifecycles(), &space.id);
        Ok(self.delete(db.spaces(), &space.id))
    }
}

impl Db {
    /// A Space; a preview as it runs now, with the settings of the Space it belongs to.
    pub fn running_space(&self, id: SpaceId) -> Result<Option<Space>, ReadError> {
        let Some(space) = self.spaces().get(&id)? else { return Ok(None) };
        let Some(preview) = &space.preview else { return Ok(Some(space)) };
        Ok(self.spaces().get(&preview.of)?.map(|of| space.beside(&of)))
    }

    /// The previews of a Space by their refs.
    pub fn previews_of(&self, space: SpaceId) -> Result<Vec<(String, SpaceId)>, ReadError> {
        Ok(self.previews().under(&space)?.into_iter().map(|((_, reference), id)| (reference, id)).collect())
    }

    /// The id of the Space at a path, regardless of case.
    pub fn space_id(&self, path: &SpacePath) -> Result<Option<SpaceId>, ReadError> {
        self.space_paths().get(&path.key())
    }

    /// The Space that had a path before, if no other has it now.
    pub fn moved_from(&self, path: &SpacePath) -> Result<Option<Space>, ReadError> {
        match self.moved_paths().get(&path.key())? {
            Some(id) => self.spaces().get(&id),
            None => Ok(None),
        }
    }

    /// The Space at a path, regardless of case.
    pub fn space_by_path(&self, path: &SpacePath) -> Result<Option<Space>, ReadError> {
        match self.space_id(path)? {
            Some(id) => self.spaces().get(&id),
            None => Ok(None),
        }
    }
}
