//! E-mail addresses, as far as they are looked at here: nothing is sent to one.

use std::fmt;
use std::str::FromStr;

/// Longest address, in bytes, that mail can be sent to.
const MAX_BYTES: usize = 254;

/// An address that may be somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is one line like ada@example.org, of at most {MAX_BYTES} bytes")]
pub struct InvalidEmail;

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let (user, host) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.contains(|c: char| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"@".contains(c))
        };
        if text.len() <= MAX_BYTES && is_plain(user) && is_plain(host) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidEmail)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_an_address_is_refused() {
        for text in ["ada@example.org", "ada+hub@example.org", "ada@localhost", "ädä@exämple.org"] {
            assert_eq!(text.parse::<EmailAddress>().map(|email| email.to_string()), Ok(text.to_owned()));
        }
        let long = format!("{}@example.org", "a".repeat(MAX_BYTES));
        for text in ["", "ada", "@example.org", "ada@", "a b@example.org", "a@b@c", "<ada@example.org>", "a@b\n", &long]
        {
            assert_eq!(text.parse::<EmailAddress>(), Err(InvalidEmail), "{text}");
        }
    }
}
