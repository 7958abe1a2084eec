//! A Space: what the control plane knows of it beside its repository and its lifecycle.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::discussion::PULL_REFS;
use crate::hardware::DEFAULT_FLAVOR;
use crate::id::{AccountId, SpaceId};
use crate::lifecycle::Millis;
use crate::name::{SpacePath, Subdomain};
use crate::plugin::{InvalidKind, PluginWord, Plugins};

/// Who may see a Space and its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody sees page, code and app.
    Public,
    /// Everybody sees the app; members see page and code.
    Protected,
    /// Members only.
    Private,
}

impl Visibility {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Protected => "protected",
            Self::Private => "private",
        }
    }
}

/// The kind of a Space, from `sdk:` in its front matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sdk {
    /// Files of the repository, served by the `static-site` plugin.
    Static,
    /// A wasi:http component.
    Wasm,
    /// A Dockerfile; needs a container backend.
    Docker,
    /// A Python app; needs a container backend.
    Gradio,
    /// Whatever the operator's plugin of this word makes of the repository.
    Plugin(PluginWord),
}

impl Sdk {
    /// The kinds that every host knows, in the order offered.
    pub const BUILT_IN: [Self; 4] = [Self::Static, Self::Wasm, Self::Docker, Self::Gradio];

    /// The word in the front matter and on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static => "static",
            Self::Wasm => "wasm",
            Self::Docker => "docker",
            Self::Gradio => "gradio",
            Self::Plugin(word) => word.as_str(),
        }
    }

    /// Whether a plugin serves its Spaces out of their repositories: nothing is compiled for them, the plugin is given
    /// the list of files and what the pages get, and leaves the fine points of HTTP to the edge.
    pub fn is_plugin(self) -> bool {
        matches!(self, Self::Static | Self::Plugin(_))
    }

    /// Whether it takes a container backend.
    pub fn is_container(self) -> bool {
        matches!(self, Self::Docker | Self::Gradio)
    }

    /// The kind of this word, if it is offered.
    pub fn offered(text: &str, plugins: Plugins<'_>) -> Option<Self> {
        text.parse().ok().filter(|sdk| match sdk {
            Self::Plugin(word) => plugins.offers(*word),
            _ => true,
        })
    }

    /// The words that are offered, for a message.
    pub fn offered_words(plugins: Plugins<'_>) -> String {
        let here = plugins.here().iter().map(|kind| Self::Plugin(kind.word));
        let words: Vec<String> = Self::BUILT_IN.into_iter().chain(here).map(String::from).collect();
        words.join(", ")
    }
}

impl FromStr for Sdk {
    type Err = InvalidKind;

    /// Any word that a kind may have, whether or not it is offered.
    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        match Self::BUILT_IN.into_iter().find(|sdk| sdk.as_str() == text) {
            Some(sdk) => Ok(sdk),
            None => text.parse().map(Self::Plugin),
        }
    }
}

impl TryFrom<String> for Sdk {
    type Error = InvalidKind;

    fn try_from(text: String) -> Result<Self, InvalidKind> {
        text.parse()
    }
}

impl From<Sdk> for String {
    fn from(sdk: Sdk) -> Self {
        sdk.as_str().to_owned()
    }
}

/// A Space's settings: everything that is not in its repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// Its id, for ever.
    pub id: SpaceId,
    /// `owner/name`.
    pub path: SpacePath,
    /// The label of its app's host name.
    pub subdomain: Subdomain,
    /// Its owner's account.
    pub owner: AccountId,
    /// The user who created it.
    pub creator: AccountId,
    /// When it was created.
    pub created_at: Millis,
    /// When its repository or settings last changed.
    pub updated_at: Millis,
    /// Who may see it.
    pub visibility: Visibility,
    /// The kind it was created as, or that the last committed README names; once something is built, the README of the
    /// newest built revision decides.
    pub sdk: Sdk,
    /// Flavor it runs on.
    pub hardware: String,
    /// Storage tier, if any.
    pub storage: Option<String>,
    /// When it is to sleep, as its owner wishes.
    pub sleep_after: SleepAfter,
    /// Variables by name.
    pub variables: BTreeMap<String, Variable>,
    /// Secrets by name, without their values.
    pub secrets: BTreeMap<String, SecretInfo>,
    /// What it shows, if it is a preview and no Space of its own.
    pub preview: Option<Preview>,
}

/// A branch or a pull request of a Space, built and run beside it. It runs as a Space does; all that people see and set is
/// the Space it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The Space it belongs to.
    pub of: SpaceId,
    /// The ref it shows, such as `refs/heads/dev`.
    pub reference: String,
}

impl Preview {
    /// Whether it is given secrets: what a stranger proposes is not.
    pub fn has_secrets(&self) -> bool {
        !self.reference.starts_with(PULL_REFS)
    }
}

impl Space {
    /// A preview as it runs, beside the Space it belongs to as that is now: at an address of its own, on free hardware,
    /// without a disk that stays.
    pub fn beside(&self, of: &Self) -> Self {
        let has_secrets = self.preview.as_ref().is_some_and(Preview::has_secrets);
        Self {
            id: self.id,
            subdomain: self.subdomain.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            sdk: self.sdk,
            hardware: DEFAULT_FLAVOR.to_owned(),
            storage: None,
            sleep_after: SleepAfter::HostDefault,
            secrets: if has_secrets { of.secrets.clone() } else { BTreeMap::new() },
            preview: self.preview.clone(),
            path: of.path.clone(),
            owner: of.owner,
            creator: of.creator,
            visibility: of.visibility,
            variables: of.variables.clone(),
        }
    }
}

