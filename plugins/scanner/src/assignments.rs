//! Random values that are given to names which speak of secrets: `API_KEY = "…"`.

use crate::{Finding, MAX_FINDINGS, noise};

/// Longest line that is looked at: people write shorter ones, and what tools write is full of what looks random.
const MAX_LINE: usize = 4 << 10;
/// Places of a line where a value may begin.
const MAX_PLACES: usize = 32;
/// Longest name.
const MAX_NAME: usize = 80;
/// Lengths of values: shorter ones are words, longer ones are data.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=200;
/// Least bits of information in a letter: of 20 random letters and digits nearly all have more, and few words do.
const LEAST_ENTROPY: f64 = 3.5;
/// Least letters and digits in a row of which some part of the value is: what is put together of words has shorter parts.
const LEAST_RUN: usize = 12;
/// Least digits in that row.
const LEAST_DIGITS: usize = 2;
/// Of the neighbours in it, at least one pair in so many is of two kinds: small, capital, digit. In words few are.
const MIXED: usize = 4;
/// Letters of Amazon's secret keys.
const AWS_SECRET: usize = 40;
/// Least bits of information in one: of 64 letters, 40 random ones have some 4.7.
const LEAST_AWS_ENTROPY: f64 = 4.0;

/// Words that speak of a secret.
const SECRET: [&str; 9] =
    ["secret", "secrets", "token", "password", "passwd", "pwd", "apikey", "passphrase", "credential"];
/// Words that do so before `key`.
const KEY_OF: [&str; 8] = ["api", "access", "private", "auth", "secret", "encryption", "signing", "service"];
/// Last words of names of something else about a secret.
const ABOUT: [&str; 30] = [
    "algorithm",
    "checksum",
    "class",
    "count",
    "digest",
    "dir",
    "endpoint",
    "env",
    "field",
    "file",
    "hash",
    "header",
    "hint",
    "id",
    "ids",
    "label",
    "length",
    "limit",
    "md5",
    "name",
    "path",
    "pattern",
    "prefix",
    "regex",
    "sha256",
    "size",
    "type",
    "uri",
    "url",
    "version",
];

/// Every such value in a text. Values without quotes count where `has_bare_values` says so.
pub fn find(text: &str, has_bare_values: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.len() <= MAX_LINE {
            find_in_line(line, start, has_bare_values, &mut found);
        }
        if found.len() >= MAX_FINDINGS {
            break;
        }
        start += line.len();
    }
    found
}

fn find_in_line(line: &str, start: usize, has_bare_values: bool, found: &mut Vec<Finding>) {
    let mut end = 0;
    let places = line.match_indices(['=', ':']).map(|(at, _)| at).take(MAX_PLACES);
    for at in places {
        // What is in a value that was found is no name.
        if at < end {
            continue;
        }
        let words = words(name_before(&line[..at]));
        if !speaks_of_a_secret(&words) {
            continue;
        }
        let Some((from, to)) = value_after(line, at + 1, has_bare_values) else { continue };
        if let Some(rule) = rule(&words, &line[from..to]) {
            found.push(Finding { rule, start: start + from, end: start + to });
            end = to;
        }
    }
}

/// The name that an assignment's left side ends with.
fn name_before(left: &str) -> &str {
    let left = left.trim_end_matches([' ', '\t', '"', '\'', ']', ':', '?']);
    // A type, as in `key: str = …`.
    let left = match left.rsplit_once(':') {
        Some((name, kind)) if is_type(kind.trim()) => name.trim_end(),
        _ => left,
    };
    let length = left.bytes().rev().take(MAX_NAME).take_while(|byte| is_in_name(*byte)).count();
    &left[left.len() - length..]
}

fn is_type(text: &str) -> bool {
    matches!(text, "str" | "string" | "String" | "&str" | "&'static str" | "Optional[str" | "str | None" | "Final")
}

fn is_in_name(byte: u8) -> bool {
    noise::is_in_word(byte) || matches!(byte, b'-' | b'.')
}

/// The words of a name, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        let is_new = letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if !letter.is_ascii_alphanumeric() || is_new {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.push(letter.to_ascii_lowercase()));
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn speaks_of_a_secret(words: &[String]) -> bool {
    let is_one = |word: &String| SECRET.contains(&word.as_str());
    let is_key = words.windows(2).any(|pair| KEY_OF.contains(&pair[0].as_str()) && pair[1] == "key");
    let is_about = words.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    (is_key || words.iter().any(is_one)) && !is_about
}

/// Where the value is that begins after a sign of assignment.
fn value_after(line: &str, at: usize, has_bare_values: bool) -> Option<(usize, usize)> {
    let rest = &line[at..];
    // The second half of `:=` and `=>`; a comparison assigns nothing.
    let rest =
        rest.strip_prefix('>').or(rest.strip_prefix('=').filter(|_| line.as_bytes()[at - 1] == b':')).unwrap_or(rest);
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix(['b', 'r', 'u']).filter(|rest| rest.starts_with(['"', '\''])).unwrap_or(rest);
    let from = line.len() - rest.len();
    match rest.chars().next()? {
        quote @ ('"' | '\'' | '`') => {
            let length = rest[1..].find(quote)?;
            Some((from + 1, from + 1 + length))
        }
        _ if has_bare_values => {
            let length = rest.find([' ', '\t', '\r', '\n', ',', ';', '"', '\'']).unwrap_or(rest.len());
            Some((from, from + length))
        }
        _ => None,
    }
}

/// What kind of secret a value is, if it is one.
fn rule(words: &[String], value: &str) -> Option<&'static str> {
    if !LENGTHS.contains(&value.len()) || noise::is_hash_or_id(value) || noise::is_standin(value) {
        return None;
    }
    if words.iter().any(|word| word == "aws") && is_aws_secret(value) {
        return Some("aws-secret-key");
    }
    let is_written = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.~!@#$%^&*".contains(&byte);
    let is_likely = value.bytes().all(is_written)
        && noise::entropy(value) >= LEAST_ENTROPY
        && value.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_random);
    is_likely.then_some("generic-secret")
}

/// Whether a value has the shape of Amazon's secret keys, which have no mark.
fn is_aws_secret(value: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value.len() == AWS_SECRET && value.bytes().all(is_base64) && noise::entropy(value) >= LEAST_AWS_ENTROPY
}

/// Whether letters and digits in a row are no word.
fn is_random(run: &str) -> bool {
    let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let bytes = run.as_bytes();
    let changes = bytes.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    bytes.len() >= LEAST_RUN && digits >= LEAST_DIGITS && digits < bytes.len() && changes * MIXED >= bytes.len() - 1
}
