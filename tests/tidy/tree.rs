//! The files that the rules are about: what people write, not what tools make of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no text of ours: build outputs, and WIT packages that belong to WASI.
const SKIPPED: [&str; 5] = ["target", ".git", "deps", "shared", "node_modules"];

/// A file of the repository.
pub struct File {
    /// Its path from the top, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// The top of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository").to_owned()
}

/// The text files whose name ends so, in order of their paths.
pub fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&top(), &mut |path| {
        let name = path.strip_prefix(top()).expect("walked from the top").to_str().expect("our names are UTF-8");
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
            found.push(File { path: name.to_owned(), text });
        }
    });
    assert!(!found.is_empty(), "no {endings:?} below {}", top().display());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file, by its path from the top.
pub fn file(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl File {
    /// Whether it holds unit tests only.
    pub fn is_test_module(&self) -> bool {
        self.path.ends_with("/tests.rs") || (self.path.contains("/src/") && self.path.contains("/tests/"))
    }
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
            walk(&entry.path(), visit);
        } else if kind.is_file() {
            visit(&entry.path());
        }
    }
}
