//! A large file as a stream, at the pace of whoever reads it: what is in memory of it are a few pieces.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use spaceport_core::limits::STREAM;
use spaceport_core::revision::Oid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Repo;
use crate::error::GitError;
use crate::process::READ_DEADLINE;

/// Bytes handed on at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the reader.
const WAITING: usize = 2;
/// Longest wait for a turn to read.
const TURN: Duration = Duration::from_secs(2);
/// Longest silence of a reader before its turn goes to another.
const STALL: Duration = Duration::from_secs(60);
/// The subcommand, in errors.
const COMMAND: &str = "cat-file";

/// A part of a file's content. Dropping it ends the reading.
#[derive(Debug)]
pub struct FileStream {
    pieces: mpsc::Receiver<Result<Bytes, GitError>>,
    /// Bytes that have not come yet.
    left: u64,
}

impl FileStream {
    /// The next piece; `None` at the end. After an error nothing follows.
    pub async fn next(&mut self) -> Option<Result<Bytes, GitError>> {
        let piece = match self.pieces.recv().await {
            Some(piece) => piece,
            None if self.left == 0 => return None,
            None => Err(ended_early()),
        };
        self.left = piece.as_ref().map_or(0, |piece| self.left.saturating_sub(piece.len() as u64));
        Some(piece)
    }
}

impl Repo {
    /// A part of the content of a file, named by the content's id. Waits for a turn, of which there are fewer than visitors:
    /// a slow one keeps its own, and git stays free for everything else.
    pub async fn stream(&self, content: Oid, part: Range<u64>) -> Result<FileStream, GitError> {
        let turn = timeout(TURN, self.git.stream_turn()).await.map_err(|_| GitError::Busy)?;
        let oid = content.to_string();
        let started = self.git.start_stream(self.place(), COMMAND, &["blob", &oid]);
        let (mut child, stdout) = started.map_err(|error| self.missing(error))?;
        let (pieces, received) = mpsc::channel(WAITING);
        let left = part.end.saturating_sub(part.start);
        tokio::spawn(async move {
            let _turn = turn;
            let copied = tokio::select! {
                copied = timeout(STREAM, copy(stdout, part, &pieces)) => copied.unwrap_or(Err(late(STREAM))),
                () = pieces.closed() => Ok(()),
            };
            if let Err(error) = copied {
                // Where there is no room, the missing bytes tell.
                let _ = pieces.try_send(Err(error));
            }
            child.end().await;
        });
        Ok(FileStream { pieces: received, left })
    }
}

/// Passes on a part of what git writes.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    part: Range<u64>,
    pieces: &mpsc::Sender<Result<Bytes, GitError>>,
) -> Result<(), GitError> {
    let skipped = tokio::io::copy(&mut (&mut from).take(part.start), &mut tokio::io::sink()).await;
    if skipped.map_err(GitError::io("read from git cat-file"))? != part.start {
        return Err(ended_early());
    }
    let mut left = part.end.saturating_sub(part.start);
    while left > 0 {
        let mut piece = Vec::with_capacity(PIECE);
        let most = left.min(PIECE as u64);
        let read = timeout(READ_DEADLINE, (&mut from).take(most).read_to_end(&mut piece)).await;
        read.map_err(|_| late(READ_DEADLINE))?.map_err(GitError::io("read from git cat-file"))?;
        if piece.len() as u64 != most {
            return Err(ended_early());
        }
        left -= most;
        match timeout(STALL, pieces.send(Ok(Bytes::from(piece)))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(late(STALL)),
        }
    }
    Ok(())
}

fn ended_early() -> GitError {
    GitError::Git { command: COMMAND, message: "it ended early".to_owned() }
}

fn late(deadline: Duration) -> GitError {
    GitError::Deadline { command: COMMAND, deadline }
}
