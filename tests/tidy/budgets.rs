//! Sizes: a file and a function that can be read in one go. Beyond the budget, split by what the parts are about.

use crate::none;
use crate::tree::{self, File};

/// Lines of a file, without its unit tests.
const FILE_LINES: usize = 600;
/// Lines of a function, from its name to its closing brace.
const FUNCTION_LINES: usize = 80;
/// Files that may be longer, with the reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// Functions that may be longer: file, name and the reason.
const LONG_FUNCTIONS: [(&str, &str, &str); 0] = [];

#[test]
fn files_can_be_read_in_one_go() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs"]) {
        let lines = production(&file).lines().count();
        let may_be_long = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > FILE_LINES && !may_be_long {
            broken.push(format!("{}: {lines} lines", file.path));
        }
        if lines <= FILE_LINES && may_be_long {
            broken.push(format!("{}: is no exception any more", file.path));
        }
    }
    none(broken, &format!("A file has at most {FILE_LINES} lines beside its unit tests:"));
}

#[test]
fn functions_fit_on_a_screen() {
    let mut broken = Vec::new();
    let mut exceptions = LONG_FUNCTIONS.to_vec();
    for file in tree::files(&[".rs"]) {
        for (name, line, lines) in functions(&file.text).into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES) {
            match exceptions.iter().position(|(path, long, _)| *path == file.path && *long == name) {
                Some(position) => drop(exceptions.remove(position)),
                None => broken.push(format!("{}:{line}: {name} has {lines} lines", file.path)),
            }
        }
    }
    broken.extend(exceptions.iter().map(|(path, name, _)| format!("{path}: {name} is no exception any more")));
    none(broken, &format!("A function has at most {FUNCTION_LINES} lines:"));
}

#[test]
fn modules_say_what_they_are_about() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs"]) {
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        // Unit tests in a file of their own are explained by what they test.
        if !first.starts_with("//!") && !file.is_test_module() {
            broken.push(file.path);
        }
    }
    none(broken, "A module starts with `//!`: its idea, its invariant, its neighbours:");
}

#[test]
fn functions_are_found_with_their_length() {
    let text = "impl A {\n    pub(crate) async fn one(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n\n    fn two() {}\n\n    fn three();\n}\n\npub const fn four<T>() {\n    if true {\n    }\n}\n";
    let found: Vec<(String, usize, usize)> = functions(text);
    let expected = [("one", 2, 5), ("two", 8, 1), ("three", 10, 1), ("four", 13, 4)];
    assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
}

/// The part of a file before its unit tests.
fn production(file: &File) -> &str {
    if file.is_test_module() {
        return "";
    }
    file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// Name, first line and number of lines of every function, by the shape that rustfmt gives them: a function ends at the
/// first line that is its own indentation and a brace.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| line.strip_prefix(indent) == Some("}") || line.strip_prefix(indent) == Some(");");
        let head_end = lines[start..].iter().position(|line| line.ends_with('{') || line.ends_with(['}', ';']));
        let Some(head_end) = head_end else { continue };
        let length = match lines[start + head_end].ends_with('{') {
            true => lines[start..].iter().skip(head_end + 1).position(ends).map_or(1, |body| head_end + body + 2),
            false => head_end + 1,
        };
        found.push((name.to_owned(), start + 1, length));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    for word in words.by_ref() {
        match word {
            "fn" => break,
            "pub" | "pub(crate)" | "pub(super)" | "const" | "async" | "unsafe" | "extern" | "\"C\"" => {}
            _ => return None,
        }
    }
    let name = words.next()?;
    name.split(['(', '<']).next()
}
