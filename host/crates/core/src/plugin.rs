//! The `sdk:` words that plugins bring: what one may be, and which of them a README may name.
//!
//! A word goes into front matters, records, logs and messages, and a plugin is somebody else's code, so it is taken by a
//! strict rule only. It is kept in place, since the kind of a Space is copied on every request.

use std::fmt;
use std::str::FromStr;

use crate::manifest::repository_path;

/// Longest word, in bytes: it stands in lists and log lines.
pub const MAX_WORD: usize = 32;
/// Words that are or were kinds of Spaces elsewhere: what they mean is not for a plugin to say.
const RESERVED: [&str; 5] = ["static", "wasm", "docker", "gradio", "streamlit"];
/// Characters of a refused text that are shown.
const SHOWN: usize = 64;

/// The `sdk:` word of a plugin's Spaces: lower-case letters, digits and `-`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginWord {
    /// The word; zeros after its end.
    bytes: [u8; MAX_WORD],
    length: u8,
}

/// What a plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginKind {
    /// The `sdk:` word of the Spaces it serves.
    pub word: PluginWord,
    /// The entry file of a Space whose README names none.
    pub app_file: String,
}

/// Which plugins' words a README may name, beside the kinds that are always there.
#[derive(Debug, Clone, Copy)]
pub enum Plugins<'a> {
    /// Those of this host and no others: for what is about to be committed or built.
    Only(&'a [PluginKind]),
    /// Any word: for what was built while its plugin was here, and for clients, who leave it to the host.
    Any(&'a [PluginKind]),
}

/// Why a plugin's description is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKind {
    /// The word has another form.
    #[error("the sdk word {0:?} is not made of 1 to {MAX_WORD} lower-case letters, digits and \"-\"")]
    Word(String),
    /// The word is taken for good.
    #[error("the sdk word {0:?} is reserved")]
    Reserved(String),
    /// The entry file is no path of a repository.
    #[error("the app file {0:?} is not the path of a file in a repository")]
    AppFile(String),
}

impl PluginWord {
    /// The word.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.length)).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default()
    }
}

impl FromStr for PluginWord {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        if text.is_empty() || usize::from(length) > MAX_WORD || !text.bytes().all(is_letter) {
            return Err(InvalidKind::Word(shown(text)));
        }
        if RESERVED.contains(&text) {
            return Err(InvalidKind::Reserved(text.to_owned()));
        }
        let mut bytes = [0; MAX_WORD];
        bytes.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for PluginWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PluginWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PluginKind {
    /// Checks what a plugin says of itself.
    pub fn new(sdk: &str, app_file: &str) -> Result<Self, InvalidKind> {
        let word = sdk.parse()?;
        let app_file = repository_path(app_file).ok_or_else(|| InvalidKind::AppFile(shown(app_file)))?;
        Ok(Self { word, app_file })
    }
}

impl<'a> Plugins<'a> {
    /// The plugins of this host.
    pub fn here(self) -> &'a [PluginKind] {
        match self {
            Self::Only(here) | Self::Any(here) => here,
        }
    }

    /// The plugin here that serves this word.
    pub fn find(self, word: PluginWord) -> Option<&'a PluginKind> {
        self.here().iter().find(|kind| kind.word == word)
    }

    /// Whether a README may name this word.
    pub fn offers(self, word: PluginWord) -> bool {
        matches!(self, Self::Any(_)) || self.find(word).is_some()
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_few_letters_and_is_not_taken() {
        for text in ["a", "markdown-demo", "r2", "-", "x".repeat(MAX_WORD).as_str()] {
            let word: PluginWord = text.parse().unwrap();
            assert_eq!((word.as_str(), word.to_string().as_str()), (text, text));
        }
        for text in ["", "Upper", "under_score", "a b", "a\n", "ü", "a.b", "a/b", "x".repeat(MAX_WORD + 1).as_str()] {
            assert_eq!(text.parse::<PluginWord>(), Err(InvalidKind::Word(text.into())), "{text:?}");
        }
        for text in RESERVED {
            assert_eq!(text.parse::<PluginWord>(), Err(InvalidKind::Reserved(text.into())));
        }
        let long = "x".repeat(1 << 20).parse::<PluginWord>().unwrap_err();
        assert!(long.to_string().len() < 200, "a hostile word does not fill the log");
    }

    #[test]
    fn an_app_file_is_a_path_of_a_repository() {
        assert_eq!(PluginKind::new("x", "./docs/index.md").unwrap().app_file, "docs/index.md");
        for text in ["", "/etc/passwd", "../x", "a\n"] {
            assert_eq!(PluginKind::new("x", text), Err(InvalidKind::AppFile(text.into())));
        }
    }

    #[test]
    fn unknown_words_are_for_those_to_judge_who_know_all_plugins() {
        let here = [PluginKind::new("here", "a").unwrap()];
        let (known, unknown): (PluginWord, PluginWord) = ("here".parse().unwrap(), "elsewhere".parse().unwrap());
        assert!(Plugins::Only(&here).offers(known) && !Plugins::Only(&here).offers(unknown));
        assert!(Plugins::Any(&here).offers(known) && Plugins::Any(&here).offers(unknown));
        assert_eq!(Plugins::Any(&here).find(unknown), None);
    }
}
