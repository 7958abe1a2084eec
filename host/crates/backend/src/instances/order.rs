//! What is to run, who is told of it, and why it does not.

use std::sync::Arc;

use spaceport_backend_protocol::{
    Artifact, Data, Egress, ErrorCode, Fault, Hardware, InstanceId, LogLine, StartRequest, Variable,
};

use crate::CallError;

/// What is to run.
#[derive(Clone)]
pub struct Order {
    /// Whose it is: at most 24 lower-case letters and digits.
    pub owner: String,
    /// The owner's number for this launch.
    pub number: u64,
    /// What is to run.
    pub artifact: Artifact,
    /// What it may use.
    pub hardware: Hardware,
    /// Its environment.
    pub variables: Vec<Variable>,
    /// The port it will listen on.
    pub port: u16,
    /// What it finds at `/data`.
    pub data: Option<Data>,
    /// Where it may connect to.
    pub egress: Egress,
    /// Until when the log of an instance that runs already is known, in milliseconds since 1970; `None`: not at all.
    pub logged_until: Option<u64>,
    /// Who is told what becomes of it.
    pub witness: Arc<dyn Witness>,
}

/// Who is told what becomes of an instance.
pub trait Witness: Send + Sync + 'static {
    /// It has written a line.
    fn wrote(&self, line: &LogLine);

    /// It has ended by itself, with the reason in a sentence for its owner. Told once, after its last line.
    fn ended(&self, reason: String);
}

impl Order {
    /// The request under this id.
    pub(super) fn request(&self, id: InstanceId) -> StartRequest {
        StartRequest {
            id,
            artifact: self.artifact.clone(),
            hardware: self.hardware.clone(),
            variables: self.variables.clone(),
            port: self.port,
            data: self.data.clone(),
            egress: self.egress.clone(),
        }
    }
}

/// Why an instance does not run, by what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The backend does not answer: later it may.
    #[error("{0}")]
    NotAnswering(String),
    /// What it needs is taken: later it may be free.
    #[error("{0}")]
    Taken(String),
    /// The artifact is gone: it can be built again.
    #[error("its artifact is gone")]
    NoArtifact,
    /// The backend does not start such a thing.
    #[error("{0}")]
    Refused(String),
    /// It has ended at once.
    #[error("{0}")]
    Ended(String),
}

/// Why there is no artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The backend does not answer: later it may.
    #[error("{0}")]
    NotAnswering(String),
    /// The build failed.
    #[error("{message}")]
    Failed {
        /// Who can do something about it.
        fault: Fault,
        /// Why, in a sentence for the owner.
        message: String,
    },
}

impl StartError {
    pub(super) fn of_call(error: CallError) -> Self {
        match error {
            CallError::Refused { refusal, .. } => match refusal.error {
                ErrorCode::Busy => Self::Taken(refusal.message.to_string()),
                ErrorCode::NoSuchArtifact => Self::NoArtifact,
                ErrorCode::Unavailable => Self::NotAnswering(refusal.message.to_string()),
                ErrorCode::BadRequest | ErrorCode::NoSuchCall | ErrorCode::NoSuchInstance | ErrorCode::Failed => {
                    Self::Refused(refusal.message.to_string())
                }
            },
            error => Self::NotAnswering(error.to_string()),
        }
    }
}
