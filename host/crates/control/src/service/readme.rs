//! Checking a README before it is committed, with the very parser that a build uses.

use spaceport_core::manifest::{Manifest, ManifestError};
use spaceport_core::plugin::{PluginKind, Plugins};
use spaceport_core::space::Sdk;

use super::Control;
use super::error::{ServiceError, ServiceResult};

/// The file whose front matter is a Space's configuration.
pub(super) const README: &str = "README.md";

/// Largest README, in bytes: it is read as a whole by every build and every page of its Space.
const MAX_README: usize = 1 << 20;

/// What is to be said of a README.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadmeReport {
    /// What makes a commit with it refused.
    pub errors: Vec<String>,
    /// What will make the Space wait, but may be committed.
    pub warnings: Vec<String>,
}

impl Control {
    /// The plugins whose words a README may name here.
    pub fn plugins(&self) -> Vec<PluginKind> {
        self.inner.fleet.plugins()
    }

    /// Checks the text of a README.
    pub fn check_readme(&self, text: &str) -> ReadmeReport {
        check(text.as_bytes(), Plugins::Only(&self.plugins()))
    }
}

/// Refuses a README whose front matter is wrong. One without any may be committed: the stage then says so.
pub(super) fn refuse_invalid(text: &[u8], plugins: Plugins<'_>) -> ServiceResult<()> {
    if text.len() > MAX_README {
        let message = format!("{README} has {} bytes: at most {MAX_README} are allowed", text.len());
        return Err(ServiceError::Invalid(message));
    }
    let report = check(text, plugins);
    if report.errors.is_empty() { Ok(()) } else { Err(ServiceError::InvalidReadme(report.errors)) }
}

/// The front matter as JSON text, if there is one that can be read.
pub(super) fn card_of(readme: &[u8]) -> Option<String> {
    Manifest::from_readme(readme, Plugins::Any(&[])).ok().map(|manifest| manifest.card)
}

/// The kind that a README names.
pub(super) fn sdk_of(readme: &[u8], plugins: Plugins<'_>) -> Option<Sdk> {
    Manifest::from_readme(readme, plugins).ok().map(|manifest| manifest.sdk)
}

fn check(text: &[u8], plugins: Plugins<'_>) -> ReadmeReport {
    match Manifest::from_readme(text, plugins) {
        Ok(_) => ReadmeReport::default(),
        Err(error @ ManifestError::Missing) => ReadmeReport { warnings: vec![error.to_string()], ..Default::default() },
        Err(ManifestError::Invalid(errors)) => ReadmeReport { errors, ..Default::default() },
    }
}
