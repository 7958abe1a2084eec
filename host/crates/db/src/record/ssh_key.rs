//! The stored forms of a user's public key and of its last use.

use serde::{Deserialize, Serialize};
use spaceport_core::id::AccountId;

use crate::record::record_by_json;
use crate::ssh_key::{SshKey, SshKeyUse};

record_by_json!(SshKey, SshKeyV1);
record_by_json!(SshKeyUse, SshKeyUseV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SshKeyV1 {
    account: AccountId,
    title: String,
    text: String,
    created_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SshKeyUseV1 {
    at: u64,
}

impl From<&SshKey> for SshKeyV1 {
    fn from(key: &SshKey) -> Self {
        Self { account: key.account, title: key.title.clone(), text: key.text.clone(), created_at: key.created_at }
    }
}

impl From<SshKeyV1> for SshKey {
    fn from(stored: SshKeyV1) -> Self {
        Self { account: stored.account, title: stored.title, text: stored.text, created_at: stored.created_at }
    }
}

impl From<&SshKeyUse> for SshKeyUseV1 {
    fn from(last: &SshKeyUse) -> Self {
        Self { at: last.at }
    }
}

impl From<SshKeyUseV1> for SshKeyUse {
    fn from(stored: SshKeyUseV1) -> Self {
        Self { at: stored.at }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Record;

    use super::*;

    /// What version 1 wrote: it must read the same for ever.
    const KEY: &str =
        r#"{"account":"010101010101010101010101","title":"laptop","text":"ssh-ed25519 AAAA","created_at":7}"#;

    #[test]
    fn a_key_and_its_last_use_read_back_as_written() {
        let account = AccountId::from_bytes([1; 12]);
        let key = SshKey { account, title: "laptop".into(), text: "ssh-ed25519 AAAA".into(), created_at: 7 };
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), KEY);
        assert_eq!(SshKey::decode(1, KEY.as_bytes()), Ok(key));
        assert!(SshKey::decode(2, KEY.as_bytes()).is_err());
        assert_eq!(SshKeyUse::decode(1, br#"{"at":9}"#), Ok(SshKeyUse { at: 9 }));
    }
}
