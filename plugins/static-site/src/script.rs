//! The script that gives a page the Space's variables: `window.huggingface = {variables: {…}}`.
//!
//! Names and values come from people, so everything that HTML or JavaScript could take for more than text is written as
//! an escape: `<`, `>`, `&`, and whatever is not ASCII. That leaves no way to end the script element or to enter its
//! escaped states, and makes the script mean the same in a page of any encoding.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The script element and the hash of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The whole element, in ASCII.
    pub element: String,
    /// Its source expression for a Content-Security-Policy, such as `'sha256-…'`.
    pub hash: String,
}

impl Script {
    /// The script for these variables, in this order.
    pub fn new(variables: &[(String, String)]) -> Self {
        let mut code = String::from("window.huggingface={variables:{");
        for (n, (name, value)) in variables.iter().enumerate() {
            if n > 0 {
                code.push(',');
            }
            quote(name, &mut code);
            code.push(':');
            quote(value, &mut code);
        }
        code.push_str("}};");
        let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(&code)));
        Self { element: format!("<script>{code}</script>"), hash }
    }
}

/// Appends a JSON string of printable ASCII without `<`, `>` and `&`.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '<' | '>' | '&' => escape(c, out),
            ' '..='~' => out.push(c),
            _ => escape(c, out),
        }
    }
    out.push('"');
}

fn escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn script(variables: &[(&str, &str)]) -> Script {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Script::new(&variables)
    }

    fn object(script: &Script) -> &str {
        let code = script.element.strip_prefix("<script>window.huggingface={variables:").unwrap();
        code.strip_suffix("};</script>").unwrap()
    }

    #[test]
    fn the_script_reads_as_documented() {
        assert_eq!(script(&[]).element, "<script>window.huggingface={variables:{}};</script>");
        let two = script(&[("A", "1"), ("B", "a \"b\" \\")]);
        assert_eq!(two.element, r#"<script>window.huggingface={variables:{"A":"1","B":"a \"b\" \\"}};</script>"#);
    }

    #[test]
    fn nothing_breaks_out_of_it() {
        let nasty = "</script><!--<script>&amp;\u{2028}\u{2029}\u{0}\n\u{7f}é😀";
        let script = script(&[(nasty, nasty)]);
        let object = object(&script);
        assert!(object.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"<>&".contains(&byte)), "{object}");
        let parsed: serde_json::Value = serde_json::from_str(object).unwrap();
        assert_eq!(parsed[nasty], nasty);
    }

    #[test]
    fn the_hash_is_that_of_the_code() {
        // As browsers compute it: the bytes between the tags.
        assert_eq!(script(&[]).hash, "'sha256-q4sj7UuG6/qDaSKdT+DvoCk1ifEW77C4k2ZcZdPP54M='");
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_went_in(pairs in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..5)) {
            let pairs: Vec<_> = pairs.into_iter().collect();
            let script = Script::new(&pairs);
            let parsed: std::collections::BTreeMap<String, String> = serde_json::from_str(object(&script)).unwrap();
            prop_assert_eq!(parsed.into_iter().collect::<Vec<_>>(), pairs);
            prop_assert_eq!(script.element.matches('<').count(), 2);
        }
    }
}
