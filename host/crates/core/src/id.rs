//! Typed ids: twelve bytes, written as 24 hexadecimal digits, the form that Hub clients know as `_id`.
//!
//! One type per thing that has an id, so that a Space's id cannot be passed where a user's is wanted. The bytes come
//! from outside (time and randomness are I/O).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes in an id.
pub const ID_BYTES: usize = 12;

/// The text is not 24 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 24 lower-case hexadecimal digits")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; ID_BYTES]);

        impl $name {
            /// The id made of these bytes.
            pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }

            /// The bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                hex_bytes(text).map(Self).ok_or(InvalidId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A Space, for as long as it exists; survives renaming.
    SpaceId;
    /// A user or an organization: what owns Spaces.
    AccountId;
    /// An access token.
    TokenId;
    /// An address that is told of what happens.
    WebhookId;
    /// One attempt to turn a revision into something that can serve.
    BuildId;
    /// What a user has granted to an application at one sign-in.
    SignInId;
    /// A grant of hardware.
    GrantId;
    /// A message to a webhook, the same at every try.
    DeliveryId;
}

/// Decodes exactly `N` bytes of lower-case hexadecimal.
pub(crate) fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_its_text_form() {
        let id = SpaceId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
        assert_eq!(id.to_string(), "000102030405060708090aff");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn anything_but_24_lower_case_digits_is_refused() {
        for text in ["", "00", "000102030405060708090aFF", "000102030405060708090af", "zz0102030405060708090aff"] {
            assert_eq!(text.parse::<SpaceId>(), Err(InvalidId), "{text}");
        }
    }
}
