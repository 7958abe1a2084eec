//! Likes: who likes a Space, and since when.

use spaceport_core::lifecycle::Millis;

/// That an account likes a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Like {
    /// Since when.
    pub at: Millis,
}
