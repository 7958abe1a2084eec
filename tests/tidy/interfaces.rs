//! The WIT packages are the contract with everybody who writes a component, so every item of them is explained.

use crate::none;
use crate::tree;

#[test]
fn every_item_of_the_interfaces_is_documented() {
    let broken = tree::files(&[".wit"]).iter().flat_map(|file| undocumented(&file.path, &file.text)).collect();
    none(broken, "Put a sentence after `///` in front of it:");
}

#[test]
fn an_item_without_a_sentence_is_found() {
    let text = "/// P.\npackage a:b;\n/// I.\ninterface i {\n    /// R.\n    record r {\n        a: u8,\n        /// B.\n        b: u8,\n        c: u8,\n    }\n    /// F.\n    f: func(\n        a: u8,\n    ) -> u8;\n}\n";
    assert_eq!(undocumented("x.wit", text), ["x.wit:7: a: u8,", "x.wit:10: c: u8,"]);
}

fn undocumented(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut before = "";
    // Within parentheses are the parameters of a function, which belong to it.
    let mut depth = 0;
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() {
            continue;
        }
        let is_comment = line.starts_with("//");
        let is_item = !is_comment && depth == 0 && !line.starts_with(['}', '@']);
        if is_item && !before.starts_with("///") && !before.starts_with('@') {
            broken.push(format!("{path}:{}: {line}", number + 1));
        }
        if !is_comment {
            depth += line.matches('(').count();
            depth -= line.matches(')').count();
        }
        before = line;
    }
    broken
}
