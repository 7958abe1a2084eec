//! What git clients do with a Space's repository: cloning, fetching and pushing, whichever way they came. Who may, what a
//! push may bring, and how it becomes what is served: by the path that commits of the API take.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use spaceport_core::discussion::{PULL_REFS, pull_number};
use spaceport_core::lfs::MAX_LARGE_FILE;
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{Action, Actor, Denied, TokenRole, User};
use spaceport_core::plugin::Plugins;
use spaceport_core::revision::{BRANCHES, DEPLOY_BRANCH, Oid};
use spaceport_core::space::{Sdk, Space};
use spaceport_db::Batch;
use spaceport_git::{Audit, BroughtFile, GitError, PackStream, Push, PushOutput, RefCommand, Repo, Service};
use tokio::io::AsyncRead;

use super::audit::{Act, origin};
use super::error::{ServiceError, ServiceResult};
use super::readme::{README, refuse_invalid, sdk_of};
use super::scan::Brought;
use super::storage::git_failed;
use super::{Control, Turn, UpdatedRef};

/// The largest file that is kept in git itself when it is pushed, as on the Hub: a clone brings every version of it.
pub(super) const MAX_PUSHED_FILE: u64 = 10 << 20;
/// How often a client is told that its push is still being looked at: proxies end a connection that is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// What a client is told of each ref when what it pushes is not accepted; the reasons stand before it.
const DECLINED: &str = "pre-receive hook declined";
/// Refs that would change what others' git makes of a repository, or that this host keeps for itself.
const RESERVED_REFS: [&str; 3] = ["refs/spaceport/", "refs/replace/", "refs/bisect/"];
/// Sets off what is told to the author of a push that was refused.
const RULE: &str = "-------------------------------------------------------------------------";

/// A push that may be made, with its commands read.
pub struct GitPush {
    control: Control,
    space: Space,
    user: User,
    /// Whether it may push more than pull requests of its own.
    is_writer: bool,
    /// The address that it comes from.
    from: Option<String>,
    output: PushOutput,
    push: Push,
    /// The kind that the new README names.
    sdk: Option<Sdk>,
    /// What it brings that may be text.
    files: Vec<BroughtFile>,
    /// The head that it came with, once it is there.
    moved: Option<Oid>,
}

/// Why a push is not taken, for its author.
pub(super) enum Refusal {
    /// What it brings breaks a rule: the reasons, a line each.
    Content(Vec<String>),
    /// It did not come in whole.
    Pack(String),
}

impl Control {
    /// Who a git client is that sends a name and a secret from an address: a token with any name, or a user's name and
    /// password.
    pub async fn git_sign_in(&self, name: &str, secret: &str, from: IpAddr) -> ServiceResult<Option<User>> {
        if let Some(signed) = self.inner.accounts.authenticate(secret)? {
            return Ok(Some(signed.user));
        }
        let Ok(name) = name.parse::<OwnerName>() else { return Ok(None) };
        if secret.is_empty() {
            return Ok(None);
        }
        let account = self.password_sign_in(&name, secret, from).await?;
        // Whoever administers the host does that with a token.
        account.map(|account| self.inner.accounts.user(account, TokenRole::Write)).transpose()
    }

    /// The refs of a repository, in the words of git's protocol, for a client that is about to fetch or push.
    pub async fn git_refs(
        &self,
        actor: &Actor,
        path: &SpacePath,
        service: Service,
        protocol: Option<&str>,
        is_http: bool,
    ) -> ServiceResult<Bytes> {
        let space = match service {
            Service::UploadPack => self.space(actor, path, Action::See)?,
            Service::ReceivePack => self.pusher(actor, path)?.0,
        };
        self.inner.repos.repo(space.id).advertise(service, protocol, is_http).await.map_err(git_failed)
    }

    /// Answers a client that clones or fetches.
    pub async fn git_fetch(
        &self,
        actor: &Actor,
        path: &SpacePath,
        protocol: Option<&str>,
        is_rpc: bool,
        input: impl AsyncRead + Unpin + Send + 'static,
    ) -> ServiceResult<PackStream> {
        let space = self.space(actor, path, Action::See)?;
        self.inner.repos.repo(space.id).upload_pack(protocol, is_rpc, input).await.map_err(git_failed)
    }

