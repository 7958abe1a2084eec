//! The stored form of the switch of a plugin.

use serde::{Deserialize, Serialize};
use spaceport_core::id::AccountId;

use crate::plugin::PluginOff;
use crate::record::record_by_json;

record_by_json!(PluginOff, PluginOffV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginOffV1 {
    by: AccountId,
    since: u64,
}

impl From<&PluginOff> for PluginOffV1 {
    fn from(off: &PluginOff) -> Self {
        Self { by: off.by, since: off.since }
    }
}

impl From<PluginOffV1> for PluginOff {
    fn from(stored: PluginOffV1) -> Self {
        Self { by: stored.by, since: stored.since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    /// Text that version 1 wrote: it must read the same for ever.
    const V1: &str = r#"{"by":"020202020202020202020202","since":1}"#;

    #[test]
    fn the_form_of_version_1_is_fixed() {
        let off = PluginOff { by: AccountId::from_bytes([2; 12]), since: 1 };
        let mut bytes = Vec::new();
        off.encode(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), V1);
        assert_eq!(PluginOff::decode(1, V1.as_bytes()), Ok(off));
        assert!(PluginOff::decode(2, V1.as_bytes()).is_err());
    }
}
