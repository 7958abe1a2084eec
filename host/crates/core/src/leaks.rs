//! Secrets in repositories: which files are looked through, and what may be told of a secret that was found.
//!
//! Whoever looks is not trusted with the answer's form: places are checked against the text, and an excerpt is made here,
//! of what surrounds a secret and never of the secret.

/// Largest file that is looked through, in bytes: larger ones are data.
pub const MAX_FILE: u64 = 2 << 20;
/// Files of one push that are looked through.
pub const MAX_FILES: usize = 1000;
/// Bytes of one push that are looked through: with the scanner's speed, a second's work.
pub const MAX_TOTAL: u64 = 16 << 20;
/// Findings that are kept of a Space: whoever has more looks for the cause.
pub const MAX_FINDINGS: usize = 500;
/// The rule of this host's own tokens.
pub const OWN_TOKEN: &str = "spaceport-token";

/// Longest word for a kind of secret, as `wit/scanner` says.
const MAX_RULE: usize = 64;
/// Longest name that is shown of what is assigned.
const MAX_NAME: usize = 48;
/// Of a secret, the beginning that only says whose it is: `ghp_`, `sk-`, `xoxb-`.
const MAX_MARK: usize = 7;
/// The same without a separator.
const MARKS: [&str; 3] = ["AKIA", "ASIA", "AIza"];
/// What begins a key's armour, and how long its first line may be.
const ARMOUR: (&str, usize) = ("-----BEGIN ", 60);
/// Stands for what is not shown.
const HIDDEN: char = '…';
/// Endings of files that hold no text.
const BINARY: [&str; 40] = [
    ".7z",
    ".avi",
    ".bin",
    ".bmp",
    ".ckpt",
    ".class",
    ".dll",
    ".exe",
    ".flac",
    ".gguf",
    ".gif",
    ".gz",
    ".h5",
    ".ico",
    ".jar",
    ".jpeg",
    ".jpg",
    ".mkv",
    ".mov",
    ".mp3",
    ".mp4",
    ".npy",
    ".npz",
    ".ogg",
    ".onnx",
    ".otf",
    ".parquet",
    ".pdf",
    ".pkl",
    ".png",
    ".pt",
    ".pth",
    ".pyc",
    ".safetensors",
    ".so",
    ".tar",
    ".ttf",
    ".wasm",
    ".webp",
    ".zip",
];

/// A secret in a text, as far as it may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What kind of secret.
    pub rule: String,
    /// Its line, from 1.
    pub line: u32,
    /// The name it is given, if there is one, and what kind of secret begins so.
    pub excerpt: String,
}

/// Where somebody says that a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// What kind of secret.
    pub rule: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Whether a file is looked through, as far as its name and its size say.
pub fn is_scanned(path: &str, size: u64) -> bool {
    let path = path.to_ascii_lowercase();
    (1..=MAX_FILE).contains(&size) && !BINARY.iter().any(|ending| path.ends_with(ending))
}

/// The text in a file, if it is one.
pub fn as_text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

/// What may be told of the secrets at these places, each with its text. What cannot be a place of this text is left out.
pub fn leaks<'t>(text: &'t str, places: &[Place<'_>]) -> Vec<(Leak, &'t str)> {
    let mut places: Vec<&Place<'_>> = places.iter().filter(|place| is_possible(text, place)).collect();
    places.sort_by_key(|place| (place.start, place.end));
    let mut leaks = Vec::new();
    let (mut line, mut counted, mut end_of_last) = (1, 0, 0);
    for place in places {
        line += u32::try_from(text[counted..place.start].matches('\n').count()).unwrap_or(u32::MAX);
        counted = place.start;
        let secret = &text[place.start..place.end];
        // What stands before may be a secret itself.
        let before = text.get(end_of_last..place.start).unwrap_or_default();
        let excerpt = excerpt(before, secret);
        end_of_last = end_of_last.max(place.end);
        leaks.push((Leak { rule: place.rule.to_owned(), line, excerpt }, secret));
    }
    leaks
}

fn is_possible(text: &str, place: &Place<'_>) -> bool {
    let is_in_rule = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_rule = (1..=MAX_RULE).contains(&place.rule.len()) && place.rule.bytes().all(is_in_rule);
    is_rule && place.start < place.end && text.get(place.start..place.end).is_some()
}

fn excerpt(before: &str, secret: &str) -> String {
    let name = name(before);
    let shown = mark(secret);
    match name {
        "" => format!("{shown}{HIDDEN}"),
        name => format!("{name} = {shown}{HIDDEN}"),
    }
}

/// The name that something is given which follows.
fn name(before: &str) -> &str {
    let left = before.trim_end_matches(['"', '\'', '`', ' ', '\t', '>']);
    let Some(left) = left.strip_suffix(['=', ':']) else { return "" };
    let left = left.trim_end_matches([' ', '\t', ':', '"', '\'', ']']);
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let length = left.bytes().rev().take(MAX_NAME + 1).take_while(is_in_name).count();
    // A longer one is none.
    if length > MAX_NAME { "" } else { &left[left.len() - length..] }
}