/// When a Space is to sleep, as its owner wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SleepAfter {
    /// As is usual for its hardware.
    HostDefault,
    /// Never.
    Never,
    /// After so much idleness.
    After(Duration),
}

impl SleepAfter {
    /// Idleness after which a Space sleeps; `None`: it does not. The wish counts where the owner pays; free hardware sleeps
    /// as the host says, paid hardware by itself never.
    pub fn on(self, is_free: bool, host: Option<Duration>) -> Option<Duration> {
        match self {
            _ if is_free => host,
            Self::After(idle) => Some(idle),
            Self::HostDefault | Self::Never => None,
        }
    }
}

/// A readable setting handed to the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its value.
    pub value: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was last set.
    pub updated_at: Millis,
}

/// What may be told of a secret: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretInfo {
    /// What it is for.
    pub description: Option<String>,
    /// When it was last set.
    pub updated_at: Millis,
}

/// Longest name of a variable or secret, in bytes.
pub const MAX_VARIABLE_NAME: usize = 255;
/// Largest value of a variable or secret, in bytes: all of them are copied into every instance.
pub const MAX_VARIABLE_VALUE: usize = 64 << 10;
/// Most variables and secrets a Space may have together.
pub const MAX_VARIABLES: usize = 200;

/// Why a variable or secret is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVariable {
    /// The name cannot be one of an environment variable.
    #[error(
        "{0:?} cannot be the name of a variable or secret: use at most {MAX_VARIABLE_NAME} letters, digits and \"_\", \
         not starting with a digit"
    )]
    Name(String),
    /// The value is too large.
    #[error(
        "the value of {name} has {size} bytes: at most {MAX_VARIABLE_VALUE} are allowed, put larger ones into a file"
    )]
    TooLarge {
        /// The variable.
        name: String,
        /// Bytes of its value.
        size: usize,
    },
    /// The value holds a zero byte, which no environment can carry.
    #[error("the value of {0} holds a zero byte: encode it, for example as base64")]
    ZeroByte(String),
}

/// Whether a variable or secret may have this name and value.
pub fn check_variable(name: &str, value: &str) -> Result<(), InvalidVariable> {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_name = name.len() <= MAX_VARIABLE_NAME
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit());
    if !is_name {
        return Err(InvalidVariable::Name(name.to_owned()));
    }
    if value.len() > MAX_VARIABLE_VALUE {
        return Err(InvalidVariable::TooLarge { name: name.to_owned(), size: value.len() });
    }
    if value.contains('\0') {
        return Err(InvalidVariable::ZeroByte(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_counts_where_the_owner_pays() {
        let (host, wish) = (Duration::from_secs(10), Duration::from_secs(60));
        for (sleep, is_free, expected) in [
            (SleepAfter::HostDefault, true, Some(host)),
            (SleepAfter::Never, true, Some(host)),
            (SleepAfter::After(wish), true, Some(host)),
            (SleepAfter::HostDefault, false, None),
            (SleepAfter::Never, false, None),
            (SleepAfter::After(wish), false, Some(wish)),
        ] {
            assert_eq!(sleep.on(is_free, Some(host)), expected, "{sleep:?}");
        }
        assert_eq!(SleepAfter::After(wish).on(true, None), None);
    }

    #[test]
    fn a_kind_is_written_as_its_word() {
        for sdk in Sdk::BUILT_IN {
            assert_eq!(serde_json::to_string(&sdk).unwrap(), format!("\"{}\"", sdk.as_str()));
        }
        let sdk: Sdk = serde_json::from_str("\"markdown-demo\"").unwrap();
        assert_eq!((sdk, sdk.as_str()), (Sdk::Plugin("markdown-demo".parse().unwrap()), "markdown-demo"));
        assert_eq!(serde_json::to_string(&sdk).unwrap(), "\"markdown-demo\"");
        for text in ["\"streamlit\"", "\"Static\"", "\"\"", "1"] {
            assert!(serde_json::from_str::<Sdk>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variable_names_are_those_of_an_environment() {
        for name in ["A", "_", "a_1", "MODEL_NAME", "x".repeat(MAX_VARIABLE_NAME).as_str()] {
            assert_eq!(check_variable(name, ""), Ok(()), "{name}");
        }
        for name in ["", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "A\0", "x".repeat(MAX_VARIABLE_NAME + 1).as_str()] {
            assert_eq!(check_variable(name, ""), Err(InvalidVariable::Name(name.into())), "{name}");
        }
    }

    #[test]
    fn variable_values_are_any_text_up_to_the_cap() {
        for value in ["", "</script>\u{2028}\"", "a\nb", "x".repeat(MAX_VARIABLE_VALUE).as_str()] {
            assert_eq!(check_variable("A", value), Ok(()));
        }
        let long = "x".repeat(MAX_VARIABLE_VALUE + 1);
        assert!(matches!(check_variable("A", &long), Err(InvalidVariable::TooLarge { .. })));
        assert_eq!(check_variable("A", "a\0b"), Err(InvalidVariable::ZeroByte("A".into())));
    }
}
