//! One client, as its connection hears from it: who it is, which channels it has opened and what it asks for on each.
//!
//! Whatever runs for a channel is a task of its own ([`crate::job`]). While that does not read what the client sends, the
//! connection is read no further. A channel that is closed, by whomever, and a connection that ends, drop the channel's
//! [`Open`], and with it what runs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use bytes::Bytes;
use russh::keys::{Algorithm, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use spaceport_control::service::{Control, ServiceError};
use spaceport_core::permission::User;
use spaceport_core::ssh::{Fingerprint, GitCommand};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::input::Input;
use crate::job::Job;
use crate::limits::{CHANNELS, MAX_PROTOCOL, WAITING_INPUT};
use crate::output::Output;
use crate::progress::Progress;
use crate::words;

/// The variable by which clients say which version of git's protocol they speak.
const GIT_PROTOCOL: &str = "GIT_PROTOCOL";
/// Keys that are named to a user who could not be signed in.
const NAMED_KEYS: usize = 3;

/// A client.
pub(crate) struct Client {
    control: Control,
    address: IpAddr,
    progress: Progress,
    /// Ends the connection.
    cut: CancellationToken,
    /// The key by which it has signed in.
    key: Option<Fingerprint>,
    /// Keys that it has offered in vain.
    offered: Vec<Fingerprint>,
    has_old_rsa: bool,
    channels: HashMap<ChannelId, Open>,
}

/// A channel that is open.
struct Open {
    /// Taken by the command that runs on it: there is one.
    output: Option<Output>,
    input: Option<mpsc::Sender<Bytes>>,
    protocol: Option<String>,
    /// Tells what runs on it that the client has closed it.
    closed: CancellationToken,
    _closes: DropGuard,
    /// Told by what ran on it: it is closed by this side, and the client's answer to that is not heard of.
    ended: CancellationToken,
}

impl Client {
    pub(crate) fn new(control: Control, address: IpAddr, progress: Progress, cut: CancellationToken) -> Self {
        Self {
            control,
            address,
            progress,
            cut,
            key: None,
            offered: Vec::new(),
            has_old_rsa: false,
            channels: HashMap::new(),
        }
    }

    /// Who has this key. What the client is told of a failure of ours is that nobody has.
    fn owner(&self, key: Fingerprint) -> Option<User> {
        self.control.ssh_sign_in(key).unwrap_or_else(|error| {
            report(&error, "look up a key");
            None
        })
    }

    /// What to try after a key that is not known: another one, or to ask what is wrong.
    fn not_known(&mut self, key: Fingerprint) -> Auth {
        if self.offered.len() < NAMED_KEYS && !self.offered.contains(&key) {
            self.offered.push(key);
        }
        Auth::Reject { proceed_with_methods: Some(methods()), partial_success: false }
    }

    /// Runs a command on a channel, or says why not.
    fn start(&mut self, channel: ChannelId, command: &[u8]) -> bool {
        let Some(open) = self.channels.get_mut(&channel) else { return false };
        let Some(output) = open.output.take() else { return false };
        let (sender, pieces) = mpsc::channel(WAITING_INPUT);
        open.input = Some(sender);
        let (protocol, closed) = (open.protocol.take(), open.closed.clone());
        // A connection may outlive the key that has opened it, and the name and rights of its owner.
        let user = self.key.and_then(|key| self.owner(key));
        let job = Job {
            control: self.control.clone(),
            address: self.address,
            user,
            command: GitCommand::parse(command),
            protocol,
            input: Input::new(pieces),
            output,
            running: self.progress.run(),
        };
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = job.run() => Some(ended),
                () = closed.cancelled() => None,
            };
            if let Some((output, status)) = ended {
                output.end(status).await;
            }
        });
        true
    }

    /// Says something in place of what was asked for on a channel, as a program that fails at once.
    fn answer(&mut self, channel: ChannelId, text: String) {
        let Some(output) = self.channels.get_mut(&channel).and_then(|open| open.output.take()) else { return };
        tokio::spawn(async move {
            let _ = output.say(&text).await;
            output.end(1).await;
        });
    }
}

