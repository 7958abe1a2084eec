//! E-mail addresses of users: a row where one is known.

use spaceport_core::email::EmailAddress;
use spaceport_core::lifecycle::Millis;

/// The address of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEmail {
    /// The address.
    pub address: EmailAddress,
    /// Whether somebody has made sure that it is the user's.
    pub is_verified: bool,
    /// When it was set.
    pub set_at: Millis,
}
