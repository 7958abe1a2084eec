//! The front matter of a Space's README: its whole configuration, read once into types that cannot be wrong.
//!
//! In three steps: the block is found in the file, read as YAML with a budget (an author's file may be hostile), and its
//! keys are checked, all of them, so that one try shows every mistake. Keys we do not know are the author's own; within
//! `wasm:`, which is ours, they are mistakes.

mod fields;
mod front_matter;
mod keys;
#[cfg(test)]
mod tests;
mod words;
mod yaml;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

pub(crate) use words::relative_path as repository_path;

use crate::egress::EgressRule;
use crate::plugin::Plugins;
use crate::space::Sdk;

/// What the author wrote, checked. Keys that Spaceport does not act on are kept in `card`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The kind of Space.
    pub sdk: Sdk,
    /// Display title.
    pub title: Option<String>,
    /// Entry of the app: `index.html` for static, `app.wasm` for wasm, `app.py` for gradio by default, and `Dockerfile`
    /// for docker always; a plugin names its own. A relative path without `.` or `..` segments.
    pub app_file: String,
    /// Port of a Docker app; 7860 by default.
    pub app_port: u16,
    /// Version of Python for a Gradio app; `None`: what the backend has.
    pub python_version: Option<String>,
    /// Version of gradio; `None`: the newest.
    pub sdk_version: Option<String>,
    /// Build command of a static Space.
    pub app_build_command: Option<String>,
    /// Headers added to every response of the app (names and values in lower case, of the three allowed names).
    pub custom_headers: BTreeMap<String, String>,
    /// Whether its owner wants it first on lists for people.
    pub is_pinned: bool,
    /// Whether other sites may not frame the app.
    pub disable_embedding: bool,
    /// Time a start may take.
    pub startup_timeout: Duration,
    /// Sign-in with this host, if asked for.
    pub oauth: Option<OauthManifest>,
    /// How a component is run.
    pub wasm: WasmManifest,
    /// The whole front matter as JSON text, an object with string keys: `cardData` on the wire.
    pub card: String,
}

/// `hf_oauth*` keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthManifest {
    /// Scopes beyond `openid profile`.
    pub scopes: Vec<String>,
    /// Life of a token, in minutes.
    pub expiration_minutes: u32,
    /// Only members of these organizations may sign in.
    pub authorized_orgs: Vec<String>,
}

/// The `wasm:` key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WasmManifest {
    /// Whether instances live on.
    pub isolation: Isolation,
    /// Narrows the network; `None` is any public address.
    pub egress: Option<Vec<EgressRule>>,
    /// Time to the first byte, if less than the host's.
    pub timeout: Option<Duration>,
}

/// How long an instance of a component lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Instances live on and serve many requests, as an app does.
    #[default]
    Shared,
    /// A fresh instance for each request.
    Request,
}

/// Why a README gives no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// There is no README, or it does not start with a front matter.
    #[error(
        "Missing configuration in README: start it with a YAML block between two lines of \"---\", such as\n---\ntitle: My Space\nsdk: static\n---"
    )]
    Missing,
    /// The front matter is not YAML, or keys are wrong. One sentence each, naming the key and what to write.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
}

/// Largest front matter, in bytes: hundreds of times what one needs.
pub const MAX_FRONT_MATTER: usize = 64 << 10;
/// Longest `short_description`, in characters: what fits on a card.
pub const MAX_SHORT_DESCRIPTION: usize = 60;
/// The port a Docker app is expected at.
pub const DEFAULT_APP_PORT: u16 = 7860;
/// Time a start may take unless the author says otherwise.
pub const DEFAULT_STARTUP: Duration = Duration::from_secs(30 * 60);
/// Minutes that a sign-in lasts unless the author says otherwise.
pub const DEFAULT_OAUTH_MINUTES: u32 = 480;
/// Most minutes that a sign-in may last: thirty days.
pub const MAX_OAUTH_MINUTES: u32 = 43_200;

impl Manifest {
    /// Reads the front matter of a README, which may name the words of these plugins. Every mistake in it is reported at
    /// once.
    pub fn from_readme(readme: &[u8], plugins: Plugins<'_>) -> Result<Self, ManifestError> {
        let block = front_matter::find(readme)?;
        let card = yaml::read(block).map_err(|problem| ManifestError::Invalid(vec![problem]))?;
        let card = match card {
            Value::Object(card) => card,
            Value::Null => return Err(ManifestError::Missing),
            _ => return Err(ManifestError::Invalid(vec![keys::NOT_KEYS.to_owned()])),
        };
        keys::read(card, plugins).map_err(ManifestError::Invalid)
    }
}
