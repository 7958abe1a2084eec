//! Signing in at Spaces: what is known of the applications, of what users have agreed to, and of the codes and tokens that
//! applications hold. Of those only hashes are known.

use spaceport_core::id::SpaceId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::TokenRole;

use crate::account::TokenHash;

/// A Space that signs users in. Without a row its secret is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OauthApp {
    /// How often its secret was made anew.
    pub secret_number: u64,
    /// When that was last.
    pub rotated_at: Millis,
}

/// What a user has agreed to give a Space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthConsent {
    /// The scopes, with spaces between them.
    pub scopes: String,
    /// When the user last agreed.
    pub at: Millis,
}

/// One sign-in of a user at a Space, from the code to the last token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthGrant {
    /// The Space; `None`: the command line.
    pub space: Option<SpaceId>,
    /// The scopes, with spaces between them.
    pub scopes: String,
    /// What its tokens may do with the user's Spaces.
    pub role: Option<TokenRole>,
    /// When the user proved who they are.
    pub auth_time: Millis,
    /// When it began.
    pub created_at: Millis,
    /// When it ends, however often tokens are refreshed.
    pub expires_at: Millis,
    /// How far it has come.
    pub stage: GrantStage,
}

/// How far a sign-in has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantStage {
    /// The application has a code.
    Code {
        /// The code.
        code: TokenHash,
        /// When it is worth nothing any more.
        expires_at: Millis,
        /// Where it was sent, which the application must repeat.
        redirect_uri: String,
        /// SHA-256 of what the application must show, in the words of PKCE.
        challenge: Option<String>,
        /// Goes into the id token.
        nonce: Option<String>,
    },
    /// The application has tokens.
    Tokens {
        /// The one by which it gets others; of those before it none is taken.
        refresh: TokenHash,
        /// Access tokens that may still hold, each with its end; newest last.
        access: Vec<(TokenHash, Millis)>,
        /// Whether the application has shown its secret, and must go on to.
        needs_secret: bool,
    },
}
