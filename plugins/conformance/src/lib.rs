//! Whether a backend plugin keeps to `spaceport-backend-protocol`: every verb, with good input and bad, on a plugin that
//! runs and listens on a socket.
//!
//! [`check`] knows nothing of how the plugin works, so it fits anybody's. Without a Space to build it asks only what changes
//! nothing; with one ([`Kit::app`]) it builds it, runs it, and takes it through its whole life under names that begin with
//! `conformance`. Everything is blocking: one call after the other is what makes a failure easy to read.

mod bad;
mod good;
pub mod http;
mod life;

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::CallFailed;
use spaceport_backend_protocol::{Call, Message, Refusal, Version, decode};

/// What is checked, and with what.
#[derive(Debug, Clone)]
pub struct Kit {
    /// Where the plugin listens.
    pub socket: PathBuf,
    /// A folder with a `Dockerfile` whose image answers HTTP on port 7860; without one nothing is built or run.
    pub app: Option<PathBuf>,
    /// How long a call may take. A build may take [`Kit::build`].
    pub call: Duration,
    /// How long the build of the app may take.
    pub build: Duration,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What has to hold, as a sentence.
    pub rule: &'static str,
    /// What is wrong, if it does not hold.
    pub wrong: Option<String>,
}

/// Why a rule does not hold.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("{0}")]
    Call(#[from] CallFailed),
    #[error("{0}")]
    Answer(#[from] spaceport_backend_protocol::DecodeError),
    #[error("{0}")]
    Words(String),
}

/// What a check comes to.
type Outcome = Result<(), Wrong>;

impl Kit {
    /// For a plugin at this socket, with the times that a host gives it.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), app: None, call: Duration::from_secs(10), build: Duration::from_secs(600) }
    }

    /// One call to its end: 200 and a message, or a refusal.
    fn call<T: Message>(&self, call: &Call, body: &[u8]) -> Result<Result<T, Refusal>, Wrong> {
        let reply = http::call(&self.socket, call.method(), &call.path(Version::CURRENT), body, self.call)?;
        match reply.status {
            200 => Ok(Ok(decode(&reply.body)?)),
            status => {
                let refusal: Refusal = decode(&reply.body)?;
                if refusal.error.status() != status {
                    let words = format!("status {status} comes with the code of {}", refusal.error.status());
                    return Err(Wrong::Words(words));
                }
                Ok(Err(refusal))
            }
        }
    }

    /// One call that has to be done.
    fn done<T: Message>(&self, call: &Call, body: &[u8]) -> Result<T, Wrong> {
        self.call(call, body)?.map_err(|refusal| Wrong::Words(format!("it refuses {}: {refusal}", call.name())))
    }

    /// One call that has to be refused with this code.
    fn refused<T: Message + std::fmt::Debug>(
        &self,
        call: &Call,
        body: &[u8],
        code: spaceport_backend_protocol::ErrorCode,
    ) -> Outcome {
        match self.call::<T>(call, body)? {
            Err(refusal) if refusal.error == code => Ok(()),
            Err(refusal) => {
                Err(Wrong::Words(format!("it is refused as {:?} and not as {code:?}: {refusal}", refusal.error)))
            }
            Ok(answer) => Err(Wrong::Words(format!("it is done and not refused: {answer:?}"))),
        }
    }
}

/// Looks at everything, and tells of each as soon as it is known.
pub fn check(kit: &Kit, tell: &mut dyn FnMut(&Finding)) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |rule: &'static str, outcome: Outcome| {
        let finding = Finding { rule, wrong: outcome.err().map(|wrong| wrong.to_string()) };
        tell(&finding);
        findings.push(finding);
    };
    for (rule, look) in good::RULES.iter().chain(&bad::RULES) {
        add(rule, look(kit));
    }
    if let Some(app) = &kit.app {
        for (rule, outcome) in life::walk(kit, app) {
            add(rule, outcome);
        }
    }
    findings
}
