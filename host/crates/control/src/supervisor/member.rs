//! A Space in the fleet between messages, and the task that exists while there are some.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use spaceport_core::id::{BuildId, SpaceId};
use spaceport_core::lifecycle::{Event, InstanceId};
use spaceport_db::{Batch, CommitError};
use tokio::sync::{oneshot, watch};

use super::instances::{Instance, Meter};
use super::{Owned, Supervisor};
use crate::builder::BuildReport;
use crate::fleet::{FleetError, FleetView, Shared};
use crate::ledger::Tally;
use crate::ports::LaunchError;
use crate::publish::Profile;
use crate::routes::RouteSlot;

/// Messages for which the queue keeps its room; a burst gives the rest back.
const KEPT_ROOM: usize = 8;

/// A Space in the fleet.
pub(crate) struct Member {
    pub(crate) space: SpaceId,
    pub(crate) slot: Arc<RouteSlot>,
    pub(crate) view: watch::Sender<FleetView>,
    pub(crate) meter: Mutex<Meter>,
    /// What it has used and what is not written down yet.
    pub(crate) tally: Mutex<Tally>,
    /// Requests that wait for it to wake.
    pub(crate) waiters: AtomicUsize,
    /// A visit was posted and not yet handled.
    pub(crate) is_visited: AtomicBool,
    /// How long its last build that came to something took, in milliseconds; 0: none has since the host started.
    pub(crate) last_build: AtomicU64,
    inbox: Mutex<Inbox>,
    owned: tokio::sync::Mutex<Owned>,
}

#[derive(Default)]
struct Inbox {
    queue: VecDeque<Message>,
    has_task: bool,
}

struct Message {
    input: Input,
    reply: Option<oneshot::Sender<Result<(), FleetError>>>,
}

/// What a supervisor is told.
pub(crate) enum Input {
    /// Something a client did; acknowledged once it is durable, together with the batch.
    Event(Event, Batch),
    /// The host has started.
    Boot,
    /// The deploy branch may have a head that was never built.
    CheckHead,
    /// The owner restarts or resumes the Space; acknowledged once it is durable.
    Restart {
        /// Build from scratch too.
        factory: bool,
        /// To be stored with it.
        with: Batch,
    },
    /// The owner goes back to a release; acknowledged once it is durable.
    RollBack {
        /// Its number.
        number: u64,
        /// To be stored with it.
        with: Batch,
    },
    /// Somebody wants an answer from a sleeper.
    Visited,
    /// An instance can answer no more.
    Crashed {
        /// Which.
        instance: InstanceId,
        /// Why.
        message: String,
    },
    /// A launch waits for what another Space has.
    Waits {
        /// Which.
        instance: InstanceId,
        /// For what, in a sentence.
        message: String,
    },
    /// Settings were changed in the database.
    Profile {
        /// What they are now.
        profile: Box<Profile>,
        /// Whether the app sees what has changed.
        relaunch: bool,
    },
    /// A build has ended.
    BuildEnded {
        /// Which.
        build: BuildId,
        /// How.
        report: Box<BuildReport>,
    },
    /// A launch has ended.
    LaunchEnded {
        /// Which.
        instance: InstanceId,
        /// How.
        launched: Result<Instance, LaunchError>,
    },
    /// An instance has stopped and left nothing behind.
    Stopped,
    /// The state was stored, or not.
    Saved {
        /// Which attempt.
        number: u64,
        /// How it ended.
        stored: Result<(), CommitError>,
    },
    /// A time has come that was asked for.
    Tick,
    /// The owner deletes the Space; the batch is stored with it.
    Remove(Batch),
    /// The host stops.
    Shutdown(Duration),
}

impl Member {
    pub(crate) fn new(space: SpaceId, slot: Arc<RouteSlot>, view: FleetView, owned: Owned) -> Arc<Self> {
        Arc::new(Self {
            space,
            slot,
            view: watch::Sender::new(view),
            meter: Mutex::default(),
            tally: Mutex::default(),
            waiters: AtomicUsize::new(0),
            is_visited: AtomicBool::new(false),
            last_build: AtomicU64::new(0),
            inbox: Mutex::default(),
            owned: tokio::sync::Mutex::new(owned),
        })
    }

    /// Hands over a message. Never waits.
    pub(crate) fn post(self: &Arc<Self>, shared: &Arc<Shared>, input: Input) {
        self.push(shared, Message { input, reply: None });
    }

    /// Hands over a message and waits until it is dealt with.
    pub(crate) async fn ask(self: &Arc<Self>, shared: &Arc<Shared>, input: Input) -> Result<(), FleetError> {
        if shared.closing.is_cancelled() {
            return Err(FleetError::Stopping);
        }
        let (reply, answer) = oneshot::channel();
        self.push(shared, Message { input, reply: Some(reply) });
        // Without an answer the task has gone, as tasks do when the runtime ends.
        answer.await.unwrap_or(Err(FleetError::Stopping))
    }

    fn push(self: &Arc<Self>, shared: &Arc<Shared>, message: Message) {
        let needs_task = {
            let mut inbox = self.inbox.lock();
            inbox.queue.push_back(message);
            !std::mem::replace(&mut inbox.has_task, true)
        };
        if needs_task {
            let (shared_too, member) = (shared.clone(), self.clone());
            shared.spawn(async move { member.run(&shared_too).await });
        }
    }

    /// Deals with messages until there is none.
    async fn run(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut owned = self.owned.lock().await;
        while let Some(Message { input, reply }) = self.next() {
            let mut supervisor = Supervisor::new(shared, self, &mut owned);
            // A bug met by one message must not leave the Space without a supervisor.
            let handled = AssertUnwindSafe(supervisor.handle(input)).catch_unwind().await;
            let handled = handled.unwrap_or_else(|_| {
                tracing::error!(space_id = %self.space, "a supervisor has panicked");
                Err(FleetError::Panicked)
            });
            match (reply, handled) {
                // Whoever asked may have gone.
                (Some(reply), handled) => drop(reply.send(handled)),
                (None, Err(error)) => {
                    tracing::warn!(space_id = %self.space, %error, "a Space could not be looked after")
                }
                (None, Ok(())) => {}
            }
        }
    }

    fn next(&self) -> Option<Message> {
        let mut inbox = self.inbox.lock();
        let message = inbox.queue.pop_front();
        if message.is_none() {
            inbox.has_task = false;
            inbox.queue.shrink_to(KEPT_ROOM);
        }
        message
    }
}