    /// Reads what a client wants to push; `None` if it only tries its password.
    pub async fn git_push(
        &self,
        actor: &Actor,
        path: &SpacePath,
        input: &mut (impl AsyncRead + Unpin),
        output: PushOutput,
    ) -> ServiceResult<Option<GitPush>> {
        let (space, is_writer) = self.pusher(actor, path)?;
        let Actor::User(user) = actor else { return Err(Denied::SignIn.into()) };
        let push = Push::begin(&self.inner.repos.repo(space.id), input, output.clone()).await.map_err(git_failed)?;
        let (control, user) = (self.clone(), user.clone());
        let from = origin();
        let begun = |push| GitPush {
            control,
            space,
            user,
            is_writer,
            from,
            output,
            push,
            sdk: None,
            files: Vec::new(),
            moved: None,
        };
        Ok(push.map(begun))
    }
}

impl GitPush {
    /// Takes the push in and tells the client. If it leaves before everything is here and looked at, nothing has happened.
    pub async fn run(mut self, mut input: impl AsyncRead + Unpin) {
        match self.examine_until_left(&mut input).await {
            None => {
                tracing::info!(space = %self.space.path, actor = %self.user.name, "a push was broken off");
                return;
            }
            Some(examined) => self.settle(examined).await,
        }
        self.tell_of_secrets().await;
        self.push.finish().await;
    }

    /// Looks at everything for as long as the client is there, and tells it now and then that it is not forgotten.
    async fn examine_until_left(&mut self, input: &mut (impl AsyncRead + Unpin)) -> Option<Result<(), Refusal>> {
        let (output, heartbeat) = (self.output.clone(), self.push.heartbeat());
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.reset();
        let examined = self.examine(input);
        tokio::pin!(examined);
        loop {
            tokio::select! {
                examined = &mut examined => return Some(examined),
                () = output.closed() => return None,
                _ = beats.tick() => {
                    // A client that does not read has enough to read.
                    let _ = heartbeat.clone().map(|heartbeat| output.try_send(heartbeat));
                }
            }
        }
    }

    async fn settle(&mut self, examined: Result<(), Refusal>) {
        match examined {
            Ok(()) => self.accept().await,
            Err(Refusal::Pack(why)) => self.push.fail(&why),
            Err(Refusal::Content(lines)) => {
                self.push.say(&format!("{RULE}\n{}\n{RULE}", lines.join("\n"))).await;
                self.push.refuse_all(DECLINED);
            }
        }
    }

    /// Brings the objects in and looks at everything.
    async fn examine(&mut self, input: &mut (impl AsyncRead + Unpin)) -> Result<(), Refusal> {
        if !self.is_writer {
            let repo = self.control.inner.repos.repo(self.space.id);
            self.control.refuse_full(&repo).await.map_err(|error| Refusal::Content(vec![error.to_string()]))?;
        }
        self.push.take_pack(input).await.map_err(|error| self.failed(error))?;
        self.require_room().await?;
        let audit = self.push.audit(MAX_PUSHED_FILE).await.map_err(|error| self.failed(error))?;
        refuse_large(&audit)?;
        self.control.refuse_absent(self.space.id, &audit.pointers)?;
        self.files = audit.files;
        for command in self.push.commands().to_vec() {
            if let Some(why) = forbidden(&command) {
                self.push.refuse(&command.name, why);
                continue;
            }
            if let Some(why) = self.not_pushed(&command)? {
                self.push.refuse(&command.name, &why);
                continue;
            }
            if let Some(new) = command.new {
                self.examine_tip(&command, new).await?;
            }
        }
        Ok(())
    }

    /// Why this user may not push this ref.
    fn not_pushed(&self, command: &RefCommand) -> Result<Option<String>, Refusal> {
        let may = self.control.may_push(self.space.id, &self.user, self.is_writer, &command.name);
        may.map_err(|error| {
            tracing::error!(space = %self.space.path, %error, "a push failed through a fault of the host");
            Refusal::Pack("an internal error occurred; the host's log has it".to_owned())
        })
    }

    /// Refuses what would take the owner's repositories beyond its quota.
    async fn require_room(&self) -> Result<(), Refusal> {
        let incoming = self.push.incoming();
        let room = self.control.require_repository_room(self.space.owner, incoming.disk_bytes()).await;
        room.map_err(|error| match error {
            error @ ServiceError::OverQuota(_) => Refusal::Content(vec![error.to_string()]),
            error => {
                tracing::error!(space = %self.space.path, %error, "what an owner has cannot be counted");
                Refusal::Pack("an internal error occurred; the host's log has it".to_owned())
            }
        })
    }

