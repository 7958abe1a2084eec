//! A command that runs for a client: an operation of `control` between what the client sends and what it is sent.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use spaceport_control::service::{Control, GitService, LfsPass, ServiceError};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, User};
use spaceport_core::ssh::{CommandError, GitCommand, LfsOperation};
use tokio::sync::mpsc;

use crate::input::Input;
use crate::limits::{SILENCE, WAITING_REPORT};
use crate::output::{Gone, Output};
use crate::progress::Running;
use crate::words;

/// What a command exits with when it was refused or has failed.
const FAILED: u32 = 1;
/// The same, where git itself would have said that it cannot.
const FATAL: u32 = 128;

/// A command, with all that it needs.
pub(crate) struct Job {
    pub(crate) control: Control,
    pub(crate) address: IpAddr,
    /// Whose key it was that the connection was opened with.
    pub(crate) user: Option<User>,
    pub(crate) command: Result<GitCommand, CommandError>,
    /// What the client says it speaks, in git's words.
    pub(crate) protocol: Option<String>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) running: Running,
}

/// How a command ended that did not do what was asked.
enum Ended {
    /// Nobody listens any more.
    Gone,
    /// It was refused, or has failed; told with these words.
    Refused(String),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<ServiceError> for Ended {
    fn from(error: ServiceError) -> Self {
        if let ServiceError::Internal { .. } = &error {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "git over SSH failed through a fault of the host");
        }
        Self::Refused(words::failure(&error))
    }
}

impl Job {
    /// Runs it to its end: the status that the client is to be told, and where.
    pub(crate) async fn run(self) -> (Output, u32) {
        let Self { control, address, user, command, protocol, input, output, running } = self;
        let started = Instant::now();
        let name = user.as_ref().map(|user| user.name.to_string()).unwrap_or_default();
        let (program, space) = described(&command);
        let work = Work { control, actor: user.map_or(Actor::Nobody, Actor::User), protocol, output: &output, running };
        let status = match work.run(command, input).await {
            Ok(()) => 0,
            Err(Ended::Gone) => FATAL,
            Err(Ended::Refused(text)) => {
                let _ = output.say(&text).await;
                FAILED
            }
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(actor = name, space, program, client = %address, status, ms, "git over SSH");
        (output, status)
    }
}

/// What a command is called in the log, and which Space it names.
fn described(command: &Result<GitCommand, CommandError>) -> (&'static str, String) {
    match command {
        Ok(GitCommand::Fetch(space)) => ("git-upload-pack", space.to_string()),
        Ok(GitCommand::Push(space)) => ("git-receive-pack", space.to_string()),
        Ok(GitCommand::LfsAuthenticate(space, _)) => ("git-lfs-authenticate", space.to_string()),
        Err(_) => ("", String::new()),
    }
}

/// A command while it runs.
struct Work<'a> {
    control: Control,
    actor: Actor,
    protocol: Option<String>,
    output: &'a Output,
    running: Running,
}

impl Work<'_> {
    async fn run(self, command: Result<GitCommand, CommandError>, input: Input) -> Result<(), Ended> {
        if self.actor == Actor::Nobody {
            return Err(Ended::Refused("The key by which you have signed in was deleted.".to_owned()));
        }
        match command {
            Ok(GitCommand::Fetch(path)) => self.fetch(&self.settle(path).await?, input).await,
            Ok(GitCommand::Push(path)) => {
                let path = self.settle(path).await?;
                self.push(&path, input.impatient(SILENCE)).await
            }
            Ok(GitCommand::LfsAuthenticate(path, operation)) => {
                let path = self.settle(path).await?;
                self.lfs_authenticate(&path, operation).await
            }
            Err(error) => Err(Ended::Refused(error.to_string())),
        }
    }

    /// The path that a Space has now. A client that knows an older one is told, and served.
    async fn settle(&self, path: SpacePath) -> Result<SpacePath, Ended> {
        match self.control.space(&self.actor, &path, Action::See) {
            Ok(_) => Ok(path),
            Err(ServiceError::Moved(now)) => {
                let advice =
                    format!("This Space is at spaces/{now} now: change the address with `git remote set-url`.");
                self.output.say(&advice).await?;
                Ok(now)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, path: &SpacePath, input: Input) -> Result<(), Ended> {
        let mut stream = self.control.git_fetch(&self.actor, path, self.protocol.as_deref(), false, input).await?;
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(bytes) => self.output.data(bytes).await?,
                // What has been sent is no whole answer, and the client sees that.
                Err(error) => {
                    tracing::warn!(space = %path, %error, "a fetch over SSH was broken off");
                    return Err(Ended::Refused(format!("This fetch was broken off: {error}")));
                }
            }
        }
        Ok(())
    }

    async fn push(self, path: &SpacePath, mut input: Input) -> Result<(), Ended> {
        let service = GitService::ReceivePack;
        let refs = self.control.git_refs(&self.actor, path, service, self.protocol.as_deref(), false).await?;
        self.output.data(refs).await?;
        // A client that has looked and wants nothing takes no turn from those who push.
        if !input.begins().await {
            return Ok(());
        }
        let (report, mut told) = mpsc::channel::<Bytes>(WAITING_REPORT);
        let Some(push) = self.control.git_push(&self.actor, path, &mut input, report).await? else { return Ok(()) };
        let running = self.running;
        // Not a part of this task, which ends with the client: once refs move, they do so to the end.
        let push = tokio::spawn(async move {
            push.run(input).await;
            drop(running);
        });
        while let Some(bytes) = told.recv().await {
            self.output.data(bytes).await?;
        }
        push.await.map_err(|error| {
            tracing::error!(%error, "a push panicked");
            Ended::Refused("An internal error occurred; the host's log has it.".to_owned())
        })
    }

    async fn lfs_authenticate(&self, path: &SpacePath, operation: LfsOperation) -> Result<(), Ended> {
        let pass = self.control.lfs_pass(&self.actor, path, operation)?;
        let LfsPass { href, authorization, expires_in } = pass;
        let answer = json!({ "href": href, "header": { "Authorization": authorization }, "expires_in": expires_in });
        self.output.data(Bytes::from(format!("{answer}\n"))).await?;
        Ok(())
    }
}
