//! What a Space's code uses, as it was read last.

use spaceport_core::linked::Linked;
use spaceport_core::revision::Oid;

/// The models and datasets that a revision's code names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedRepos {
    /// The revision that was read.
    pub revision: Oid,
    /// What it names, whatever its front matter says.
    pub linked: Linked,
}
