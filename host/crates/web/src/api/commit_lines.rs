//! The body of a commit, read line by line while it arrives: `application/x-ndjson`, one operation a line.
//!
//! A file's content is one base64 string that may be most of the body. It is decoded as it passes, so that the text of a
//! line is never in memory beside its content; every other string is short or refused. Nothing is changed before the
//! last line is read.

mod content;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;
use spaceport_control::service::{FileChange, NewCommit};
use spaceport_core::lfs::LfsOid;
use spaceport_core::revision::OidPrefix;

use crate::error::{ApiError, ApiResult};
use content::Content;

/// Largest body of a commit: clients send up to 100 MiB of content at once, 134 MiB as base64.
pub(crate) const MAX_COMMIT_BODY: u64 = 200 << 20;
/// Longest line, not counting a file's content.
const MAX_LINE: usize = 256 << 10;
/// Content longer than this, in base64, is decoded as it arrives.
const INLINE_CONTENT: usize = 64 << 10;
/// Most operations in a commit: a revision has at most half as many files.
const MAX_OPERATIONS: usize = 20_000;

/// Reads the lines.
#[derive(Default)]
pub(crate) struct CommitLines {
    line: Vec<u8>,
    number: usize,
    string: Option<StringAt>,
    content: Option<Content>,
    header: Option<Header>,
    changes: Vec<FileChange>,
}

/// A string of the line that has begun.
struct StringAt {
    /// Where its text starts in the line.
    start: usize,
    /// The next byte belongs to an escape.
    is_escaped: bool,
    /// Whether its text goes to `content`.
    is_content: bool,
}

#[derive(Deserialize)]
struct Line {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: Option<String>,
    parent_commit: Option<OidPrefix>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: Option<String>,
}

/// A large file: its content was sent already.
#[derive(Deserialize)]
struct LargeFile {
    path: String,
    #[serde(default)]
    algo: Option<String>,
    oid: LfsOid,
    #[serde(default)]
    size: Option<u64>,
}

#[derive(Deserialize)]
struct Deleted {
    path: String,
}

