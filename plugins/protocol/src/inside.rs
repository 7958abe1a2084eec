//! What can be learned of a running instance: what it has used, and what a command inside it says.

use serde::{Deserialize, Serialize};

use crate::decode::{list, number, seconds};
use crate::{Message, limits};

/// The reply of stats. What is called used only grows as long as the instance runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Microseconds on a CPU that were used.
    #[serde(deserialize_with = "number")]
    pub cpu_us: u64,
    /// Memory it has at the moment, without what the system could take back at once.
    #[serde(deserialize_with = "number")]
    pub memory_bytes: u64,
    /// Disk it has at the moment, of the kind that is lost with it.
    #[serde(deserialize_with = "number")]
    pub disk_bytes: u64,
    /// Bytes at `/data`.
    #[serde(deserialize_with = "number")]
    pub data_bytes: u64,
    /// Bytes that it received, used.
    #[serde(deserialize_with = "number")]
    pub received_bytes: u64,
    /// Bytes that it sent, used.
    #[serde(deserialize_with = "number")]
    pub sent_bytes: u64,
}

/// The request of exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecRequest {
    /// The program and its arguments, each of at most [`limits::ARGUMENT`] bytes. It runs as the app does.
    #[serde(deserialize_with = "list::<_, _, { limits::ARGUMENTS }>")]
    pub command: Vec<String>,
    /// Seconds it may take, at most [`limits::EXEC`]; after that it is ended, if it is the backend's to end.
    pub seconds: u64,
}

/// The reply of exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecReply {
    /// The exit code; absent: it did not end in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// What it wrote, both streams, any characters; at most [`limits::OUTPUT`] bytes.
    pub output: String,
}

impl Message for Stats {
    const WHAT: &'static str = "the account of what an instance has used";
    const MOST: usize = 4 << 10;
}

impl Message for ExecRequest {
    const WHAT: &'static str = "the request to run a command";
    const MOST: usize = limits::ARGUMENTS * limits::ARGUMENT * 6 + (4 << 10);

    fn check(&self) -> Result<(), String> {
        if self.command.is_empty() {
            return Err("the command is empty".to_owned());
        }
        let is_wrong = |argument: &String| argument.len() > limits::ARGUMENT || argument.contains('\0');
        if self.command.iter().any(is_wrong) {
            return Err(format!("an argument has a NUL or more than {} bytes", limits::ARGUMENT));
        }
        seconds("seconds", self.seconds, limits::EXEC)
    }
}

impl Message for ExecReply {
    const WHAT: &'static str = "what a command has said";
    const MOST: usize = limits::OUTPUT * 6 + 256;

    fn check(&self) -> Result<(), String> {
        match self.output.len() > limits::OUTPUT {
            true => Err(format!("{} bytes of output; at most {} are read", self.output.len(), limits::OUTPUT)),
            false => Ok(()),
        }
    }
}
