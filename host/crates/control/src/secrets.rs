//! The secrets of a Space in the clear, for what is about to be given them.

use spaceport_core::space::{Preview, Space};
use spaceport_db::ReadError;

use crate::fleet::Shared;

/// Why a Space's secrets cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// The database does not give them.
    #[error("this host cannot read the Space's secrets")]
    Unreadable(ReadError),
    /// One was sealed by another key.
    #[error("the secret {0} cannot be decrypted: set it again")]
    Sealed(String),
}

/// Names and values. Those of a preview are of the Space it belongs to, if it is given any.
pub(crate) fn secrets(shared: &Shared, space: &Space) -> Result<Vec<(String, String)>, SecretsError> {
    if !space.preview.as_ref().is_none_or(Preview::has_secrets) {
        return Ok(Vec::new());
    }
    let owner = space.preview.as_ref().map_or(space.id, |preview| preview.of);
    let mut secrets = Vec::new();
    for ((_, name), sealed) in shared.db.secrets().under(&owner).map_err(SecretsError::Unreadable)? {
        let value = shared.config.keys.open_secret(owner, &name, &sealed).map_err(|error| {
            tracing::error!(space = %space.path, secret = name, %error, "a secret cannot be opened");
            SecretsError::Sealed(name.clone())
        })?;
        secrets.push((name, value.reveal().to_owned()));
    }
    Ok(secrets)
}
