//! Browsers in which a user is signed in.

use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::TokenRole;

use crate::account::TokenHash;

/// A browser in which a user is signed in; what the browser holds is not known, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSession {
    /// What it allows at most: what the user signed in with.
    pub role: TokenRole,
    /// The access token that was used to sign in, if one was: without that token the session is over, too.
    pub token: Option<TokenHash>,
    /// When the user signed in.
    pub created_at: Millis,
    /// When it is over.
    pub expires_at: Millis,
}
