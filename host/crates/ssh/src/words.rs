//! What people read: each text goes to the stderr of a client, which shows it.

use spaceport_control::service::ServiceError;
use spaceport_core::name::OwnerName;
use spaceport_core::permission::Denied;
use spaceport_core::ssh::Fingerprint;

/// Whoever asks for a shell.
pub(crate) fn no_shell(name: &OwnerName) -> String {
    format!("Hi {name}! You are signed in, but there is no shell here: only git clone, fetch and push are run.")
}

/// Whoever asks for file transfer or the like.
pub(crate) fn no_subsystem(subsystem: &str) -> String {
    let subsystem: String = subsystem.chars().filter(|letter| !letter.is_control()).take(40).collect();
    format!("{subsystem:?} is not offered here: only git clone, fetch and push are run.")
}

/// Whoever could not be signed in.
pub(crate) fn refused(offered: &[Fingerprint], has_old_rsa: bool, hub: &str) -> String {
    if has_old_rsa && offered.is_empty() {
        return "Signatures of RSA keys by SHA-1 are not taken: use a newer client, or make a key with \
                `ssh-keygen -t ed25519`."
            .to_owned();
    }
    if offered.is_empty() {
        return format!(
            "Your client has offered no key. Make one with `ssh-keygen -t ed25519`, and add its .pub file at {hub}/settings/keys"
        );
    }
    let keys: Vec<String> = offered.iter().map(Fingerprint::to_string).collect();
    let what = if keys.len() == 1 { "This key is" } else { "These keys are" };
    format!("{what} not known here: {}. Add yours at {hub}/settings/keys", keys.join(", "))
}

/// An operation that was refused or failed. What went wrong inside is for the host's log alone.
pub(crate) fn failure(error: &ServiceError) -> String {
    match error {
        ServiceError::Denied(Denied::Hidden) => {
            "Repository not found: there is none at this path, or you may not see it.".to_owned()
        }
        ServiceError::Denied(Denied::Forbidden) => "You may read this repository, but not push to it.".to_owned(),
        ServiceError::Internal { .. } => "An internal error occurred; the host's log has it.".to_owned(),
        other => other.to_string(),
    }
}
