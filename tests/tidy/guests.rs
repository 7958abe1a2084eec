//! A test guest is there for a test.

use crate::none;
use crate::tree;

/// Where tests use guests.
const USERS: [&str; 3] = ["tests/e2e/", "tests/bench/", "host/crates/engine/tests/"];

#[test]
fn every_guest_is_named_by_a_test() {
    let files = tree::files(&[".rs"]);
    let users: Vec<_> = files.iter().filter(|file| USERS.iter().any(|start| file.path.starts_with(start))).collect();
    let guests = files.iter().filter_map(|file| file.path.strip_prefix("tests/guests/examples/")?.strip_suffix(".rs"));
    let unused: Vec<String> = guests
        .filter(|guest| !users.iter().any(|user| user.text.contains(&format!("\"{guest}\""))))
        .map(str::to_owned)
        .collect();
    none(unused, "Use these guests in a test, or remove them:");
}
