//! The plugins of this host as its administrators see and switch them.

use std::sync::Arc;

use bytes::Bytes;
use spaceport_core::permission::Actor;
use spaceport_core::plugin::PluginWord;
use spaceport_core::space::Sdk;
use spaceport_db::PluginOff;

use super::Control;
use super::admin::administrator;
use super::audit::Act;
use super::error::{ServiceError, ServiceResult};
use super::storage::{fleet_failed, read_failed};
use crate::ports::{BackendPlugin, PluginError, PluginStore};

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
        let components = fleet.plugins().into_iter();
        let components =
            components.map(|kind| (kind.word.as_str().to_owned(), PluginKindView::Component(kind.app_file)));
        let all = programs.chain(components);
        Ok(all.map(|(name, kind)| PluginView { is_enabled: !off.contains(&name), name, kind }).collect())
    }

    /// One of them.
    pub fn plugin_of_host(&self, actor: &Actor, name: &str) -> ServiceResult<PluginView> {
        let found = self.plugins_of_host(actor)?.into_iter().find(|plugin| plugin.name == name);
        found.ok_or_else(|| ServiceError::NotFound("This host has no such plugin".to_owned()))
    }

    /// Installs a component that serves a kind of Spaces, in place of the one that serves it now if there is one.
    pub async fn install_plugin(&self, actor: &Actor, component: Bytes) -> ServiceResult<PluginView> {
        administrator(actor)?;
        let bytes = component.len();
        let kind = self.plugin_store()?.install(component).await.map_err(plugin_failed)?;
        let name = kind.word.as_str();
        self.note_alone(actor, Act::new("plugin.install").to(name).with("bytes", bytes)).await;
        self.plugin_of_host(actor, name)
    }

    /// Bytes of the largest component that is taken.
    pub fn largest_plugin(&self) -> u64 {
        self.inner.fleet.config().limits.component.0
    }

    /// Gives up a component of whose kind there is no Space.
    pub async fn remove_plugin(&self, actor: &Actor, name: &str) -> ServiceResult<()> {
        administrator(actor)?;
        let plugin = self.plugin_of_host(actor, name)?;
        let word = match plugin.kind {
            PluginKindView::Component(_) => name.parse::<PluginWord>(),
            PluginKindView::Program(_) => {
                let message = format!("{name} is a program that the configuration names: take it out there");
                return Err(ServiceError::Conflict(message));
            }
        };
        let word = word.map_err(|error| ServiceError::internal("name a plugin", error))?;
        let all = self.inner.db.all_spaces().map_err(read_failed)?;
        let spaces = all.iter().filter(|space| space.sdk == Sdk::Plugin(word)).count();
        if spaces > 0 {
            let message = format!(
                "{spaces} Spaces are of the kind {name}: delete them first, or disable the plugin, which keeps them"
            );
            return Err(ServiceError::Conflict(message));
        }
        self.plugin_store()?.remove(word).await.map_err(plugin_failed)?;
        self.note_alone(actor, Act::new("plugin.remove").to(name)).await;
        Ok(())
    }

    fn plugin_store(&self) -> ServiceResult<Arc<dyn PluginStore>> {
        let store = self.inner.fleet.shared().backends.iter().find_map(|backend| backend.plugin_store());
        store.ok_or_else(|| ServiceError::NotOffered("This host runs no components".to_owned()))
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

fn plugin_failed(error: PluginError) -> ServiceError {
    match error {
        PluginError::Refused(why) => ServiceError::Invalid(format!("This is no plugin of this host: {why}")),
        PluginError::Conflict(why) => ServiceError::Conflict(why),
        PluginError::Host(_) => ServiceError::internal("install a plugin", error),
    }
}
