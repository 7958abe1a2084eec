//! `.gitattributes`: which paths git clients take for large files, and how one becomes such a path.

use ignore::gitignore::GitignoreBuilder;

/// Lines that are looked at; nobody writes as many by hand.
const MAX_LINES: usize = 2_000;
/// What makes a path a large file's.
const LARGE: &str = "filter=lfs diff=lfs merge=lfs -text";

/// The text with lines for these paths added where it has none; `None` if it has all.
pub(super) fn with_paths(text: &str, paths: &[String]) -> Option<String> {
    let rules = rules(text);
    let mut lines: Vec<String> = Vec::new();
    for path in paths.iter().filter(|path| !is_large(&rules, path)) {
        let line = format!("{} {LARGE}\n", pattern(path));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return None;
    }
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(lines);
    Some(text)
}

/// Patterns that say something about the filter, and whether it is the one for large files.
fn rules(text: &str) -> Vec<(ignore::gitignore::Gitignore, bool)> {
    let mut rules = Vec::new();
    for line in text.lines().take(MAX_LINES) {
        let line = line.trim();
        let Some((pattern, attributes)) = split(line) else { continue };
        let filter = attributes.split_whitespace().rev().find_map(|word| match word {
            "-filter" | "!filter" => Some(false),
            word => word.strip_prefix("filter=").map(|filter| filter == "lfs"),
        });
        let Some(is_lfs) = filter else { continue };
        let mut builder = GitignoreBuilder::new("");
        if builder.add_line(None, &pattern).is_ok()
            && let Ok(rule) = builder.build()
        {
            rules.push((rule, is_lfs));
        }
    }
    rules
}

/// A line's pattern, which may be quoted, and the attributes after it.
fn split(line: &str) -> Option<(String, &str)> {
    // A pattern cannot take back what another said, as one of `.gitignore` can.
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let Some(quoted) = line.strip_prefix('"') else {
        let (pattern, attributes) = line.split_once(char::is_whitespace)?;
        return Some((pattern.to_owned(), attributes));
    };
    let mut pattern = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((pattern, quoted.get(at + 1..)?)),
            '\\' => pattern.push(characters.next()?.1),
            other => pattern.push(other),
        }
    }
    None
}

/// What the last line about a path's filter says.
fn is_large(rules: &[(ignore::gitignore::Gitignore, bool)], path: &str) -> bool {
    let last = rules.iter().rev().find(|(rule, _)| rule.matched(path, false).is_ignore());
    last.is_some_and(|(_, is_lfs)| *is_lfs)
}

/// The pattern that is this very path.
fn pattern(path: &str) -> String {
    let mut text = String::from("/");
    for character in path.chars() {
        if matches!(character, '*' | '?' | '[' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    let needs_quotes = text.contains([' ', '"', '\t']);
    if !needs_quotes {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, path: &str) -> Option<String> {
        let with = with_paths(text, &[path.to_owned()])?;
        Some(with.strip_prefix(text).unwrap_or(&with).to_owned())
    }

    #[test]
    fn a_path_that_is_known_adds_nothing() {
        for (text, path) in [
            ("*.bin filter=lfs diff=lfs merge=lfs -text\n", "a/b.bin"),
            ("/models/** filter=lfs\n", "models/x/y"),
            ("a.bin filter=lfs -text", "a.bin"),
            ("\"a b.bin\" filter=lfs\n", "a b.bin"),
            ("*.bin -filter\n*.bin filter=lfs\n", "x.bin"),
        ] {
            assert_eq!(added(text, path), None, "{text} {path}");
        }
    }

    #[test]
    fn an_unknown_path_is_added_as_it_is() {
        for (text, path, line) in [
            ("", "a/b.bin", "/a/b.bin"),
            ("* -text\n", "a.bin", "/a.bin"),
            ("*.bin filter=lfs\n*.bin -filter\n", "a.bin", "/a.bin"),
            ("*.bin filter=other\n", "a.bin", "/a.bin"),
            ("# *.bin filter=lfs\n", "a.bin", "/a.bin"),
            ("", "a b.bin", "\"/a b.bin\""),
            ("", "a[1]*.bin", "/a\\[1]\\*.bin"),
        ] {
            assert_eq!(added(text, path).as_deref(), Some(&*format!("{line} {LARGE}\n")), "{text} {path}");
            let with = with_paths(text, &[path.to_owned()]).unwrap();
            assert_eq!(with_paths(&with, &[path.to_owned()]), None, "{with}");
        }
        let unfinished = with_paths("* -text", &["a".to_owned(), "a".to_owned()]).unwrap();
        assert_eq!(unfinished, format!("* -text\n/a {LARGE}\n"));
    }
}
