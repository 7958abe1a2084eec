//! Texts that cannot be wrong: names, ids and sentences. Private fields, one way in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing, or too much.
    #[error("{what} has 1 to {most} bytes, not {bytes}")]
    Length {
        /// What it was to be.
        what: &'static str,
        /// The bytes it has.
        bytes: usize,
        /// The most it may have.
        most: usize,
    },
    /// A character that does not belong there.
    #[error("{what} consists of {allowed}, and has {found:?}")]
    Character {
        /// What it was to be.
        what: &'static str,
        /// What it may consist of.
        allowed: &'static str,
        /// The first that is none of these.
        found: char,
    },
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $most:expr, $is_allowed:expr, $allowed:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                if text.is_empty() || text.len() > $most {
                    return Err(InvalidText::Length { what: $what, bytes: text.len(), most: $most });
                }
                let is_allowed: fn(usize, char) -> bool = $is_allowed;
                match text.chars().enumerate().find(|(position, c)| !is_allowed(*position, *c)) {
                    Some((_, found)) => Err(InvalidText::Character { what: $what, allowed: $allowed, found }),
                    None => Ok(Self(text)),
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

texts! {
    /// A name: a kind of Spaces, a flavor, a device or its model. Wide enough for the names of CDI and NVML.
    Word: "a name", limits::NAME,
        |position, c| c.is_ascii_alphanumeric() || position > 0 && "._:/=+-".contains(c),
        "ASCII letters and digits and, after the first, ._:/=+-";
    /// The name of an instance, chosen by the host: fit for a container's name and for a path of a URL.
    InstanceId: "an instance's id", limits::NAME,
        |position, c| c.is_ascii_lowercase() || c.is_ascii_digit() || position > 0 && c == '-',
        "lower-case letters and digits and, after the first, -";
    /// A sentence for people: one line, without control characters, so that it can go into a log as it is.
    Line: "a line", limits::LINE,
        |_, c| !c.is_control(),
        "characters that are no control characters";
}

impl Line {
    /// Makes a line of any text: cut where it is too long, blanks in place of control characters.
    pub fn lossy(text: &str) -> Self {
        let blank = |c: char| c.is_control() || c.is_whitespace();
        let text = text.trim_matches(blank);
        let mut line = String::new();
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if line.len() + c.len_utf8() > limits::LINE {
                break;
            }
            line.push(c);
        }
        if line.is_empty() {
            line.push('-');
        }
        Self(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_what_devices_are_called_and_no_more() {
        for name in ["docker", "GPU-4a7b1c5e-0000", "nvidia.com/gpu=0", "A100-SXM4-80GB"] {
            assert_eq!(name.parse::<Word>().unwrap().as_str(), name);
        }
        for name in ["", "-x", "a b", "a\n", "ä", "../etc", &"x".repeat(limits::NAME + 1)] {
            assert!(name.parse::<Word>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_id_can_stand_in_a_path() {
        assert!("65f0c0ffee0123456789abcd-12".parse::<InstanceId>().is_ok());
        for id in ["", "-", "A", "a/b", "a%2fb", "a?b", "..", "a "] {
            assert!(id.parse::<InstanceId>().is_err(), "{id:?}");
        }
    }

    #[test]
    fn a_refused_text_says_what_is_allowed() {
        let refused = "a b".parse::<Word>().unwrap_err().to_string();
        assert_eq!(refused, "a name consists of ASCII letters and digits and, after the first, ._:/=+-, and has ' '");
        let refused = "".parse::<InstanceId>().unwrap_err().to_string();
        assert_eq!(refused, "an instance's id has 1 to 64 bytes, not 0");
    }

    #[test]
    fn any_text_can_be_made_a_line() {
        for (text, line) in [("", "-"), (" a\nb\u{1b}[31m ", "a b [31m"), ("\n", "-")] {
            assert_eq!(Line::lossy(text).as_str(), line);
        }
        let long = Line::lossy(&"ä".repeat(limits::LINE));
        assert_eq!(long.as_str().len(), limits::LINE);
        assert_eq!(long.as_str().parse::<Line>().unwrap(), long);
    }
}
