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
    /// Good characters in the wrong order.
    #[error("{what} is {form}")]
    Form {
        /// What it was to be.
        what: &'static str,
        /// What all of them are.
        form: &'static str,
    },
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $what:literal, $most:expr, $is_allowed:expr, $allowed:literal
        $(, $is_formed:expr, $form:literal)?;)*) => {$(
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
                if let Some((_, found)) = text.chars().enumerate().find(|(position, c)| !is_allowed(*position, *c)) {
                    return Err(InvalidText::Character { what: $what, allowed: $allowed, found });
                }
                $(
                    let is_formed: fn(&str) -> bool = $is_formed;
                    if !is_formed(&text) {
                        return Err(InvalidText::Form { what: $what, form: $form });
                    }
                )?
                Ok(Self(text))
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
    /// What a build has made and a start needs, by a name that says exactly this content: the digest of an image.
    Artifact: "an artifact's name", limits::ARTIFACT,
        |position, c| c.is_ascii_alphanumeric() || position > 0 && "._:/@+-".contains(c),
        "ASCII letters and digits and, after the first, ._:/@+-";
    /// A file or folder of this machine. Whoever names it has made it, and lets the other side use it.
    HostPath: "a path of the machine", limits::PATH,
        |_, c| !c.is_control(),
        "characters that are no control characters",
        |text| text.starts_with('/') && text.split('/').skip(1).all(is_step),
        "absolute, without empty parts and without . and ..";
    /// A file of a Space, seen from the top of its repository.
    FilePath: "a path in a repository", limits::LINE,
        |_, c| !c.is_control(),
        "characters that are no control characters",
        |text| text.split('/').all(is_step),
        "relative, without empty parts and without . and ..";
    /// The name of a variable or a secret.
    VariableName: "the name of a variable", limits::VARIABLE_NAME,
        |position, c| c == '_' || c.is_ascii_alphabetic() || position > 0 && c.is_ascii_digit(),
        "ASCII letters, digits and _, no digit at first";
    /// What a shell is to do, on as many lines as it likes.
    Script: "a command", limits::SCRIPT,
        |_, c| c != '\0',
        "characters other than NUL";
}

fn is_step(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
}

/// The value of a variable or a secret. Nothing prints it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Value(String);

impl Value {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Value {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        let what = "the value of a variable";
        match text {
            long if long.len() > limits::VARIABLE_VALUE => Err(InvalidText::Form { what, form: "at most 64 KiB long" }),
            text if text.contains('\0') => Err(InvalidText::Form { what, form: "without NUL" }),
            text => Ok(Self(text)),
        }
    }
}

impl FromStr for Value {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        text.to_owned().try_into()
    }
}

impl From<Value> for String {
    fn from(value: Value) -> Self {
        value.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
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
    fn a_path_leads_down_and_nowhere_else() {
        for path in ["/", "a", "/a/../b", "/a//b", "/a/.", "/a/", "", "/a\0b", "/a\nb"] {
            assert!(path.parse::<HostPath>().is_err(), "{path:?}");
        }
        assert_eq!("/srv/a b/ä".parse::<HostPath>().unwrap().as_str(), "/srv/a b/ä");
        for path in ["/a", "../a", "a/../b", "a/", ".", ""] {
            assert!(path.parse::<FilePath>().is_err(), "{path:?}");
        }
        assert_eq!("dist/.x/index.html".parse::<FilePath>().unwrap().as_str(), "dist/.x/index.html");
        let refused = "a/..".parse::<FilePath>().unwrap_err().to_string();
        assert_eq!(refused, "a path in a repository is relative, without empty parts and without . and ..");
    }

    #[test]
    fn a_value_is_not_printed() {
        let value: Value = "hunter2".parse().unwrap();
        assert_eq!(format!("{value:?}"), "[7 bytes]");
        assert!("".parse::<Value>().is_ok() && "a\0".parse::<Value>().is_err());
        assert!("x".repeat(limits::VARIABLE_VALUE + 1).parse::<Value>().is_err());
    }

    #[test]
    fn an_artifact_is_named_by_its_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(digest.parse::<Artifact>().unwrap().as_str(), digest);
        for name in ["", "-x", "a b", &"x".repeat(limits::ARTIFACT + 1)] {
            assert!(name.parse::<Artifact>().is_err(), "{name:?}");
        }
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
