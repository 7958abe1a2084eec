//! Keys as bytes whose order is the keys' order.

use spaceport_core::id::{AccountId, GrantId, ID_BYTES, SignInId, SpaceId, WebhookId};
use spaceport_core::lfs::LfsOid;
use spaceport_core::ssh::Fingerprint;

use crate::account::TokenHash;

/// A key of a table. Encodings are prefix-free within a table, apart from text, which may only stand last.
pub trait Key: Sized {
    /// Appends the encoded key.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Reads a whole encoded key.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// A key that starts with another, so that all keys below that one are neighbours.
pub trait Under<P>: Key {}

macro_rules! id_keys {
    ($($id:ty),*) => {$(
        impl Key for $id {
            fn encode(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(self.as_bytes());
            }

            fn decode(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}

id_keys!(SpaceId, AccountId, GrantId, SignInId, WebhookId);

impl Key for TokenHash {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

impl Key for LfsOid {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }
}

impl Key for Fingerprint {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }
}

impl Key for String {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Key for u64 {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

impl<T: Key> Key for (SpaceId, T) {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
        self.1.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (space, rest) = bytes.split_at_checked(ID_BYTES)?;
        Some((SpaceId::decode(space)?, T::decode(rest)?))
    }
}

impl<T: Key> Under<SpaceId> for (SpaceId, T) {}

impl<T: Key> Key for (AccountId, T) {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
        self.1.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (account, rest) = bytes.split_at_checked(ID_BYTES)?;
        Some((AccountId::decode(account)?, T::decode(rest)?))
    }
}

impl<T: Key> Under<AccountId> for (AccountId, T) {}

impl Key for (WebhookId, u64) {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
        self.1.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (webhook, rest) = bytes.split_at_checked(ID_BYTES)?;
        Some((WebhookId::decode(webhook)?, u64::decode(rest)?))
    }
}

impl Under<WebhookId> for (WebhookId, u64) {}

impl Key for (u64, u64) {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.0.encode(bytes);
        self.1.encode(bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(size_of::<u64>())?;
        Some((u64::decode(first)?, u64::decode(second)?))
    }
}

impl Under<(SpaceId, u64)> for (SpaceId, (u64, u64)) {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(key: &impl Key) -> Vec<u8> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn encoded_keys_sort_as_the_keys_do(a: ([u8; 12], u64), b: ([u8; 12], u64)) {
            let [a, b] = [a, b].map(|(id, number)| (SpaceId::from_bytes(id), number));
            prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
            prop_assert_eq!(<(SpaceId, u64)>::decode(&bytes(&a)), Some(a));
        }

        #[test]
        fn events_sort_within_their_discussion(id: [u8; 12], a: (u64, u64), b: (u64, u64)) {
            let [a, b] = [a, b].map(|numbers| (SpaceId::from_bytes(id), numbers));
            prop_assert_eq!(a.cmp(&b), bytes(&a).cmp(&bytes(&b)));
            prop_assert!(bytes(&a).starts_with(&bytes(&(a.0, a.1.0))));
            prop_assert_eq!(<(SpaceId, (u64, u64))>::decode(&bytes(&a)), Some(a));
        }

        #[test]
        fn names_under_a_space_read_back(id: [u8; 12], name: String) {
            let key = (SpaceId::from_bytes(id), name);
            prop_assert!(bytes(&key).starts_with(&bytes(&key.0)));
            prop_assert_eq!(<(SpaceId, String)>::decode(&bytes(&key)), Some(key));
        }
    }

    #[test]
    fn keys_of_the_wrong_length_are_refused() {
        assert_eq!(SpaceId::decode(&[0; 11]), None);
        assert_eq!(<(SpaceId, u64)>::decode(&[0; 19]), None);
        assert_eq!(String::decode(&[0xff]), None);
    }
}
