//! Clones and fetches: a `git upload-pack` for each, which reads what the client asks and writes at the pace of who reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use spaceport_core::limits::STREAM;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::GitError;
use crate::process::{Piped, Place};
use crate::repo::Repo;

/// Bytes handed on at once.
const PIECE: usize = 64 << 10;
/// Pieces that wait for the reader.
const WAITING: usize = 4;
/// Longest wait for a turn.
const TURN: Duration = Duration::from_secs(10);
/// Longest silence of a reader, or in a conversation of both sides, before its turn goes to another.
const STALL: Duration = Duration::from_secs(60);
/// Once a git has closed its output it has nothing left to do.
const END: Duration = Duration::from_secs(5);
/// The subcommand, in errors.
const COMMAND: &str = "upload-pack";

/// What git answers to a clone or a fetch. Dropping it ends the git.
#[derive(Debug)]
pub struct PackStream {
    pieces: mpsc::Receiver<Result<Bytes, GitError>>,
}

impl PackStream {
    /// The next piece; `None` at the end. After an error nothing follows.
    pub async fn next(&mut self) -> Option<Result<Bytes, GitError>> {
        self.pieces.recv().await
    }
}

impl Repo {
    /// Answers a client that clones or fetches: with `is_rpc` one request that stands for itself, as in HTTP; else a whole
    /// conversation, which begins with what the repository has and in which each side may wait for the other.
    pub async fn upload_pack(
        &self,
        protocol: Option<&str>,
        is_rpc: bool,
        input: impl AsyncRead + Unpin + Send + 'static,
    ) -> Result<PackStream, GitError> {
        let turn = timeout(TURN, self.git.fetch_turn()).await.map_err(|_| GitError::Busy)?;
        let args: &[&str] = if is_rpc { &["--strict", "--stateless-rpc", "."] } else { &["--strict", "."] };
        let place = Place { protocol, is_bounded: true, ..self.place() };
        let piped = self.git.start_piped(place, COMMAND, args).map_err(|error| self.missing(error))?;
        let (pieces, received) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let _turn = turn;
            serve(piped, input, is_rpc, &pieces).await;
        });
        Ok(PackStream { pieces: received })
    }
}

async fn serve(
    piped: Piped,
    mut input: impl AsyncRead + Unpin,
    is_rpc: bool,
    pieces: &mpsc::Sender<Result<Bytes, GitError>>,
) {
    let pulse = Pulse::new();
    let Piped { mut child, mut stdin, stdout, stderr } = piped;
    // A request that breaks off is a request that ends early: git says what is missing.
    let ask = async {
        if is_rpc {
            let _ = timeout(STALL, tokio::io::copy(&mut input, &mut stdin)).await;
        } else {
            let _ = listen(&mut input, &mut stdin, &pulse).await;
        }
        let _ = stdin.shutdown().await;
        drop(stdin);
        std::future::pending::<()>().await;
    };
    // Its complaints go to the client within the answer; what is written here is for nobody, and must not fill a pipe.
    let complaints = async move {
        let mut stderr = stderr;
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        std::future::pending::<()>().await;
    };
    let answered = tokio::select! {
        answered = timeout(STREAM, answer(stdout, pieces, &pulse)) => {
            answered.unwrap_or(Err(GitError::Deadline { command: COMMAND, deadline: STREAM }))
        }
        () = pulse.stops(), if !is_rpc => Err(GitError::Deadline { command: COMMAND, deadline: STALL }),
        () = pieces.closed() => Ok(()),
        () = ask => Ok(()),
        () = complaints => Ok(()),
    };
    let answered = match answered {
        // A git that refuses has told the client why, in the answer; one that was killed has told nothing, and its answer
        // must not look like one that ends.
        Ok(()) if !pieces.is_closed() => match child.wait(END, COMMAND).await {
            Ok(Some(status)) if status.code().is_none() => {
                Err(GitError::Git { command: COMMAND, message: format!("it ended with {status:?}") })
            }
            other => other.map(|_| ()),
        },
        other => other,
    };
    if let Err(error) = answered {
        let _ = timeout(STALL, pieces.send(Err(error))).await;
    }
    child.end().await;
}

/// When something last went either way.
struct Pulse {
    started: Instant,
    /// Milliseconds from the start to then.
    last: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// Returns once nothing has gone either way for as long as is waited.
    async fn stops(&self) {
        loop {
            let silent = Duration::from_millis(self.now().saturating_sub(self.last.load(Ordering::Relaxed)));
            match STALL.checked_sub(silent).filter(|left| !left.is_zero()) {
                Some(left) => tokio::time::sleep(left).await,
                None => return,
            }
        }
    }
}

/// Passes on what a client says, for as long as it has something to say: it may be silent while it is answered.
async fn listen(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    pulse: &Pulse,
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&piece[..read]).await?;
        pulse.beat();
    }
}

/// Passes on what git writes.
async fn answer(
    mut from: impl AsyncRead + Unpin,
    pieces: &mpsc::Sender<Result<Bytes, GitError>>,
    pulse: &Pulse,
) -> Result<(), GitError> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if from.read_buf(&mut piece).await.map_err(GitError::io("read from git upload-pack"))? == 0 {
            return Ok(());
        }
        match timeout(STALL, pieces.send(Ok(Bytes::from(piece)))).await {
            Ok(Ok(())) => pulse.beat(),
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(GitError::Deadline { command: COMMAND, deadline: STALL }),
        }
    }
}

#[cfg(test)]
mod tests;
