//! One push, from its first byte to the report. The caller decides in between: [`Push::begin`] reads what is wanted,
//! [`Push::take_pack`] brings the objects in where nobody else sees them, [`Push::incoming`] and [`Push::audit`] show them,
//! and [`Push::accept`] makes them the repository's and moves the refs. [`Push::finish`] tells the client, whatever became
//! of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use spaceport_core::limits::STREAM;
use spaceport_core::revision::Oid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStderr;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::audit::Audit;
use super::incoming::Incoming;
use super::packet::{self, DATA, TEXT};
use super::refs::MOVED;
use super::request::{self, RefCommand, Wishes};
use crate::disk::room;
use crate::error::GitError;
use crate::process::{Piped, Place};
use crate::repo::Repo;

/// The largest pack, compressed as it comes: what large files do not go into.
const MAX_PACK: u64 = 2 << 30;
/// Of a push that was refused while it was still coming, what is read on, so that the client gets to read why.
const MAX_DISCARDED: u64 = 1 << 30;
/// Longest wait for a turn.
const TURN: Duration = Duration::from_secs(10);
/// A client that sends nothing for so long has sent all that it will.
const SILENCE: Duration = Duration::from_secs(3);
/// Longest wait for a client that does not read what it is told. The push goes on without it.
const TELL: Duration = Duration::from_secs(10);
/// Before an objects' count: `PACK` and the version.
const PACK_HEAD: usize = 12;
/// The subcommand, in errors.
const COMMAND: &str = "index-pack";
/// Of git's complaints, what is worth keeping.
const MAX_COMPLAINT: usize = 4 << 10;

/// Where a client reads what it is told.
pub type PushOutput = mpsc::Sender<Bytes>;

/// A push that has begun.
#[derive(Debug)]
pub struct Push {
    repo: Repo,
    incoming: Repo,
    commands: Vec<RefCommand>,
    wishes: Wishes,
    output: PushOutput,
    /// Why refs are not moved, by name.
    refused: BTreeMap<String, String>,
    /// Why none is.
    failed: Option<String>,
    _turn: OwnedSemaphorePermit,
}

impl Push {
    /// Reads what a client wants; `None` if it only tries its password.
    pub async fn begin(
        repo: &Repo,
        input: &mut (impl AsyncRead + Unpin),
        output: PushOutput,
    ) -> Result<Option<Self>, GitError> {
        let turn = timeout(TURN, repo.git.push_turn()).await.map_err(|_| GitError::Busy)?;
        let Some((commands, wishes)) = request::read(input).await? else { return Ok(None) };
        let incoming = Arc::new(Incoming::make(repo.folder()).await.map_err(|error| repo.missing(error))?);
        Ok(Some(Self {
            repo: repo.clone(),
            incoming: Repo { incoming: Some(incoming), ..repo.clone() },
            commands,
            wishes,
            output,
            refused: BTreeMap::new(),
            failed: None,
            _turn: turn,
        }))
    }

    /// What is wanted.
    pub fn commands(&self) -> &[RefCommand] {
        &self.commands
    }

    /// The repository with what the push brings.
    pub fn incoming(&self) -> &Repo {
        &self.incoming
    }

    /// What shows a client, and whatever is between, that its push is still being looked at; nothing else.
    pub fn heartbeat(&self) -> Option<Bytes> {
        self.wishes.has_bands.then(packet::heartbeat)
    }

