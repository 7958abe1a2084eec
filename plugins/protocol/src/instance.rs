//! The instances of a backend: what runs, or ran and was not removed.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::decode::{list, no_twins};
use crate::{Artifact, DecodeError, InstanceId, Line, Message, limits};

/// The reply of list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// Every instance.
    #[serde(deserialize_with = "list::<_, _, { limits::INSTANCES }>")]
    pub instances: Vec<Instance>,
}

/// One instance: all that a host needs that finds it running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The name that the host gave it.
    pub id: InstanceId,
    /// What it was made of.
    pub artifact: Artifact,
    /// How it is.
    pub state: InstanceState,
}

/// How an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum InstanceState {
    /// Its program runs. Whether it answers is for the host to see.
    Running {
        /// Where the host reaches the port that the start named. The same as long as it runs.
        address: SocketAddr,
    },
    /// Its program has ended.
    Exited {
        /// The exit code; absent after a signal. Programs read it: for people, the reason has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// Why, in a sentence for the owner, with the last that it wrote.
        reason: Line,
    },
}

/// The request of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Milliseconds it is given to end by itself, at most [`limits::GRACE`].
    pub grace_ms: u64,
}

/// The reply of remove: nothing of it is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The name that the host gave it.
    pub id: InstanceId,
}

impl Removed {
    /// Whether it is the one that was asked for.
    pub fn check_against(&self, id: &InstanceId) -> Result<(), DecodeError> {
        match self.id == *id {
            true => Ok(()),
            false => Err(DecodeError::invalid::<Self>(&format!("asked for {id} it answers for {}", self.id))),
        }
    }
}

impl Instance {
    /// Whether it is the one that was asked for.
    pub fn check_against(&self, id: &InstanceId) -> Result<(), DecodeError> {
        match self.id == *id {
            true => Ok(()),
            false => Err(DecodeError::invalid::<Self>(&format!("asked for {id} it answers for {}", self.id))),
        }
    }

    /// Whether it is the one that was to be started, of what it was to be made of.
    pub fn check_started(&self, id: &InstanceId, artifact: &Artifact) -> Result<(), DecodeError> {
        self.check_against(id)?;
        match self.artifact == *artifact {
            true => Ok(()),
            false => Err(DecodeError::invalid::<Self>(&format!("asked to run {artifact} it runs {}", self.artifact))),
        }
    }
}

impl Message for Instances {
    const WHAT: &'static str = "the list of instances";

    fn check(&self) -> Result<(), String> {
        self.instances.iter().try_for_each(Instance::check)?;
        no_twins("instance", self.instances.iter().map(|instance| &instance.id))
    }
}

impl Message for Instance {
    const WHAT: &'static str = "the state of an instance";
    const MOST: usize = 64 << 10;

    fn check(&self) -> Result<(), String> {
        match &self.state {
            InstanceState::Running { address } if address.port() == 0 || address.ip().is_unspecified() => {
                Err(format!("instance {} is at {address}, where nothing can be", self.id))
            }
            InstanceState::Running { .. } | InstanceState::Exited { .. } => Ok(()),
        }
    }
}

impl Message for Removed {
    const WHAT: &'static str = "the answer to a removal";
    const MOST: usize = 4 << 10;
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
