//! Calls to a plugin. Every call has a connection of its own, a deadline and a size; no field of a reply is trusted.
//!
//! A connection of its own costs microseconds on a Unix socket, and nothing that a plugin sends too much can be taken for
//! the answer to the next call.

mod building;
mod error;
mod exchange;
mod lines;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spaceport_backend_protocol::{
    Ask, BuildRequest, Call, Description, ExecReply, ExecRequest, Health, Hello, Instance, InstanceId, Instances,
    LogLine, Message, Removed, Retain, Retained, StartRequest, Stats, StopRequest, Version, decode, encode, limits,
};

pub use building::{BuildStep, Building};
pub use error::CallError;
use exchange::{Exchange, Order};
pub use lines::Lines;

/// How many times as long as an answer from memory may one take for which the plugin moves files or waits for its engine.
const SLOW: u32 = 6;

/// Calls one plugin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    socket: Arc<PathBuf>,
    version: Version,
    deadline: Duration,
    calls: Arc<AtomicU64>,
}

impl Client {
    /// Asks which versions the plugin at a socket speaks and settles on one. Every call may take as long as `deadline`.
    pub async fn connect(socket: &Path, deadline: Duration) -> Result<Self, CallError> {
        let calls = Arc::new(AtomicU64::new(1));
        let mut client = Self { socket: Arc::new(socket.to_owned()), version: Version::CURRENT, deadline, calls };
        let hello: Hello = client.call(&Call::Protocol, Vec::new(), deadline).await?;
        client.version = hello.choose()?;
        Ok(client)
    }

    /// The version that both sides speak.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What can it do, and which of these rows of hardware can it offer?
    pub async fn describe(&self, ask: &Ask) -> Result<Description, CallError> {
        let call = Call::Describe;
        let description: Description = self.call(&call, encode(ask), self.deadline).await?;
        description.check_against(ask).map_err(CallError::nonsense(&call))?;
        Ok(description)
    }

    /// Can it do anything at the moment?
    pub async fn health(&self) -> Result<Health, CallError> {
        self.call(&Call::Health, Vec::new(), self.deadline).await
    }

    /// Begins a build, whose log is then read to its end.
    pub async fn build(&self, request: &BuildRequest) -> Result<Building, CallError> {
        let exchange = within(self.deadline * SLOW, &Call::Build, self.open(&Call::Build, encode(request))).await?;
        Ok(Building::new(exchange, request.recipe.clone()))
    }

    /// Keep these artifacts; the rest may go.
    pub async fn retain(&self, request: &Retain) -> Result<Retained, CallError> {
        let call = Call::Retain;
        let retained: Retained = self.call(&call, encode(request), self.deadline * SLOW).await?;
        retained.check_against(request).map_err(CallError::nonsense(&call))?;
        Ok(retained)
    }

    /// Starts an instance, or says how the one of this id is.
    pub async fn start(&self, request: &StartRequest) -> Result<Instance, CallError> {
        let call = Call::Start;
        let instance: Instance = self.call(&call, encode(request), self.deadline * SLOW).await?;
        instance.check_against(&request.id).map_err(CallError::nonsense(&call))?;
        Ok(instance)
    }

    /// Forgets an instance; one that runs is ended at once.
    pub async fn remove(&self, id: &InstanceId) -> Result<(), CallError> {
        let call = Call::Remove(id.clone());
        let removed: Removed = self.call(&call, Vec::new(), self.deadline * SLOW).await?;
        removed.check_against(id).map_err(CallError::nonsense(&call))
    }

    /// What has an instance used?
    pub async fn stats(&self, id: &InstanceId) -> Result<Stats, CallError> {
        self.call(&Call::Stats(id.clone()), Vec::new(), self.deadline).await
    }

    /// Runs a command inside an instance.
    pub async fn exec(&self, id: &InstanceId, request: &ExecRequest) -> Result<ExecReply, CallError> {
        let deadline = self.deadline + Duration::from_secs(request.seconds.min(limits::EXEC.as_secs()));
        self.call(&Call::Exec(id.clone()), encode(request), deadline).await
    }

    /// Which instances are there?
    pub async fn list(&self) -> Result<Instances, CallError> {
        self.call(&Call::List, Vec::new(), self.deadline).await
    }

    /// Ends an instance, which is given `grace` to end by itself.
    pub async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<Instance, CallError> {
        let grace = grace.min(limits::GRACE);
        let request = StopRequest { grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) };
        let call = Call::Stop(id.clone());
        let instance: Instance = self.call(&call, encode(&request), self.deadline + grace).await?;
        instance.check_against(id).map_err(CallError::nonsense(&call))?;
        Ok(instance)
    }

    /// What an instance has written and goes on to write.
    pub async fn logs(&self, id: &InstanceId) -> Result<Lines<LogLine>, CallError> {
        let call = Call::Logs(id.clone());
        let opened = self.open(&call, Vec::new());
        let exchange = within(self.deadline, &call, opened).await?;
        Ok(Lines::new(call, exchange))
    }

    /// One call from its first byte to its last.
    async fn call<T: Message>(&self, call: &Call, body: Vec<u8>, deadline: Duration) -> Result<T, CallError> {
        let work = async {
            let reply = self.open(call, body).await?.read(call, T::MOST).await?;
            decode(&reply).map_err(CallError::nonsense(call))
        };
        within(deadline, call, work).await
    }

    /// One call up to the head of its reply, which says that the call is done.
    async fn open(&self, call: &Call, body: Vec<u8>) -> Result<Exchange, CallError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        Exchange::begin(Order { socket: &self.socket, version: self.version, number, call, body }).await
    }
}

async fn within<T>(
    deadline: Duration,
    call: &Call,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(deadline, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(CallError::Deadline { call: call.name(), deadline }),
    }
}