impl CommitLines {
    /// Takes the next bytes of the body.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> ApiResult<()> {
        while !bytes.is_empty() {
            let taken = if self.string.is_some() { self.feed_string(bytes)? } else { self.feed_plain(bytes)? };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// The whole commit, when the body has ended.
    pub(crate) fn finish(mut self) -> ApiResult<NewCommit> {
        self.end_line()?;
        let header =
            self.header.ok_or_else(|| ApiError::bad_request("A commit needs a line with the key \"header\""))?;
        Ok(NewCommit {
            summary: header.summary,
            description: header.description.unwrap_or_default(),
            parent: header.parent_commit,
            changes: self.changes,
        })
    }

    /// Outside of strings: up to the start of one, or the end of the line.
    fn feed_plain(&mut self, bytes: &[u8]) -> ApiResult<usize> {
        let stop = bytes.iter().position(|byte| matches!(byte, b'"' | b'\n'));
        let run = &bytes[..stop.unwrap_or(bytes.len())];
        self.extend_line(run)?;
        match stop.map(|stop| bytes[stop]) {
            None => return Ok(run.len()),
            Some(b'\n') => self.end_line()?,
            Some(_) => {
                self.extend_line(b"\"")?;
                self.string = Some(StringAt { start: self.line.len(), is_escaped: false, is_content: false });
            }
        }
        Ok(run.len() + 1)
    }

    /// Inside of a string: up to its end, or past an escape.
    fn feed_string(&mut self, bytes: &[u8]) -> ApiResult<usize> {
        let Some(string) = &mut self.string else { return Ok(0) };
        if string.is_escaped {
            string.is_escaped = false;
            self.extend_string(&bytes[..1])?;
            return Ok(1);
        }
        let stop = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let end = stop.unwrap_or(bytes.len());
        match stop.map(|stop| bytes[stop]) {
            Some(b'"') => {
                self.extend_string(&bytes[..end])?;
                self.string = None;
                self.extend_line(b"\"")?;
                Ok(end + 1)
            }
            Some(_) => {
                string.is_escaped = true;
                self.extend_string(&bytes[..=end])?;
                Ok(end + 1)
            }
            None => {
                self.extend_string(bytes)?;
                Ok(end)
            }
        }
    }

    fn extend_string(&mut self, run: &[u8]) -> ApiResult<()> {
        let Some(string) = &mut self.string else { return Ok(()) };
        if !string.is_content {
            if self.line.len() - string.start + run.len() <= INLINE_CONTENT {
                self.line.extend_from_slice(run);
                return Ok(());
            }
            if self.content.is_some() || !is_content_member(&self.line[..string.start]) {
                let message = format!(
                    "Line {}: only a file's content may be longer than {INLINE_CONTENT} bytes",
                    self.number + 1
                );
                return Err(ApiError::bad_request(message));
            }
            string.is_content = true;
            let head = self.line.split_off(string.start);
            let mut content = Content::default();
            content.feed(&head).map_err(|error| at_line(self.number, &error))?;
            self.content = Some(content);
        }
        match &mut self.content {
            Some(content) => content.feed(run).map_err(|error| at_line(self.number, &error)),
            None => Ok(()),
        }
    }

    fn extend_line(&mut self, run: &[u8]) -> ApiResult<()> {
        if self.line.len() + run.len() > MAX_LINE {
            let message = format!("Line {} is longer than {MAX_LINE} bytes without its content", self.number + 1);
            return Err(ApiError::bad_request(message));
        }
        self.line.extend_from_slice(run);
        Ok(())
    }

    fn end_line(&mut self) -> ApiResult<()> {
        let line = std::mem::take(&mut self.line);
        let content = self.content.take();
        let number = self.number;
        self.number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let Line { key, value } = serde_json::from_slice(&line).map_err(|error| at_line(number, &error.to_string()))?;
        let change = match key.as_str() {
            "header" => {
                self.header = Some(member(number, value)?);
                return Ok(());
            }
            "file" => put(number, value, content)?,
            "deletedFile" => FileChange::Delete { path: member::<Deleted>(number, value)?.path },
            "deletedFolder" => FileChange::DeleteFolder { path: member::<Deleted>(number, value)?.path },
            "lfsFile" => put_large(number, value)?,
            other => return Err(at_line(number, &format!("{other:?} is no operation of a commit"))),
        };
        if self.changes.len() == MAX_OPERATIONS {
            return Err(ApiError::too_large(format!("A commit may have at most {MAX_OPERATIONS} operations")));
        }
        self.changes.push(change);
        Ok(())
    }
}

fn put(number: usize, value: Value, content: Option<Content>) -> ApiResult<FileChange> {
    let file: File = member(number, value)?;
    let is_base64 = file.encoding.as_deref().is_none_or(|encoding| encoding == "base64");
    let bytes = match (content, is_base64) {
        (Some(content), true) => content.finish().map_err(|error| at_line(number, &error))?,
        (Some(_), false) => {
            let message = format!(
                "{}: send content of more than {INLINE_CONTENT} bytes with \"encoding\": \"base64\"",
                file.path
            );
            return Err(at_line(number, &message));
        }
        (None, true) => Content::decode(file.content.as_bytes()).map_err(|error| at_line(number, &error))?,
        (None, false) => file.content.into_bytes(),
    };
    Ok(FileChange::Put { path: file.path, content: bytes.into() })
}

fn member<T: serde::de::DeserializeOwned>(number: usize, value: Value) -> ApiResult<T> {
    serde_json::from_value(value).map_err(|error| at_line(number, &error.to_string()))
}

fn at_line(number: usize, message: &str) -> ApiError {
    ApiError::bad_request(format!("Line {} of the commit: {message}", number + 1))
}

fn put_large(number: usize, value: Value) -> ApiResult<FileChange> {
    let file: LargeFile = member(number, value)?;
    match file.algo.as_deref() {
        None | Some("sha256") => Ok(FileChange::PutLarge { path: file.path, oid: file.oid, size: file.size }),
        Some(other) => Err(at_line(number, &format!("contents are named by their sha256, not by their {other}"))),
    }
}

/// Whether the string that starts after this text is the value of a member called `content`.
fn is_content_member(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before).trim_ascii_end();
    let before = before.strip_suffix(b":").unwrap_or_default().trim_ascii_end();
    before.ends_with(b"\"content\"")
}
