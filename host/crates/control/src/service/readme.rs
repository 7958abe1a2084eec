//! Checking a README before it is committed, with the very parser that a build uses.

use spaceport_core::manifest::{Manifest, ManifestError};
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
    /// Checks the text of a README.
    pub fn check_readme(&self, text: &str) -> ReadmeReport {
        check(text.as_bytes())
    }
}

/// Refuses a README whose front matter is wrong. One without any may be committed: the stage then says so.
pub(super) fn refuse_invalid(text: &[u8]) -> ServiceResult<()> {
    if text.len() > MAX_README {
        let message = format!("{README} has {} bytes: at most {MAX_README} are allowed", text.len());
        return Err(ServiceError::Invalid(message));
    }
    let report = check(text);
    if report.errors.is_empty() { Ok(()) } else { Err(ServiceError::InvalidReadme(report.errors)) }
}

/// The front matter as JSON text, if there is one that can be read.
pub(super) fn card_of(readme: &[u8]) -> Option<String> {
    Manifest::from_readme(readme).ok().map(|manifest| manifest.card)
}

/// The kind that a README names.
pub(super) fn sdk_of(readme: &[u8]) -> Option<Sdk> {
    Manifest::from_readme(readme).ok().map(|manifest| manifest.sdk)
}

fn check(text: &[u8]) -> ReadmeReport {
    match Manifest::from_readme(text) {
        Ok(_) => ReadmeReport::default(),
        Err(error @ ManifestError::Missing) => ReadmeReport { warnings: vec![error.to_string()], ..Default::default() },
        Err(ManifestError::Invalid(errors)) => ReadmeReport { errors, ..Default::default() },
    }
}
