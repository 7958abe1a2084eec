//! Code in colours: HTML with classes that the style gives colours to.

use std::sync::LazyLock;

use askama::filters::{Html, escape};
use syntect::html::{ClassStyle, ClassedHTMLGenerator};
use syntect::parsing::{SyntaxReference, SyntaxSet};
use syntect::util::LinesWithEndings;

/// In front of every class, so that none is one of ours.
const STYLE: ClassStyle = ClassStyle::SpacedPrefixed { prefix: "s-" };
/// Longest line that is coloured, in bytes: what is longer was not written by hand, and takes long.
const MAX_LINE: usize = 2000;
/// Largest text that is coloured, in bytes, for the same reason.
const MAX_TEXT: usize = 256 << 10;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// A file's text as HTML, by its name.
pub(super) fn highlight(name: &str, text: &str) -> String {
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    let is_written = text.len() <= MAX_TEXT && text.lines().all(|line| line.len() <= MAX_LINE);
    let syntax = SYNTAXES.find_syntax_by_extension(ending).filter(|_| is_written);
    syntax.and_then(|syntax| coloured(syntax, text)).unwrap_or_else(|| plain(text))
}

fn coloured(syntax: &SyntaxReference, text: &str) -> Option<String> {
    let mut generator = ClassedHTMLGenerator::new_with_class_style(syntax, &SYNTAXES, STYLE);
    for line in LinesWithEndings::from(text) {
        generator.parse_html_for_line_which_includes_newline(line).ok()?;
    }
    Some(generator.finalize())
}

fn plain(text: &str) -> String {
    match escape(text, Html) {
        Ok(escaped) => escaped.to_string(),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_colours_and_stays_text() {
        let text = "def f():\n    return \"<script>alert(1)</script>\"\n";
        for name in ["app.py", "app.unknown", "py", ""] {
            let html = highlight(name, text);
            assert!(!html.contains("<script>") && html.contains("alert(1)"), "{name}: {html}");
        }
        assert!(highlight("app.py", text).contains("class=\"s-"));
        let long = format!("x = '{}'", "a".repeat(MAX_LINE));
        assert!(!highlight("app.py", &long).contains("class="));
    }
}