    /// Holds what a ref is to lead to to the rules for revisions.
    async fn examine_tip(&mut self, command: &RefCommand, tip: Oid) -> Result<(), Refusal> {
        let incoming = self.push.incoming().clone();
        let commit = incoming.resolve(&tip.to_string()).await.map_err(|error| self.failed(error))?;
        let Some(commit) = commit else {
            // A tag may lead to anything; a branch holds commits.
            if command.name.starts_with(BRANCHES) {
                self.push.refuse(&command.name, "a branch leads to a commit");
            }
            return Ok(());
        };
        if command.name.starts_with(BRANCHES) && commit != tip {
            self.push.refuse(&command.name, "a branch leads to a commit");
            return Ok(());
        }
        match incoming.check(commit).await {
            Ok(()) => {}
            Err(GitError::Tree(error)) => {
                return Err(Refusal::Content(vec![format!("{} cannot be used: {error}", short_name(&command.name))]));
            }
            Err(error) => return Err(self.failed(error)),
        }
        if command.name.strip_prefix(BRANCHES) == Some(DEPLOY_BRANCH) {
            self.sdk = self.examine_readme(&incoming, commit).await?;
        }
        Ok(())
    }

    async fn examine_readme(&self, incoming: &Repo, commit: Oid) -> Result<Option<Sdk>, Refusal> {
        let readme = match incoming.read(commit, README).await {
            Ok(Some(readme)) => readme,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let plugins = self.control.plugins();
        let plugins = Plugins::Only(&plugins);
        match refuse_invalid(&readme, plugins) {
            Ok(()) => Ok(sdk_of(&readme, plugins)),
            Err(ServiceError::InvalidReadme(sentences)) => {
                let head = "Your push was rejected because the metadata of README.md cannot be used:".to_owned();
                let lines = sentences.iter().map(|sentence| format!("  - {README}: {sentence}"));
                Err(Refusal::Content(std::iter::once(head).chain(lines).collect()))
            }
            Err(error) => Err(Refusal::Content(vec![error.to_string()])),
        }
    }

    /// Makes it the repository's, and what is served. From here on it happens whether or not the client listens.
    async fn accept(&mut self) {
        let control = self.control.clone();
        // One after the other: the fleet must hear of two heads in the order they were made.
        // The objects may have been long on their way, and the right to push them gone.
        let needed = if self.is_writer { Action::Write } else { Action::See };
        let turn = match control.turn_to(&Actor::User(self.user.clone()), needed, self.space.id).await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::info!(space = %self.space.path, actor = %self.user.name, %error, "a push may not be made any more");
                return self.push.refuse_all(&format!("this push may not be made any more: {error}"));
            }
        };
        // A pull request may have been closed while its commits came.
        for command in self.push.commands().to_vec() {
            match self.not_pushed(&command) {
                Ok(None) => {}
                Ok(Some(why)) => self.push.refuse(&command.name, &why),
                Err(Refusal::Pack(why)) => return self.push.fail(&why),
                Err(Refusal::Content(lines)) => self.push.refuse(&command.name, &lines.join("; ")),
            }
        }
        let moved = match self.push.accept().await {
            Ok(moved) => moved,
            Err(error) => {
                if let Refusal::Pack(why) = self.failed(error) {
                    self.push.fail(&why);
                }
                return;
            }
        };
        if moved.is_empty() {
            return;
        }
        control.inner.fleet.tidy(control.inner.repos.repo(self.space.id));
        for RefCommand { name, new, .. } in &moved {
            tracing::info!(space = %self.space.path, name, new = ?new, actor = %self.user.name, "a ref was pushed");
            if let Some(number) = pull_number(name) {
                control.pull_request_was_pushed(self.space.id, number, self.user.id).await;
            }
        }
        let refs =
            moved.iter().map(|RefCommand { name, old, new }| UpdatedRef { name: name.clone(), old: *old, new: *new });
        control.refs_moved(&turn.space, &refs.collect::<Vec<_>>()).await;
        self.moved = moved.iter().find_map(|command| command.new);
        let deployed = moved.iter().find(|command| command.name.strip_prefix(BRANCHES) == Some(DEPLOY_BRANCH));
        let names: Vec<&str> = moved.iter().map(|command| command.name.as_str()).collect();
        let act = Act::on("repository.push", &turn.space).from(self.from.clone()).with("refs", names.join(", "));
        let actor = Actor::User(self.user.clone());
        match deployed.and_then(|command| command.new) {
            Some(head) => {
                self.moved = Some(head);
                self.deploy(&turn, head, control.noted(&actor, act.with("revision", head))).await;
            }
            None => {
                control.note_alone(&actor, act).await;
                self.push.say(&format!("\nStored. Only {DEPLOY_BRANCH} is built and served.\n")).await;
            }
        }
    }

    /// Looks through what has come for secrets. The push is over by then, but for its last words.
    async fn tell_of_secrets(&mut self) {
        let files = std::mem::take(&mut self.files);
        let Some(head) = self.moved else { return };
        let news = self.control.scan(&self.space, Brought::Files(head, files)).await;
        if let Some(text) = news.for_push(&self.control, &self.space.path) {
            self.push.say(&text).await;
        }
    }

    async fn deploy(&self, turn: &Turn, head: Oid, noted: Batch) {
        // The head is there for good by now: what cannot be recorded is found by the next comparison of heads and builds.
        let told = self.control.deployed(turn, head, self.sdk, noted).await;
        let state = match told {
            Ok(()) => "is being built",
            Err(error) => {
                tracing::warn!(space = %self.space.path, %error, "a pushed head is built later");
                "will be built soon"
            }
        };
        let (addresses, space) = (self.control.addresses(), &turn.space);
        let page = addresses.page_url(&space.path);
        let app = addresses.app_url(&space.subdomain, self.sdk.unwrap_or(space.sdk));
        let short = head.to_string().chars().take(7).collect::<String>();
        self.push.say(&format!("\n{DEPLOY_BRANCH} {state} at {short}\n  Space: {page}\n  App:   {app}\n")).await;
    }

    /// A failure in the words that its author is told, and, if it is ours, in the log.
    fn failed(&self, error: GitError) -> Refusal {
        match error {
            GitError::Request(why) => Refusal::Pack(why),
            GitError::Tree(error) => Refusal::Content(vec![error.to_string()]),
            GitError::StorageFull => Refusal::Pack("this host has no disk space left".to_owned()),
            GitError::NoRepository(_) => Refusal::Pack("the repository was deleted".to_owned()),
            GitError::TooLarge { .. } | GitError::Deadline { .. } => Refusal::Pack(error.to_string()),
            error => {
                tracing::error!(space = %self.space.path, %error, "a push failed through a fault of the host");
                Refusal::Pack("an internal error occurred; the host's log has it".to_owned())
            }
        }
    }
}

