//! The rules of this repository that no compiler checks, as tests over its files.
//!
//! Each test names every place that breaks its rule, and says what to do instead. A rule that gets in the way is changed
//! here, in a commit that says why.

mod budgets;
mod dependencies;
mod guests;
mod interfaces;
mod map;
mod tree;
mod words;

/// Fails with every place that breaks a rule.
#[track_caller]
fn none(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}\n\n  {}\n", broken.join("\n  "));
}