    /// Brings the objects in, where only this push sees them. The input may go on after them where it is a conversation.
    pub async fn take_pack(&mut self, input: &mut (impl AsyncRead + Unpin)) -> Result<(), GitError> {
        if self.commands.iter().all(|command| command.new.is_none()) {
            return Ok(());
        }
        let mut head = [0; PACK_HEAD];
        let read = input.read_exact(&mut head).await;
        read.map_err(|_| GitError::Request("this push brings no pack".to_owned()))?;
        // A pack of nothing: everything is here already.
        if head.ends_with(&[0; 4]) {
            return Ok(());
        }
        // Half of what is left: the pack may be written twice.
        let room = room(self.repo.folder()).map_err(GitError::io("look at the disk"))? / 2;
        if room == 0 {
            return Err(GitError::StorageFull);
        }
        let most = format!("--max-input-size={}", MAX_PACK.min(room));
        let mut args = vec!["--stdin", "--fix-thin", "--strict", &most];
        if !self.wishes.is_quiet {
            args.push("--show-resolving-progress");
        }
        let place = Place { is_bounded: true, ..self.incoming.place() };
        let Piped { mut child, mut stdin, stdout, stderr } = self.incoming.git.start_piped(place, COMMAND, &args)?;
        let feed = async {
            stdin.write_all(&head).await?;
            tokio::io::copy(input, &mut stdin).await?;
            stdin.shutdown().await?;
            drop(stdin);
            std::io::Result::Ok(())
        };
        let named = async {
            let mut stdout = stdout.take(1024);
            tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await
        };
        // What git says last, it says before it ends; and its end, not that of the input, is the end of the pack.
        let ended = async {
            let (_, said) = tokio::join!(named, self.pass_on(stderr));
            (child.wait(STREAM, COMMAND).await, said)
        };
        let ended = async {
            tokio::pin!(ended);
            tokio::select! {
                ended = &mut ended => (ended, false),
                fed = feed => (ended.await, fed.is_ok()),
            }
        };
        let ((status, said), was_all_read) =
            timeout(STREAM, ended).await.map_err(|_| GitError::Deadline { command: COMMAND, deadline: STREAM })?;
        match status? {
            Some(status) if status.success() => Ok(()),
            status => {
                if !was_all_read {
                    discard(input).await;
                }
                Err(refusal(&said, status.and_then(|status| status.code()).is_some()))
            }
        }
    }

    /// Looks at everything that the push brings; files larger than `largest` are named.
    pub async fn audit(&self, largest: u64) -> Result<Audit, GitError> {
        let tips: Vec<Oid> = self.commands.iter().filter_map(|command| command.new).collect();
        if tips.is_empty() {
            return Ok(Audit::default());
        }
        self.incoming.audit(&tips, largest).await
    }

    /// Tells the client's user something, if it listens.
    pub async fn say(&self, text: &str) {
        if self.wishes.has_bands {
            self.send(packet::on_band(TEXT, format!("{}\n", text.trim_end()).as_bytes())).await;
        }
    }

    /// Leaves a ref where it is.
    pub fn refuse(&mut self, name: &str, why: &str) {
        self.refused.entry(name.to_owned()).or_insert_with(|| one_line(why));
    }

    /// Leaves every ref where it is.
    pub fn refuse_all(&mut self, why: &str) {
        for name in self.commands.iter().map(|command| command.name.clone()).collect::<Vec<_>>() {
            self.refuse(&name, why);
        }
    }

    /// The push failed as a whole.
    pub fn fail(&mut self, why: &str) {
        self.failed.get_or_insert_with(|| one_line(why));
        self.refuse_all("unpacker error");
    }

    /// Whether a ref is still to be moved.
    pub fn is_refused(&self, name: &str) -> bool {
        self.refused.contains_key(name)
    }

