//! Private keys in their armour: `-----BEGIN … PRIVATE KEY-----` with a key after it.

use crate::{Finding, MAX_FINDINGS};

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
const END: &str = "-----END ";
/// What may stand between `BEGIN` and the dashes: `OPENSSH PRIVATE KEY` and its like.
const MAX_LABEL: usize = 40;
/// How far from its beginning the first line of the key is.
const NEAR: usize = 200;
/// Letters of it without which there is no key: code that only looks for one has none.
const LEAST: usize = 24;
/// Longest key, in bytes: RSA with 16,384 bits takes 13,000.
const MAX_KEY: usize = 16 << 10;

/// Every private key in a text that is not sealed by a password.
pub fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find(BEGIN).filter(|_| found.len() < MAX_FINDINGS) {
        let start = at + next;
        match key(&text[start..]) {
            Some(length) => {
                found.push(Finding { rule: "private-key", start, end: start + length });
                at = start + length;
            }
            None => at = start + BEGIN.len(),
        }
    }
    found
}

/// The length of the key that a text begins with.
fn key(text: &str) -> Option<usize> {
    let after = &text[BEGIN.len()..];
    let label = prefix(after, MAX_LABEL + DASHES.len()).split(DASHES).next()?;
    let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
    if !is_private || label.contains("ENCRYPTED") || !after[label.len()..].starts_with(DASHES) {
        return None;
    }
    let head = BEGIN.len() + label.len() + DASHES.len();
    let body = prefix(&text[head..], MAX_KEY);
    let near = prefix(body, NEAR);
    if near.contains("ENCRYPTED") {
        return None;
    }
    let first = longest_run(near)?;
    let end = body.find(END).map_or(first, |at| {
        let mark = prefix(&body[at + END.len()..], MAX_LABEL + DASHES.len());
        at + END.len() + mark.find(DASHES).map_or(0, |dashes| dashes + DASHES.len())
    });
    Some(head + end.max(first))
}

/// Where the first long run of a key's letters ends.
fn longest_run(text: &str) -> Option<usize> {
    let mut run = 0;
    for (at, byte) in text.bytes().enumerate() {
        let is_key = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        if !is_key && run >= LEAST {
            return Some(at);
        }
        run = if is_key { run + 1 } else { 0 };
    }
    (run >= LEAST).then_some(text.len())
}

/// The beginning of a text, at most so many bytes.
fn prefix(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
