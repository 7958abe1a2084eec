//! The start of an instance.

use serde::{Deserialize, Serialize};

use crate::decode::{list, number};
use crate::environment::check_variables;
use crate::{Artifact, Egress, Hardware, HostPath, InstanceId, Message, Variable, limits};

/// The request of start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// The name that the host gives the instance.
    pub id: InstanceId,
    /// What is to run.
    pub artifact: Artifact,
    /// What it may use; what its row names of devices is its alone.
    pub hardware: Hardware,
    /// Its environment: variables and secrets alike.
    #[serde(default, deserialize_with = "list::<_, _, { limits::VARIABLES }>")]
    pub variables: Vec<Variable>,
    /// The TCP port on which it will listen.
    pub port: u16,
    /// What it finds at `/data`; absent: there is no such folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Where it may connect to.
    pub egress: Egress,
}

/// Files that outlive every instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The folder. The plugin gives it to the user that the app runs as, and never removes anything of it.
    pub folder: HostPath,
    /// Bytes that may lie in it.
    #[serde(deserialize_with = "number")]
    pub quota_bytes: u64,
}

impl Message for StartRequest {
    const WHAT: &'static str = "the request to start";
    const MOST: usize = limits::REQUEST;

    fn check(&self) -> Result<(), String> {
        if self.port == 0 {
            return Err("port is 0".to_owned());
        }
        check_variables(&[&self.variables])
    }
}
