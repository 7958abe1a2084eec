//! Words that do not belong into the repository: promises to do it later, and places that only one machine knows.

use crate::none;
use crate::tree;

/// Files in which people write.
const WRITTEN: [&str; 8] = [".rs", ".md", ".toml", ".wit", ".py", ".html", ".css", ".js"];

/// Words that put work off, and the attribute that hides a test; put together here so that this file has none of them.
fn put_off() -> Vec<String> {
    [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["todo", "!("], ["unimple", "mented!("], ["#[ig", "nore"]]
        .map(|parts| parts.concat())
        .into()
}

/// Package registries, and places on the machine where this was written. What is said of a registry holds for a mirror
/// of it too, and a path of one machine holds nowhere else.
fn places() -> Vec<String> {
    [
        ["crates", ".io"],
        ["static.", "rust-lang.org"],
        ["pypi", ".org"],
        ["files.python", "hosted.org"],
        ["npmjs", ".org"],
        ["ghcr", ".io"],
        ["\"/wo", "rk/"],
        [" /wo", "rk/"],
        ["/roo", "t/"],
    ]
    .map(|parts| parts.concat())
    .into()
}

#[test]
fn nothing_is_left_for_later() {
    let mut broken = Vec::new();
    for file in tree::files(&[".rs", ".wit", ".toml", ".py"]) {
        find(&file, &put_off(), &mut broken);
    }
    none(broken, "Do it now or leave it out; a test that is not run proves nothing:");
}

#[test]
fn no_machine_and_no_registry_is_named() {
    let mut broken = Vec::new();
    for file in tree::files(&WRITTEN) {
        find(&file, &places(), &mut broken);
    }
    none(broken, "Leave it to the tools' own configuration:");
}

fn find(file: &tree::File, words: &[String], broken: &mut Vec<String>) {
    for (number, line) in file.text.lines().enumerate() {
        if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
            broken.push(format!("{}:{}: {word}", file.path, number + 1));
        }
    }
}
