//! Small texts with a form of their own: durations, relative paths, emoji, versions of Python.

use std::time::Duration;

/// Longest duration: a day is more than any start may take.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest version, in bytes.
const MAX_VERSION: usize = 32;
/// Longest path, in bytes.
const MAX_PATH: usize = 1024;

/// `30s`, `30m`, `1h`, `1h30m`. At least a second, at most a day.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next()?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = number.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(seconds)?;
        rest = tail.get(1..)?.trim_start();
    }
    let duration = Duration::from_secs(seconds);
    (seconds > 0 && duration <= MAX_DURATION).then_some(duration)
}

/// A path of the repository, in its plain form: `./dist/index.html` is `dist/index.html`.
pub(crate) fn relative_path(text: &str) -> Option<String> {
    let plain = text.strip_prefix("./").unwrap_or(text);
    let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
    let is_plain = plain.len() <= MAX_PATH
        && plain.split('/').all(is_name)
        && !plain.contains('\\')
        && !plain.chars().any(char::is_control);
    is_plain.then(|| plain.to_owned())
}

/// `3.x` or `3.x.y`.
pub(super) fn is_python_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.as_slice(), ["3", rest @ ..] if (1..=2).contains(&rest.len()) && rest.iter().all(is_number))
}

/// `5.23.1`, `4.0.0b2`, `5.0.0-beta.1`: what can be a version of a package, and nothing that a shell or an installer would
/// take for more.
pub(super) fn is_version(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    text.len() <= MAX_VERSION && text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(is_allowed)
}

/// Whether a text is one emoji: a sign, with its modifiers, or several joined into one.
pub(super) fn is_emoji(text: &str) -> bool {
    let mut signs = 0;
    let mut is_joined = false;
    let mut open_flag = false;
    let is_keycap = text.ends_with('\u{20e3}');
    for c in text.chars() {
        match c {
            '\u{200d}' => {
                is_joined = signs > 0;
                continue;
            }
            // Variation selectors, keycap, skin tones, tags.
            '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}'
                if signs > 0 =>
            {
                continue;
            }
            // Two letters make a flag.
            '\u{1f1e6}'..='\u{1f1ff}' if open_flag => open_flag = false,
            '\u{1f1e6}'..='\u{1f1ff}' => {
                open_flag = true;
                signs += 1;
            }
            '0'..='9' | '#' | '*' if is_keycap => signs += 1,
            '\u{a9}' | '\u{ae}' | '\u{2000}'.. if is_joined => {}
            '\u{a9}' | '\u{ae}' | '\u{2030}'.. => signs += 1,
            _ => return false,
        }
        is_joined = false;
    }
    signs == 1 && !is_joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in
            [("30s", 30), ("30m", 1800), ("1h", 3600), ("1h30m", 5400), ("1h 30m", 5400), ("1d", 86_400), (" 5s ", 5)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "30", "m", "0s", "1x", "-1s", "1.5h", "2d", "99999999999999999999s", "1h30", "30 m"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn paths_stay_in_the_repository() {
        for (text, plain) in [("app.py", "app.py"), ("./dist/index.html", "dist/index.html"), ("a b/ü", "a b/ü")] {
            assert_eq!(relative_path(text).as_deref(), Some(plain));
        }
        for text in ["", "./", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "a\\b", "a\0", "././a"] {
            assert_eq!(relative_path(text), None, "{text:?}");
        }
    }

    #[test]
    fn python_has_versions_of_two_or_three_numbers() {
        for text in ["3.10", "3.9", "3.12.1"] {
            assert!(is_python_version(text), "{text}");
        }
        for text in ["3", "2.7", "3.", "3.x", "3.10.1.2", "3.1000", " 3.10"] {
            assert!(!is_python_version(text), "{text}");
        }
    }

    #[test]
    fn a_version_is_no_more_than_one() {
        for text in ["5", "5.23.1", "4.0.0b2", "5.0.0-beta.1", "3.50.2+cu1"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["", "latest", "5 --index-url=x", "5;id", "5\n", "-r", ">=5", &"5".repeat(MAX_VERSION + 1)] {
            assert!(!is_version(text), "{text:?}");
        }
    }

    #[test]
    fn one_emoji_is_one_sign() {
        for text in ["🚀", "❤️", "👍🏽", "👩‍💻", "👨‍👩‍👧‍👦", "🇩🇪", "1️⃣", "©", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☕", "⚙️", "🏳️‍🌈"]
        {
            assert!(is_emoji(text), "{text}");
        }
        for text in ["", "a", "rocket", "🚀🚀", "🚀 ", "1", "🇩🇪🇫🇷", ":)", "🚀x", "\u{200d}"] {
            assert!(!is_emoji(text), "{text:?}");
        }
    }
}
