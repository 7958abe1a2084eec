//! What a backend runs for this host: started or found running, watched, and removed when nobody needs it any more.
//!
//! An instance's id says whose it is: this host's, which owner's, made from which order, by which launch. That is all the
//! memory there is. A host that starts anew finds by it what still runs and is wanted as it is, and takes it over instead
//! of starting it twice; what runs for nobody is removed. A plugin that dies, hangs or is restarted changes nothing of an
//! instance: once it answers again its list says what has become of each.
//!
//! Every instance that something of this process stands for is *claimed*; the claim is made before the start is asked for
//! and given up after the removal.

mod bookmark;
mod claim;
mod label;
mod look;
mod order;
mod ready;
mod running;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_backend_protocol::{BuildEvent, BuildRequest, Fault, InstanceId, InstanceState, LogLine, Retain};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::client::BuildStep;
use crate::{CallError, State, Supervisor, Up};
use bookmark::Bookmark;
use claim::{Claim, Guard};
use label::Label;

pub use order::{BuildError, Order, StartError, Witness};
pub use running::Running;

/// How often the list is looked at: an instance that ends by itself closes its log, which is noticed at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often it is asked what instances have used: the host samples it by the minute.
const STATS_EVERY: Duration = Duration::from_secs(10);
/// How long an instance may be nobody's before it is removed: a host that starts first brings back what ran before.
const STRAY: Duration = Duration::from_secs(60);
/// How long a build or a start waits for a backend that is starting or down: a restart of it takes less.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks at the list.
    pub look_every: Duration,
    /// Time between two questions for what was used.
    pub stats_every: Duration,
    /// Time after which an instance that is nobody's is removed.
    pub stray: Duration,
    /// Longest wait for a backend that does not answer.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { look_every: LOOK_EVERY, stats_every: STATS_EVERY, stray: STRAY, patience: PATIENCE }
    }
}

/// The instances of one backend. Cheap to clone; watched until the last clone is gone.
#[derive(Clone)]
pub struct Instances {
    inner: Arc<Inner>,
}

struct Inner {
    state: watch::Receiver<State>,
    /// Tells this host's instances from others', and orders from each other.
    key: [u8; 32],
    pace: Pace,
    claims: Mutex<BTreeMap<InstanceId, Arc<Claim>>>,
    /// Something may have happened.
    look: Arc<Notify>,
}

impl Instances {
    /// Begins to watch, on the current runtime. `key` is this host's own and stays the same.
    pub fn new(supervisor: &Supervisor, key: [u8; 32], pace: Pace) -> Self {
        let inner = Inner { state: supervisor.watch(), key, pace, claims: Mutex::default(), look: Arc::default() };
        let inner = Arc::new(inner);
        tokio::spawn(look::watch(Arc::downgrade(&inner), inner.look.clone(), pace));
        Self { inner }
    }

    /// Why the backend does not answer now; `None`: it does.
    pub fn problem(&self) -> Option<String> {
        self.inner.state.borrow().problem()
    }

    /// Builds; `say` is told every line of the log. Dropping the future ends the build.
    pub async fn build(&self, request: &BuildRequest, say: impl Fn(&LogLine) + Send) -> Result<BuildEvent, BuildError> {
        let up = self.inner.up().await.map_err(BuildError::NotAnswering)?;
        let broken = |error: CallError| BuildError::Failed { fault: Fault::Platform, message: error.to_string() };
        let mut building = up.client.build(request).await.map_err(broken)?;
        loop {
            match building.next().await.map_err(broken)? {
                BuildStep::Said(line) => say(&line),
                BuildStep::Ended(BuildEvent::Failed { fault, message }) => {
                    return Err(BuildError::Failed { fault, message: message.to_string() });
                }
                BuildStep::Ended(end) => return Ok(end),
            }
        }
    }

    /// Says which artifacts are needed; those that are not there.
    pub async fn retain(&self, request: &Retain) -> Result<usize, String> {
        let up = self.inner.up().await?;
        up.client.retain(request).await.map(|retained| retained.missing.len()).map_err(|error| error.to_string())
    }

    /// Starts what is ordered, or takes over what already runs by the same order. Whether it answers is for
    /// [`Running::ready`] to see. Whatever else runs for the owner and is nobody's is removed first.
    pub async fn start(&self, order: Order) -> Result<Running, StartError> {
        let up = self.inner.up().await.map_err(StartError::NotAnswering)?;
        let label = Label::of(&self.inner.key, &order);
        let listed = up.client.list().await.map_err(StartError::of_call)?.instances;
        let mut taken_over = None;
        for instance in listed {
            let is_owners = Label::parse(&instance.id).is_some_and(|found| found.is_of_owner(&label));
            if !is_owners || self.inner.is_claimed(&instance.id) {
                continue;
            }
            let runs_so = Label::parse(&instance.id).is_some_and(|found| found.is_same_order(&label));
            match instance.state {
                InstanceState::Running { address } if runs_so && taken_over.is_none() => {
                    taken_over =
                        Guard::claim(&self.inner, instance.id, order.witness.clone()).map(|guard| (guard, address));
                }
                _ => up.client.remove(&instance.id).await.map_err(StartError::of_call)?,
            }
        }
        if let Some((guard, address)) = taken_over {
            tracing::info!(instance = %guard.id(), "an instance that still runs is taken over");
            let read = order.logged_until.map_or_else(Bookmark::default, Bookmark::at);
            return Ok(Running::begin(guard, address, Some(read)));
        }
        self.start_anew(&up, label.id(order.number), order).await
    }

    async fn start_anew(&self, up: &Up, id: InstanceId, order: Order) -> Result<Running, StartError> {
        let twice = || StartError::Refused("this launch was started already".to_owned());
        let guard = Guard::claim(&self.inner, id.clone(), order.witness.clone()).ok_or_else(twice)?;
        match up.client.start(&order.request(id)).await.map(|instance| instance.state) {
            Ok(InstanceState::Running { address }) => Ok(Running::begin(guard, address, None)),
            Ok(InstanceState::Exited { reason, .. }) => Err(StartError::Ended(reason.to_string())),
            Err(error) => Err(StartError::of_call(error)),
        }
    }
}

impl Inner {
    /// The backend, once it answers; why it does not, after a while.
    async fn up(&self) -> Result<Arc<Up>, String> {
        let mut state = self.state.clone();
        let settled = |state: &State| matches!(state, State::Up(_) | State::Stopped);
        let waited = timeout(self.pace.patience, state.wait_for(settled)).await;
        let now = match waited {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => self.state.borrow().clone(),
        };
        match now {
            State::Up(up) => Ok(up),
            state => Err(state.problem().unwrap_or_else(|| "it is starting".to_owned())),
        }
    }

    /// The backend, if it answers at this moment.
    fn up_now(&self) -> Option<Arc<Up>> {
        match &*self.state.borrow() {
            State::Up(up) => Some(up.clone()),
            State::Starting | State::Down { .. } | State::Stopped => None,
        }
    }

    fn is_claimed(&self, id: &InstanceId) -> bool {
        self.claims.lock().contains_key(id)
    }

    /// Removes an instance that nobody stands for. One that cannot be removed now is found again as a stray.
    async fn remove(&self, id: &InstanceId) {
        let Some(up) = self.up_now() else { return };
        if let Err(error) = up.client.remove(id).await {
            tracing::warn!(instance = %id, %error, "an instance could not be removed");
        }
    }
}
