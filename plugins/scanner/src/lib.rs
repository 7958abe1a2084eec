//! Secrets in texts: tokens by their shapes, private keys by their armour, and whatever else is assigned to a name that
//! speaks of a secret and looks random.
//!
//! A finding warns somebody in the middle of their work, so a rule would rather miss a secret than cry wolf: what is a
//! placeholder, a hash, an id or the work of a tool ([`noise`]) is none. Every rule looks at each byte a fixed number of
//! times, whatever the text.

pub mod assignments;
pub mod checksum;
#[cfg(target_family = "wasm")]
mod component;
pub mod keys;
pub mod noise;
pub mod tokens;

/// Secrets of one file that are told: whoever commits more has seen enough.
pub const MAX_FINDINGS: usize = 100;

/// A secret in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What kind of secret it is.
    pub rule: &'static str,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// The secrets in a file, in the order of the text. Where two rules see one, the more exact rule tells.
pub fn scan(path: &str, text: &str) -> Vec<Finding> {
    let mut found = keys::find(text);
    add(&mut found, tokens::find(text));
    if !noise::is_generated(path) {
        add(&mut found, assignments::find(text, noise::has_bare_values(path)));
    }
    found.sort_by_key(|finding| finding.start);
    found.truncate(MAX_FINDINGS);
    found
}

/// Adds what does not overlap with anything that is there. Both are short.
fn add(found: &mut Vec<Finding>, more: Vec<Finding>) {
    let exact = found.len();
    for finding in more {
        let is_known = found[..exact].iter().any(|known| known.start < finding.end && finding.start < known.end);
        if !is_known {
            found.push(finding);
        }
    }
}

#[cfg(test)]
mod tests;
