//! A planned commit as a stream for `git fast-import`.
//!
//! The import leaves a commit that no ref points to: the ref it is made on is reset before the stream ends. Until the
//! branch moves, nothing can see it; if that never happens it is a small unused pack.

use bytes::Bytes;
use spaceport_core::revision::Oid;

use super::Author;
use super::plan::Plan;
use crate::path::RepoPath;

/// The ref the import works on; it is gone when the import ends.
const WORKING_REF: &str = "refs/spaceport/import";
/// Longest name or address of an author in a commit.
const MAX_IDENTITY: usize = 200;

/// The input of `git fast-import` for a commit on top of `parent`. It prints the new commit's id.
pub(crate) fn stream(plan: Plan, author: &Author, message: &str, parent: Option<Oid>) -> Vec<Bytes> {
    let mut chunks = Chunks::default();
    let identity = identity(author);
    let message = clean_message(message);
    chunks.text(&format!("commit {WORKING_REF}\nmark :1\nauthor {identity}\ncommitter {identity}\n"));
    chunks.data(Bytes::from(message));
    if let Some(parent) = parent {
        chunks.text(&format!("from {parent}\n"));
    }
    for path in &plan.removed {
        chunks.text(&format!("D {}\n", quoted(path)));
    }
    for file in plan.put {
        chunks.text(&format!("M {} inline {}\n", file.mode.as_str(), quoted(&file.path)));
        chunks.data(file.content);
    }
    chunks.end();
    chunks.finish()
}

/// The input of `git fast-import` for a commit without a parent that holds this tree. It prints the new commit's id.
pub(crate) fn root(tree: Oid, author: &Author, message: &str) -> Vec<Bytes> {
    let mut chunks = Chunks::default();
    let identity = identity(author);
    chunks.text(&format!("commit {WORKING_REF}\nmark :1\nauthor {identity}\ncommitter {identity}\n"));
    chunks.data(Bytes::from(clean_message(message)));
    chunks.text(&format!("M 040000 {tree} \"\"\n"));
    chunks.end();
    chunks.finish()
}

/// `Name <address> <seconds> +0000`.
pub(crate) fn identity(author: &Author) -> String {
    let clean = |text: &str, fallback: &str| {
        let text: String =
            text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).take(MAX_IDENTITY).collect();
        let text = text.trim();
        if text.is_empty() { fallback.to_owned() } else { text.to_owned() }
    };
    let name = clean(&author.name, "unknown");
    let email = clean(&author.email, "unknown");
    format!("{name} <{email}> {} +0000", author.at / 1000)
}

/// A commit's message cannot hold a zero byte, and ends in a line break.
pub(crate) fn clean_message(message: &str) -> String {
    let message = message.replace('\0', "");
    let message = message.trim_end();
    if message.is_empty() { "Update\n".to_owned() } else { format!("{message}\n") }
}

/// A path as fast-import reads it. Paths hold no control characters, so two characters are all there is to escape.
fn quoted(path: &RepoPath) -> String {
    format!("\"{}\"", path.as_str().replace('\\', "\\\\").replace('"', "\\\""))
}

/// Text and contents in a row, the contents without a copy.
#[derive(Default)]
struct Chunks {
    done: Vec<Bytes>,
    text: String,
}

impl Chunks {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn data(&mut self, content: Bytes) {
        self.text.push_str(&format!("data {}\n", content.len()));
        self.done.push(Bytes::from(std::mem::take(&mut self.text)));
        self.done.push(content);
        self.text.push('\n');
    }

    /// Prints the commit and lets go of the ref.
    fn end(&mut self) {
        self.text(&format!("\nget-mark :1\nreset {WORKING_REF}\nfrom {}\n\ndone\n", Oid::from_bytes([0; 20])));
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.done.push(Bytes::from(self.text));
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_cannot_forge_a_header() {
        let author = |name: &str, email: &str| {
            identity(&Author { name: name.into(), email: email.into(), at: 1_700_000_000_999 })
        };
        assert_eq!(author("Ada", "ada@example.org"), "Ada <ada@example.org> 1700000000 +0000");
        assert_eq!(author("A\n<b>\0", ">"), "Ab <unknown> 1700000000 +0000");
        assert_eq!(author("", ""), "unknown <unknown> 1700000000 +0000");
    }

    #[test]
    fn a_message_is_never_empty_and_has_no_zero_byte() {
        assert_eq!(clean_message(" \n"), "Update\n");
        assert_eq!(clean_message("a\0b\n\nc\n\n"), "ab\n\nc\n");
    }

    #[test]
    fn quotes_in_a_path_are_escaped() {
        assert_eq!(quoted(&RepoPath::parse("a \"b\"/c").unwrap()), "\"a \\\"b\\\"/c\"");
    }
}
