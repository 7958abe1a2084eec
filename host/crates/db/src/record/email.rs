//! The stored form of a user's e-mail address.

use serde::{Deserialize, Serialize};

use crate::email::AccountEmail;
use crate::record::{Record, RecordError, read_json, unknown_version, write_json};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountEmailV1 {
    address: String,
    is_verified: bool,
    set_at: u64,
}

impl Record for AccountEmail {
    const VERSION: u8 = 1;

    fn encode(&self, bytes: &mut Vec<u8>) {
        let Self { address, is_verified, set_at } = self;
        let stored = AccountEmailV1 { address: address.to_string(), is_verified: *is_verified, set_at: *set_at };
        write_json(&stored, bytes);
    }

    fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        match version {
            1 => {
                let AccountEmailV1 { address, is_verified, set_at } = read_json(bytes)?;
                let address = address.parse().map_err(|error| RecordError(format!("{error}")))?;
                Ok(Self { address, is_verified, set_at })
            }
            newer => Err(unknown_version(newer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that version 1 wrote: it must read the same for ever.
    const V1: &str = r#"{"address":"ada@example.org","is_verified":true,"set_at":1}"#;

    #[test]
    fn the_form_of_version_1_is_fixed() {
        let email = AccountEmail { address: "ada@example.org".parse().unwrap(), is_verified: true, set_at: 1 };
        let mut bytes = Vec::new();
        email.encode(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), V1);
        assert_eq!(AccountEmail::decode(1, V1.as_bytes()), Ok(email));
        assert!(AccountEmail::decode(2, V1.as_bytes()).is_err());
        assert!(AccountEmail::decode(1, br#"{"address":"ada","is_verified":true,"set_at":1}"#).is_err());
    }
}
