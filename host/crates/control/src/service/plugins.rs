//! The plugins of this host as its administrators see and switch them.

use spaceport_core::permission::Actor;
use spaceport_db::PluginOff;

use super::Control;
use super::admin::administrator;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::fleet_failed;
use crate::ports::BackendPlugin;

/// A plugin of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: PluginKindView,
    /// Whether an administrator lets it build and start Spaces.
    pub is_enabled: bool,
}

/// What a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginKindView {
    /// A component of the operator's folder, with the entry file that its Spaces have by default. Its name is their `sdk:`.
    Component(String),
    /// A program of its own.
    Program(BackendPlugin),
}

impl Control {
    /// The plugins of this host: programs, then components.
    pub fn plugins_of_host(&self, actor: &Actor) -> ServiceResult<Vec<PluginView>> {
        administrator(actor)?;
        let fleet = &self.inner.fleet;
        let off = fleet.shared().switches.off();
        let programs = fleet.snapshot().backend_plugins.into_iter();
        let programs = programs.map(|program| (program.name.clone(), PluginKindView::Program(program)));
        let components = fleet.plugins().iter();
        let components =
            components.map(|kind| (kind.word.as_str().to_owned(), PluginKindView::Component(kind.app_file.clone())));
        let all = programs.chain(components);
        Ok(all.map(|(name, kind)| PluginView { is_enabled: !off.contains(&name), name, kind }).collect())
    }

    /// One of them.
    pub fn plugin_of_host(&self, actor: &Actor, name: &str) -> ServiceResult<PluginView> {
        let found = self.plugins_of_host(actor)?.into_iter().find(|plugin| plugin.name == name);
        found.ok_or_else(|| ServiceError::NotFound("This host has no such plugin".to_owned()))
    }

    /// Lets a plugin build and start Spaces, or no more. What runs goes on until it is stopped.
    pub async fn switch_plugin(&self, actor: &Actor, name: &str, is_enabled: bool) -> ServiceResult<PluginView> {
        let by = administrator(actor)?.id;
        let plugin = self.plugin_of_host(actor, name)?;
        let off = (!is_enabled).then(|| PluginOff { by, since: self.inner.clock.now() });
        let action = if is_enabled { "plugin.enable" } else { "plugin.disable" };
        let noted = self.noted(actor, Act::new(action).to(name));
        self.inner.fleet.shared().switch(name, off, noted).await.map_err(fleet_failed)?;
        Ok(PluginView { is_enabled, ..plugin })
    }
}