/// Ways to sign in. The second signs nobody in: it is how a client's user is told what is wrong.
pub(crate) fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..])
}

/// The fingerprint of a key; `None` if it cannot be written.
fn fingerprint(key: &PublicKey) -> Option<Fingerprint> {
    key.to_bytes().ok().map(|bytes| Fingerprint::of(&bytes))
}

fn is_old_rsa(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Rsa { hash: None })
}

fn report(error: &ServiceError, attempt: &str) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        attempt,
        "git over SSH failed through a fault of the host"
    );
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        if is_old_rsa(offer.algorithm) {
            self.has_old_rsa = true;
            return Ok(Auth::Reject { proceed_with_methods: Some(methods()), partial_success: false });
        }
        let Some(key) = fingerprint(offer.public_key) else { return Ok(Auth::reject()) };
        Ok(if self.owner(key).is_some() { Auth::Accept } else { self.not_known(key) })
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let Some(fingerprint) = fingerprint(key.public_key).filter(|_| !is_old_rsa(key.algorithm)) else {
            return Ok(Auth::reject());
        };
        let Some(user) = self.owner(fingerprint) else { return Ok(self.not_known(fingerprint)) };
        tracing::debug!(actor = %user.name, address = %self.address, %fingerprint, "signed in over SSH");
        self.key = Some(fingerprint);
        self.progress.known();
        let control = self.control.clone();
        // Nobody waits for the disk to sign in.
        tokio::spawn(async move {
            if let Err(error) = control.ssh_key_used(fingerprint).await {
                report(&error, "note the use of a key");
            }
        });
        Ok(Auth::Accept)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        if response.is_some() {
            let only = MethodSet::from(&[MethodKind::PublicKey][..]);
            return Ok(Auth::Reject { proceed_with_methods: Some(only), partial_success: false });
        }
        let hub = self.control.addresses().hub_url();
        let instructions = words::refused(&self.offered, self.has_old_rsa, &hub);
        Ok(Auth::Partial { name: Cow::Borrowed(""), instructions: instructions.into(), prompts: Cow::Borrowed(&[]) })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.retain(|_, open| !open.ended.is_cancelled());
        if self.channels.len() >= CHANNELS {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        let (closed, ended) = (CancellationToken::new(), CancellationToken::new());
        // What the client sends comes by `data`, below: the other way in is left to nobody.
        let (_, output) = channel.split();
        let open = Open {
            output: Some(Output::new(output, ended.clone().drop_guard())),
            input: None,
            protocol: None,
            _closes: closed.clone().drop_guard(),
            closed,
            ended,
        };
        self.channels.insert(id, open);
        reply.accept().await;
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        if let Some(open) = self.channels.get_mut(&channel) {
            open.input = None;
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _session: &mut Session) -> Result<(), russh::Error> {
        let input = self.channels.get(&channel).and_then(|open| open.input.as_ref());
        let Some(input) = input else { return Ok(()) };
        tokio::select! {
            // Whoever has stopped reading needs no more.
            _ = input.send(Bytes::copy_from_slice(data)) => Ok(()),
            () = self.cut.cancelled() => Err(russh::Error::Disconnect),
        }
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Nothing but the words of the protocol reaches git.
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b':' | b'-' | b'.');
        let is_taken = name == GIT_PROTOCOL && value.len() <= MAX_PROTOCOL && value.bytes().all(is_word);
        match self.channels.get_mut(&channel).filter(|_| is_taken) {
            Some(open) => {
                open.protocol = Some(value.to_owned());
                session.channel_success(channel)
            }
            None => session.channel_failure(channel),
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Whatever the command says comes after the answer to the request, which is sent by this very task.
        if self.start(channel, command) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        let Some(user) = self.key.and_then(|key| self.owner(key)) else { return session.channel_failure(channel) };
        session.channel_success(channel)?;
        self.answer(channel, words::no_shell(&user.name));
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // A client that is told that it failed shows nothing else.
        session.channel_success(channel)?;
        self.answer(channel, words::no_subsystem(name));
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }
}
