//! The component: the world's one function over [`crate::scan`].

#![expect(unsafe_code, reason = "what is generated from the WIT crosses the component's boundary by raw memory")]

use bindings::exports::spaceport::scanner::secrets::{Finding, Guest};

/// Generated from `wit/scanner`.
mod bindings {
    wit_bindgen::generate!({ path: "../../wit/scanner", world: "scanner" });
}

struct Scanner;

impl Guest for Scanner {
    fn scan(path: String, text: String) -> Vec<Finding> {
        // A text has at most 2 MiB, so its places fit.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let found = crate::scan(&path, &text).into_iter();
        found
            .map(|finding| Finding {
                rule: finding.rule.to_owned(),
                start: place(finding.start),
                end: place(finding.end),
            })
            .collect()
    }
}

bindings::export!(Scanner with_types_in bindings);
