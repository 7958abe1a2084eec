//! What builds have made: what is needed is kept, the rest goes by age and size.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decode::{list, no_twins, number};
use crate::{Artifact, DecodeError, Message, limits};

/// The request of retain. The host asks it now and then, with every artifact that any of its releases has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retain {
    /// What may be started again. Of these nothing is removed, nor of what an instance runs.
    #[serde(deserialize_with = "list::<_, _, { limits::ARTIFACTS }>")]
    pub needed: Vec<Artifact>,
    /// Seconds that the rest is kept. What was built in the last minutes is kept in any case, since it may be newer than
    /// the list.
    #[serde(deserialize_with = "number")]
    pub seconds: u64,
    /// Bytes that the rest may have together, with what builds leave for the next; beyond, the oldest goes sooner.
    #[serde(deserialize_with = "number")]
    pub bytes: u64,
}

/// The reply of retain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// What is needed and is not there: it must be built again before it is started.
    #[serde(deserialize_with = "list::<_, _, { limits::ARTIFACTS }>")]
    pub missing: Vec<Artifact>,
    /// How many artifacts were removed.
    #[serde(deserialize_with = "number")]
    pub removed: u64,
    /// Bytes that became free, as far as that is known.
    #[serde(deserialize_with = "number")]
    pub freed_bytes: u64,
}

impl Retained {
    /// Whether it answers this question.
    pub fn check_against(&self, asked: &Retain) -> Result<(), DecodeError> {
        let needed: BTreeSet<&Artifact> = asked.needed.iter().collect();
        match self.missing.iter().find(|artifact| !needed.contains(artifact)) {
            Some(foreign) => Err(DecodeError::invalid::<Self>(&format!("nobody asked for {foreign}"))),
            None => Ok(()),
        }
    }
}

impl Message for Retain {
    const WHAT: &'static str = "the list of what is needed";

    fn check(&self) -> Result<(), String> {
        no_twins("artifact", self.needed.iter())
    }
}

impl Message for Retained {
    const WHAT: &'static str = "the answer on what was kept";

    fn check(&self) -> Result<(), String> {
        no_twins("artifact", self.missing.iter())
    }
}
