//! What a client asks of a push: which refs are to move from where to where, and how it wants to be told.

use std::collections::BTreeSet;

use spaceport_core::revision::Oid;
use tokio::io::AsyncRead;

use super::packet::{self, Packet, PacketError};
use crate::error::GitError;
use crate::repo::branch;

/// Refs that one push may change: more than a repository is to have.
const MAX_COMMANDS: usize = 2_000;
/// Lines that tell of a client's shallow history, which is checked like any other.
const MAX_SHALLOW: usize = 10_000;

/// A ref that is to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefCommand {
    /// Its full name.
    pub name: String,
    /// Where the client has seen it; `None`: it was not there.
    pub old: Option<Oid>,
    /// Where it is to be; `None`: it is to go.
    pub new: Option<Oid>,
}

/// How the client wants to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// What became of each ref.
    pub(super) has_report: bool,
    /// Text beside the report.
    pub(super) has_bands: bool,
    /// No progress.
    pub(super) is_quiet: bool,
    /// All refs or none.
    pub(super) is_atomic: bool,
}

/// Reads the commands; `None` if there are none, as in a request that only tries the password.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<(Vec<RefCommand>, Wishes)>, GitError> {
    let mut commands = Vec::new();
    let mut names = BTreeSet::new();
    let mut wishes = Wishes::default();
    let mut shallow = 0;
    loop {
        let line = match packet::read(from).await {
            Ok(Some(Packet::Line(line))) => line,
            Ok(Some(Packet::Flush)) => break,
            Ok(None) if commands.is_empty() => break,
            Ok(None) => return Err(malformed("it ends early")),
            Err(PacketError::Io(source)) => return Err(GitError::Io { doing: "read a push", source }),
            Err(error @ PacketError::Malformed) => return Err(malformed(error)),
        };
        if line.starts_with(b"shallow ") && shallow < MAX_SHALLOW {
            shallow += 1;
            continue;
        }
        let mut parts = line.splitn(2, |byte| *byte == 0);
        let command = command(parts.next().unwrap_or_default())?;
        if let (true, Some(words)) = (commands.is_empty(), parts.next()) {
            wishes = read_wishes(words);
        }
        if commands.len() == MAX_COMMANDS {
            return Err(malformed(format!("it changes more than {MAX_COMMANDS} refs")));
        }
        if !names.insert(command.name.clone()) {
            return Err(malformed(format!("it changes {} twice", command.name)));
        }
        commands.push(command);
    }
    Ok((!commands.is_empty()).then_some((commands, wishes)))
}

/// `<old> <new> <name>`.
fn command(line: &[u8]) -> Result<RefCommand, GitError> {
    let text = std::str::from_utf8(line).map_err(|_| malformed("the name of a ref is not UTF-8"))?;
    let mut words = text.trim_end_matches('\n').splitn(3, ' ');
    let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed("a line names no ref"));
    };
    let oid = |text: &str| text.parse::<Oid>().map_err(malformed);
    let (old, new) = (oid(old)?, oid(new)?);
    let zero = Oid::from_bytes([0; 20]);
    let there = |oid: Oid| (oid != zero).then_some(oid);
    if !branch::is_ref(name) {
        return Err(malformed(format!("{name:?} is no valid name of a ref")));
    }
    Ok(RefCommand { name: name.to_owned(), old: there(old), new: there(new) })
}

fn read_wishes(words: &[u8]) -> Wishes {
    let text = String::from_utf8_lossy(words);
    let has = |wish: &str| text.split_ascii_whitespace().any(|word| word == wish);
    Wishes {
        has_report: has("report-status"),
        has_bands: has("side-band-64k"),
        is_quiet: has("quiet"),
        is_atomic: has("atomic"),
    }
}

fn malformed(why: impl std::fmt::Display) -> GitError {
    GitError::Request(format!("this push cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    async fn parse(lines: &[String]) -> Result<Option<(Vec<RefCommand>, Wishes)>, GitError> {
        let mut bytes = BytesMut::new();
        for text in lines {
            packet::line(&mut bytes, text.as_bytes());
        }
        bytes.put_slice(packet::FLUSH);
        read(&mut bytes.as_ref()).await
    }

    #[tokio::test]
    async fn commands_and_wishes_are_read() {
        let lines = [
            format!("shallow {OLD}"),
            format!("{OLD} {NEW} refs/heads/main\0report-status side-band-64k atomic agent=git/2"),
            format!("{ZERO} {NEW} refs/tags/v 1\n").replace("v 1", "v1"),
            format!("{OLD} {ZERO} refs/heads/old"),
        ];
        let (commands, wishes) = parse(&lines).await.unwrap().unwrap();
        let (old, new) = (Some(OLD.parse().unwrap()), Some(NEW.parse().unwrap()));
        let expected = [("refs/heads/main", old, new), ("refs/tags/v1", None, new), ("refs/heads/old", old, None)];
        assert_eq!(commands, expected.map(|(name, old, new)| RefCommand { name: name.to_owned(), old, new }));
        assert_eq!(wishes, Wishes { has_report: true, has_bands: true, is_quiet: false, is_atomic: true });
    }

    #[tokio::test]
    async fn a_request_without_commands_only_tries_the_password() {
        assert!(parse(&[]).await.unwrap().is_none());
        assert!(read(&mut b"".as_slice()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_push_is_refused_in_words() {
        for (lines, word) in [
            (vec![format!("{OLD} {NEW} HEAD")], "HEAD"),
            (vec![format!("{OLD} {NEW} refs/heads/../x")], ".."),
            (vec![format!("{OLD} {NEW} refs/heads")], "refs/heads"),
            (vec![format!("{OLD} {NEW} refs/heads/a b")], "a b"),
            (vec![format!("{OLD} {NEW}")], "names no ref"),
            (vec!["push-cert x".to_owned()], "names no ref"),
            (vec![format!("{OLD} {NEW} refs/heads/a"), format!("{NEW} {OLD} refs/heads/a")], "twice"),
        ] {
            let error = parse(&lines).await.unwrap_err().to_string();
            assert!(error.contains(word), "{lines:?}: {error}");
        }
    }
}
