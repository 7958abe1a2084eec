//! Tokens that services give out in a shape of their own.

use std::ops::RangeInclusive;

use crate::{Finding, MAX_FINDINGS, checksum, noise};

/// Of what a token is made after its prefix.
#[derive(Debug, Clone, Copy)]
enum Letters {
    /// Letters and digits.
    Plain,
    /// Those, `-` and `_`.
    Url,
    /// Capitals and the digits 2 to 7.
    Base32,
    /// Those of a path: as `Url`, and `/`.
    Path,
}

/// The shape of a service's tokens.
struct Shape {
    rule: &'static str,
    prefixes: &'static [&'static str],
    letters: Letters,
    lengths: RangeInclusive<usize>,
    /// What else holds for what follows the prefix.
    check: fn(&str) -> bool,
}

const SHAPES: [Shape; 17] = [
    shape("spaceport-token", &["sp_"], Letters::Plain, 36..=36, checksum::is_right),
    shape("huggingface-token", &["hf_", "api_org_"], Letters::Plain, 34..=34, noise::is_varied),
    shape("aws-access-key", &["AKIA", "ASIA"], Letters::Base32, 16..=16, is_aws),
    shape("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Letters::Plain, 36..=36, noise::is_varied),
    shape("github-token", &["github_pat_"], Letters::Url, 82..=82, noise::is_varied),
    shape("gitlab-token", &["glpat-"], Letters::Url, 20..=64, noise::is_varied),
    shape("slack-token", &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-"], Letters::Url, 24..=200, begins_with_number),
    shape("slack-token", &["xapp-"], Letters::Url, 40..=200, begins_with_number),
    shape("slack-webhook", &["hooks.slack.com/services/"], Letters::Path, 40..=80, noise::is_varied),
    shape("google-api-key", &["AIza"], Letters::Url, 35..=35, noise::is_varied),
    shape("google-oauth-secret", &["GOCSPX-"], Letters::Url, 28..=28, noise::is_varied),
    shape("openai-key", &["sk-"], Letters::Plain, 48..=48, noise::is_varied),
    shape("openai-key", &["sk-proj-", "sk-svcacct-", "sk-admin-"], Letters::Url, 40..=200, noise::is_varied),
    shape("anthropic-key", &["sk-ant-"], Letters::Url, 40..=200, noise::is_varied),
    shape("stripe-key", &["sk_live_", "rk_live_"], Letters::Plain, 24..=120, noise::is_varied),
    shape("npm-token", &["npm_"], Letters::Plain, 36..=36, noise::is_varied),
    shape("pypi-token", &["pypi-AgEIcHlwaS5vcmc"], Letters::Url, 50..=240, noise::is_varied),
];

const fn shape(
    rule: &'static str,
    prefixes: &'static [&'static str],
    letters: Letters,
    lengths: RangeInclusive<usize>,
    check: fn(&str) -> bool,
) -> Shape {
    Shape { rule, prefixes, letters, lengths, check }
}

/// Every token in a text.
pub fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut before = b' ';
    while let Some(byte) = text.as_bytes().get(at).copied() {
        // A token begins where a word does.
        let token = if noise::is_in_word(before) || !byte.is_ascii() { None } else { token(&text[at..]) };
        match token {
            Some((rule, length)) => {
                found.push(Finding { rule, start: at, end: at + length });
                if found.len() == MAX_FINDINGS {
                    break;
                }
                at += length;
                before = b'x';
            }
            None => {
                at += 1;
                before = byte;
            }
        }
    }
    found
}

/// The token that a text begins with, and its length.
fn token(text: &str) -> Option<(&'static str, usize)> {
    SHAPES.iter().find_map(|shape| {
        let prefix = shape.prefixes.iter().find(|prefix| text.starts_with(**prefix))?;
        let rest = &text[prefix.len()..];
        // One more than it may have, to see whether it goes on. That is a bound on the work as well.
        let length = rest.bytes().take(shape.lengths.end() + 1).take_while(|byte| shape.letters.has(*byte)).count();
        let ends = !rest.as_bytes().get(length).is_some_and(|byte| noise::is_in_word(*byte));
        (ends && shape.lengths.contains(&length) && (shape.check)(&rest[..length]))
            .then_some((shape.rule, prefix.len() + length))
    })
}

impl Letters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Base32 => byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/'),
        }
    }
}

/// Amazon's own documents end their keys so.
fn is_aws(body: &str) -> bool {
    !body.ends_with("EXAMPLE") && noise::is_varied(body)
}

/// Slack's tokens name a workspace first.
fn begins_with_number(body: &str) -> bool {
    let first = body.split('-').next().unwrap_or_default();
    !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()) && noise::is_varied(body)
}
