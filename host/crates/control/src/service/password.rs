//! Passwords: stored as Argon2id, checked in a time that does not tell whether the user exists.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng;

use super::error::{ServiceError, ServiceResult};

/// Shortest password. Length is what counts; nothing else is asked of it.
pub(super) const MIN_PASSWORD: usize = 8;
/// Longest password, in bytes: hashing more is work that a stranger could ask for.
pub(super) const MAX_PASSWORD: usize = 1024;

/// Memory of one hash in KiB, passes and lanes: the first choice of RFC 9106's second recommendation, sized to a host that
/// has other work (19 MiB, 2 passes, 1 lane).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Hashes a new password. Slow on purpose: call it where blocking is allowed.
pub(super) fn hash_password(password: &str) -> ServiceResult<String> {
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.len()) {
        let message = format!("A password has {MIN_PASSWORD} to {MAX_PASSWORD} bytes");
        return Err(ServiceError::Invalid(message));
    }
    let salt = SaltString::encode_b64(&rand::rng().random::<[u8; 16]>())
        .map_err(|error| ServiceError::internal("make a salt", error.to_string()))?;
    let hash = hasher()?
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| ServiceError::internal("hash a password", error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether a password is the one that was hashed. Without a hash (no such user, or one who has no password) the same work
/// is done for nothing. Slow on purpose: call it where blocking is allowed.
pub(super) fn verify_password(password: &str, hash: Option<&str>) -> ServiceResult<bool> {
    if password.len() > MAX_PASSWORD {
        return Ok(false);
    }
    let Some(hash) = hash else {
        // The result is thrown away; only the time it takes matters.
        let _ = hash_password("a password of nobody")?;
        return Ok(false);
    };
    let parsed = PasswordHash::new(hash)
        .map_err(|error| ServiceError::internal("read a stored password hash", error.to_string()))?;
    Ok(hasher()?.verify_password(password.as_bytes(), &parsed).is_ok())
}

fn hasher() -> ServiceResult<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None)
        .map_err(|error| ServiceError::internal("set up Argon2", error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_passes() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify_password("correct horse", Some(&hash)).unwrap());
        assert!(!verify_password("battery staple", Some(&hash)).unwrap());
        assert!(!verify_password("correct horse", None).unwrap());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(matches!(hash_password("short"), Err(ServiceError::Invalid(_))));
        assert!(matches!(hash_password(&"x".repeat(2000)), Err(ServiceError::Invalid(_))));
    }
}
