//! The instances of a backend: what runs, or ran and was not removed.

use serde::{Deserialize, Serialize};

use crate::decode::{list, no_twins};
use crate::{DecodeError, InstanceId, Line, Message, limits};

/// The reply of list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// Every instance.
    #[serde(deserialize_with = "list::<_, _, { limits::INSTANCES }>")]
    pub instances: Vec<Instance>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The name that the host gave it.
    pub id: InstanceId,
    /// How it is.
    pub state: InstanceState,
}

/// How an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum InstanceState {
    /// Its program runs.
    Running,
    /// Its program has ended.
    Exited {
        /// The exit code; absent after a signal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// Why, in a sentence for the owner.
        reason: Line,
    },
}

/// The request of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Milliseconds it is given to end by itself, at most [`limits::GRACE`].
    pub grace_ms: u64,
}

impl Instance {
    /// Whether it is the one that was asked for.
    pub fn check_against(&self, id: &InstanceId) -> Result<(), DecodeError> {
        match self.id == *id {
            true => Ok(()),
            false => Err(DecodeError::invalid::<Self>(&format!("asked for {id} it answers for {}", self.id))),
        }
    }
}

impl Message for Instances {
    const WHAT: &'static str = "the list of instances";

    fn check(&self) -> Result<(), String> {
        no_twins("instance", self.instances.iter().map(|instance| &instance.id))
    }
}

impl Message for Instance {
    const WHAT: &'static str = "the state of an instance";
    const MOST: usize = 64 << 10;
}

impl Message for StopRequest {
    const WHAT: &'static str = "the request to stop";
    const MOST: usize = 4 << 10;

    fn check(&self) -> Result<(), String> {
        match u128::from(self.grace_ms) > limits::GRACE.as_millis() {
            true => Err(format!("grace_ms is {}; at most {} is given", self.grace_ms, limits::GRACE.as_millis())),
            false => Ok(()),
        }
    }
}
