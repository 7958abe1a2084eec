//! The routes as the source has them: axum tells nobody which it was given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The methods that a route can be for.
const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];
/// Folders whose routes are not the hub's: the admin socket and listener, the edge, tests.
const OTHERS: [&str; 3] = ["admin", "edge", "tests"];

/// Every `METHOD /path` of the hub.
pub(in super::super) fn all() -> BTreeSet<String> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let mut routes = BTreeSet::new();
    for text in &texts {
        let uses = text.match_indices(".route(").map(|(at, word)| arguments(&text[at + word.len()..]));
        for (path, methods) in uses.filter_map(|route| route.split_once(',')) {
            // The builder's own; what it is given is found below.
            if path.trim() == "path" {
                continue;
            }
            let path = match path.trim().strip_prefix('"') {
                Some(path) => path.trim_end_matches('"').to_owned(),
                None => constant(path.trim(), &texts),
            };
            let found: Vec<&str> = METHODS.into_iter().filter(|method| calls(methods, method)).collect();
            assert!(!found.is_empty(), "no method is recognised at {path}");
            routes.extend(found.iter().map(|method| format!("{} {path}", method.to_uppercase())));
        }
        if text.contains("Described") {
            routes.extend(METHODS.into_iter().flat_map(|method| described(text, method, &texts)));
        }
    }
    routes
}

/// The routes of a method that are added with a description: what is called with an address first, or with a constant that
/// is one.
fn described(text: &str, method: &str, texts: &[String]) -> Vec<String> {
    let call = format!(".{method}(");
    let firsts = text.split(&call).skip(1).filter_map(|rest| Some(rest.split_once(',')?.0.trim()));
    let paths = firsts.filter_map(|first| match first.strip_prefix("\"/") {
        Some(path) => Some(format!("/{}", path.trim_end_matches('"'))),
        None => first.ends_with("_PATH").then(|| constant(first, texts)),
    });
    paths.map(|path| format!("{} {path}", method.to_uppercase())).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !OTHERS.contains(&name) {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// What stands before the parenthesis that ends the call.
fn arguments(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    });
    &text[..end.unwrap_or(text.len())]
}

/// Whether a function of this name is called as itself, not as a part of a path or of a longer name.
fn calls(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}(")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))
    })
}

/// The value of a constant, by its path.
fn constant(path: &str, texts: &[String]) -> String {
    let name = path.rsplit("::").next().unwrap();
    let declared = format!("const {name}: &str =");
    let found = texts.iter().find_map(|text| Some(text.split_once(&declared)?.1.split('"').nth(1)?.to_owned()));
    found.unwrap_or_else(|| panic!("{path} is not found"))
}