/// Why a ref may not be changed so.
fn forbidden(command: &RefCommand) -> Option<&'static str> {
    let name = command.name.as_str();
    if command.new.is_none() && name.strip_prefix(BRANCHES) == Some(DEPLOY_BRANCH) {
        return Some("main is what is served: it can be overwritten, not deleted");
    }
    if name.starts_with(PULL_REFS) && (command.old.is_none() || command.new.is_none()) {
        return Some("pull requests are opened and closed by the API");
    }
    RESERVED_REFS.iter().any(|reserved| name.starts_with(reserved)).then_some("refs of this kind are not taken")
}

fn refuse_large(audit: &Audit) -> Result<(), Refusal> {
    let Some((first, _)) = audit.too_large.first() else { return Ok(()) };
    let mut lines = vec![
        format!("Your push was rejected because it contains files larger than {} MiB.", MAX_PUSHED_FILE >> 20),
        format!("Keep them with git-lfs, which takes up to {} GiB a file:", MAX_LARGE_FILE >> 30),
        format!("  git lfs migrate import --include=\"{first}\" --everything"),
        String::new(),
        "Offending files, in any of the commits:".to_owned(),
    ];
    let megabytes = |size: u64| size as f64 / f64::from(1 << 20);
    lines.extend(audit.too_large.iter().map(|(path, size)| format!("  - {path} ({:.1} MiB)", megabytes(*size))));
    Err(Refusal::Content(lines))
}

fn short_name(name: &str) -> &str {
    name.strip_prefix(BRANCHES).or(name.strip_prefix("refs/tags/")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str, old: bool, new: bool) -> RefCommand {
        let oid = Oid::from_bytes([1; 20]);
        RefCommand { name: name.to_owned(), old: old.then_some(oid), new: new.then_some(oid) }
    }

    #[test]
    fn branches_and_tags_move_freely_and_main_stays() {
        for (name, old, new) in [
            ("refs/heads/main", true, true),
            ("refs/heads/main", false, true),
            ("refs/heads/x", true, false),
            ("refs/tags/v1", false, true),
            ("refs/tags/v1", true, false),
            ("refs/convert/build", false, true),
            ("refs/pr/1", true, true),
        ] {
            assert_eq!(forbidden(&command(name, old, new)), None, "{name}");
        }
        for (name, old, new) in [
            ("refs/heads/main", true, false),
            ("refs/pr/1", false, true),
            ("refs/pr/1", true, false),
            ("refs/replace/1111111111111111111111111111111111111111", false, true),
            ("refs/spaceport/import", false, true),
        ] {
            assert!(forbidden(&command(name, old, new)).is_some(), "{name}");
        }
    }
}
