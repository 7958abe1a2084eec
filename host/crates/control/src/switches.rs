//! Plugins that an administrator has switched off: nothing new is built or started by one. What runs goes on until it is
//! stopped. The switches are rows of the database; here is what they say now, for whoever is about to build or start.

use std::collections::BTreeSet;

use parking_lot::RwLock;
use spaceport_core::space::Sdk;
use spaceport_db::{Batch, Db, PluginOff, ReadError};

use crate::fleet::{FleetError, Shared};
use crate::ports::Backend;

/// The plugins that are switched off, by name.
#[derive(Default)]
pub(crate) struct Switches(RwLock<BTreeSet<String>>);

impl Switches {
    /// As they are stored.
    pub(crate) fn load(db: &Db) -> Result<Self, ReadError> {
        let off = db.plugins_off().scan()?.into_iter().map(|(name, _)| name);
        Ok(Self(RwLock::new(off.collect())))
    }

    /// Those that are switched off.
    pub(crate) fn off(&self) -> BTreeSet<String> {
        self.0.read().clone()
    }

    /// Whether what a backend does for a kind is switched off: by the name of its program, or by the word of the kind, which
    /// is the name of a plugin that is a component.
    pub(crate) fn is_off(&self, backend: &dyn Backend, sdk: Sdk) -> bool {
        let off = self.0.read();
        !off.is_empty() && off.contains(&name(backend, sdk))
    }
}

/// What a plugin is called.
pub(crate) fn name(backend: &dyn Backend, sdk: Sdk) -> String {
    backend.program().unwrap_or_else(|| sdk.as_str().to_owned())
}

/// Why nothing here runs a Space of a kind that is switched off, in a sentence for the owner.
pub(crate) fn switched_off(name: &str) -> String {
    format!("the plugin {name} is switched off by this host's administrators")
}

impl Shared {
    /// Switches a plugin, durably and with more to be stored in the same step.
    pub(crate) async fn switch(&self, name: &str, off: Option<PluginOff>, mut batch: Batch) -> Result<(), FleetError> {
        let (table, key) = (self.db.plugins_off(), name.to_owned());
        match &off {
            Some(off) => batch.put(table, &key, off),
            None => batch.delete(table, &key),
        };
        self.db.commit(batch).await?;
        let mut switched = self.switches.0.write();
        match off {
            Some(_) => switched.insert(key),
            None => switched.remove(&key),
        };
        Ok(())
    }
}
