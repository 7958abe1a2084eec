//! Plugins that are switched off: a row for each.

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;

/// That a plugin is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginOff {
    /// Who has done that.
    pub by: AccountId,
    /// Since when.
    pub since: Millis,
}