    /// Makes the objects the repository's and moves the refs that were not refused; durable when it returns. Those that
    /// moved.
    pub async fn accept(&mut self) -> Result<Vec<RefCommand>, GitError> {
        if self.wishes.is_atomic && !self.refused.is_empty() {
            self.refuse_all("atomic push failed: another ref was refused");
        }
        let wanted: Vec<&RefCommand> =
            self.commands.iter().filter(|command| !self.refused.contains_key(&command.name)).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let writing = Arc::clone(&self.repo.writing);
        let _writing = writing.lock().await;
        let stuck = self.repo.stuck(&wanted).await?;
        let wanted: Vec<RefCommand> =
            wanted.into_iter().filter(|command| !stuck.contains_key(&command.name)).cloned().collect();
        for (name, why) in stuck {
            self.refuse(&name, why);
        }
        if wanted.is_empty() || (self.wishes.is_atomic && !self.refused.is_empty()) {
            self.refuse_all("atomic push failed: another ref was refused");
            return Ok(Vec::new());
        }
        let wanted: Vec<&RefCommand> = wanted.iter().collect();
        if let Some(incoming) = &self.incoming.incoming {
            incoming.accept(self.repo.folder()).await?;
            self.repo.sync_packs().await?;
        }
        let moved = self.repo.move_refs(&wanted, self.wishes.is_atomic).await?;
        let (mut done, mut stayed) = (Vec::new(), Vec::new());
        for (command, moved) in wanted.into_iter().zip(moved) {
            if moved { done.push(command.clone()) } else { stayed.push(command.name.clone()) }
        }
        for name in stayed {
            self.refuse(&name, MOVED);
        }
        Ok(done)
    }

    /// Tells the client what became of every ref.
    pub async fn finish(self) {
        if !self.wishes.has_report {
            return self.send(Bytes::from_static(packet::FLUSH)).await;
        }
        let mut report = BytesMut::new();
        let unpacked = self.failed.as_deref().unwrap_or("ok");
        packet::line(&mut report, format!("unpack {unpacked}\n").as_bytes());
        for command in &self.commands {
            let name = &command.name;
            let text = match self.refused.get(name) {
                Some(why) => format!("ng {name} {why}\n"),
                None => format!("ok {name}\n"),
            };
            packet::line(&mut report, text.as_bytes());
        }
        report.put_slice(packet::FLUSH);
        if self.wishes.has_bands {
            self.send(packet::on_band(DATA, &report)).await;
            self.send(Bytes::from_static(packet::FLUSH)).await;
        } else {
            self.send(report.freeze()).await;
        }
    }

    async fn send(&self, bytes: Bytes) {
        let _ = timeout(TELL, self.output.send(bytes)).await;
    }

    /// Passes on what git says while it works; the last of it comes back.
    async fn pass_on(&self, mut from: ChildStderr) -> String {
        let mut last = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if self.wishes.has_bands && !self.wishes.is_quiet {
                self.send(packet::on_band(TEXT, &buffer[..read])).await;
            }
            last.extend_from_slice(&buffer[..read]);
            let surplus = last.len().saturating_sub(MAX_COMPLAINT);
            last.drain(..surplus);
        }
        String::from_utf8_lossy(&last).into_owned()
    }
}

/// Reads on and throws away, as far as a client goes on writing: it reads nothing before that.
async fn discard(input: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = vec![0; 64 << 10];
    let mut left = MAX_DISCARDED;
    while left > 0 {
        let Ok(Ok(read @ 1..)) = timeout(SILENCE, input.read(&mut buffer)).await else { return };
        left = left.saturating_sub(read as u64);
    }
}

/// Why git did not take a pack in, by its own words.
fn refusal(said: &str, ended_by_itself: bool) -> GitError {
    if ["No space left on device", "Disk quota exceeded"].iter().any(|words| said.contains(words)) {
        return GitError::StorageFull;
    }
    if !ended_by_itself {
        return GitError::Request("this push takes too much to unpack, and was stopped".to_owned());
    }
    if said.contains("Out of memory") {
        return GitError::Request("this push takes too much memory to unpack: a file in it is too large".to_owned());
    }
    if said.contains("exceeds maximum allowed size") {
        return GitError::Request(format!(
            "a push may have at most {} GiB: push the history in parts, and large files with git-lfs",
            MAX_PACK >> 30
        ));
    }
    let complaint = said.lines().filter_map(|line| line.split("fatal: ").nth(1).or(line.strip_prefix("error: ")));
    let complaint = complaint.collect::<Vec<_>>().join("; ");
    GitError::Request(format!("git does not accept this push: {complaint}"))
}

/// Reasons are told in one line, and a packet holds it.
fn one_line(why: &str) -> String {
    why.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(1000).collect()
}
