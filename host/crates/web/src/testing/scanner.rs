//! A scanner for tests: it sees what it is told to see. The real one runs on the engine, which this crate does not know.

use futures_util::future::BoxFuture;
use spaceport_control::ports::{ScanReport, ScanText, SecretMatch, SecretScanner};
use spaceport_control::service::TOKEN_PREFIX;

/// Begins a word that is a secret.
const MARK: &str = "leaked:";
/// Fails on a text with these words, and with it on all that come after.
const BREAKS: &str = "the scanner breaks";
/// Never comes to an end of a text with these words.
const HANGS: &str = "the scanner hangs";
/// Says nonsense of a text with these words.
const RAVES: &str = "the scanner raves";

/// Sees words that begin with a mark, and tokens of this host.
pub(super) struct Marked;

impl SecretScanner for Marked {
    fn scan(&self, texts: Vec<ScanText>) -> BoxFuture<'static, ScanReport> {
        Box::pin(async move {
            let mut report = ScanReport::default();
            for (index, ScanText { text, .. }) in texts.iter().enumerate() {
                if text.contains(HANGS) {
                    std::future::pending::<()>().await;
                }
                if text.contains(BREAKS) {
                    break;
                }
                report.scanned += 1;
                report.matches.extend(matches(index, text));
            }
            report
        })
    }
}

fn matches(index: usize, text: &str) -> Vec<SecretMatch> {
    let found = |rule: &str, start, end| SecretMatch { text: index, rule: rule.to_owned(), start, end };
    if text.contains(RAVES) {
        return vec![found("Not a rule", 0, 1), found("test-secret", 5, 2), found("test-secret", 0, usize::MAX)];
    }
    let is_in_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    let words = text.split(|letter| !is_in_word(letter)).filter(|word| !word.is_empty());
    let rule = |word: &str| match word {
        word if word.starts_with(MARK) => Some("test-secret"),
        word if word.starts_with(TOKEN_PREFIX) => Some("spaceport-token"),
        _ => None,
    };
    let place = |word: &str| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        Some(found(rule(word)?, start, start + word.len()))
    };
    words.filter_map(place).collect()
}