/// What a secret begins with that everybody knows.
fn mark(secret: &str) -> &str {
    let (begin, longest) = ARMOUR;
    if let Some(rest) = secret.strip_prefix(begin) {
        let end = rest.find("-----").map_or(0, |at| begin.len() + at + 5);
        return if end <= longest { &secret[..end] } else { "" };
    }
    if let Some(mark) = MARKS.iter().find(|mark| secret.starts_with(**mark)) {
        return &secret[..mark.len()];
    }
    let letters = secret.bytes().take_while(u8::is_ascii_lowercase).count();
    match secret.as_bytes().get(letters) {
        Some(b'_' | b'-') if letters < MAX_MARK => &secret[..=letters],
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str, secrets: &[&str]) -> Vec<(u32, String)> {
        let place = |secret: &&str| {
            let start = text.find(*secret).unwrap();
            (start, start + secret.len())
        };
        let places: Vec<(usize, usize)> = secrets.iter().map(place).collect();
        let places: Vec<Place<'_>> =
            places.iter().map(|(start, end)| Place { rule: "x", start: *start, end: *end }).collect();
        leaks(text, &places).into_iter().map(|(leak, _)| (leak.line, leak.excerpt)).collect()
    }

    #[test]
    fn an_excerpt_has_the_name_and_the_mark_and_nothing_else() {
        for (text, secret, line, excerpt) in [
            ("a\nAPI_KEY = \"abcd1234\"\n", "abcd1234", 2, "API_KEY = …"),
            ("os.environ['HF_TOKEN'] = 'hf_abcd1234'", "hf_abcd1234", 1, "HF_TOKEN = hf_…"),
            ("{\"key\": \"sk-abcd-1234\"}", "sk-abcd-1234", 1, "key = sk-…"),
            ("token := `AKIA1234`", "AKIA1234", 1, "token = AKIA…"),
            ("\n\n# github_pat_abcd", "github_pat_abcd", 3, "github_…"),
            ("x = secretword_abcd1234", "secretword_abcd1234", 1, "x = …"),
            (
                "k='-----BEGIN PRIVATE KEY-----\nabcd'",
                "-----BEGIN PRIVATE KEY-----\nabcd",
                1,
                "k = -----BEGIN PRIVATE KEY-----…",
            ),
            ("-----BEGIN abcd1234", "-----BEGIN abcd1234", 1, "…"),
            ("https://user:abcd1234@host", "abcd1234", 1, "user = …"),
        ] {
            assert_eq!(told(text, &[secret]), [(line, excerpt.to_owned())], "{text}");
        }
        let long = format!("{} = 'abcd1234'", "n".repeat(MAX_NAME + 1));
        assert_eq!(told(&long, &["abcd1234"]), [(1, "…".to_owned())]);
    }

    #[test]
    fn a_secret_is_not_shown_as_the_name_of_another() {
        let told = told("first1234=second5678=third90", &["third90", "first1234", "second5678"]);
        assert_eq!(told.iter().map(|(_, excerpt)| excerpt.as_str()).collect::<Vec<_>>(), ["…", "…", "…"]);
    }

    #[test]
    fn places_that_cannot_be_are_left_out() {
        let text = "é = 'x'";
        let long = "x".repeat(MAX_RULE + 1);
        for (rule, start, end) in [
            ("x", 1, 3),
            ("x", 3, 3),
            ("x", 4, 2),
            ("x", 0, 99),
            ("", 0, 2),
            ("X", 0, 2),
            ("a\nb", 0, 2),
            (&long, 0, 2),
        ] {
            assert_eq!(leaks(text, &[Place { rule, start, end }]), [], "{rule:?} {start} {end}");
        }
        assert_eq!(leaks(text, &[Place { rule: "x", start: 0, end: 2 }]).len(), 1);
    }

    #[test]
    fn text_of_a_usual_size_is_looked_through() {
        assert!(is_scanned("app.py", 1) && is_scanned(".env", MAX_FILE) && is_scanned("README", 5));
        assert!(!is_scanned("app.py", 0) && !is_scanned("app.py", MAX_FILE + 1) && !is_scanned("a/B.PNG", 5));
        assert_eq!(as_text(b"a\n"), Some("a\n"));
        assert_eq!((as_text(b"a\0b"), as_text(b"\xff\xfe")), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_is_said_of_a_text_nothing_of_a_secret_is_shown(
            text: String, places in prop::collection::vec((0_usize..40, 0_usize..40), 0..8),
        ) {
            let places: Vec<Place<'_>> = places.iter().map(|(start, end)| Place { rule: "x", start: *start, end: *end }).collect();
            for (leak, secret) in leaks(&text, &places) {
                let is_shown = secret.len() > ARMOUR.1 && leak.excerpt.contains(secret);
                prop_assert!(!is_shown, "{leak:?}");
                prop_assert!(leak.line as usize <= text.matches('\n').count() + 1);
            }
        }
    }
}
