//! A build: the files of a revision become an artifact, and somebody reads along.

use serde::{Deserialize, Serialize};

use crate::decode::{list, number, seconds};
use crate::environment::check_variables;
use crate::{
    Artifact, DecodeError, Egress, FilePath, HostPath, InstanceId, Line, LogLine, Message, Script, Variable, Word,
    limits,
};

/// The request of build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRequest {
    /// The name that the host gives this build.
    pub id: InstanceId,
    /// Builds of one scope may share what they leave for the next, such as downloaded packages; those of different scopes
    /// share nothing that one of them can write.
    pub scope: InstanceId,
    /// What is to be made.
    pub recipe: Recipe,
    /// The folder with the revision's files. The plugin only reads it.
    pub files: HostPath,
    /// What the build may know and the artifact may hold.
    #[serde(default, deserialize_with = "list::<_, _, { limits::VARIABLES }>")]
    pub variables: Vec<Variable>,
    /// What the build may read where it asks for it by name, and the artifact must not hold.
    #[serde(default, deserialize_with = "list::<_, _, { limits::VARIABLES }>")]
    pub secrets: Vec<Variable>,
    /// Nothing that an earlier build has left is used.
    #[serde(default)]
    pub clean: bool,
    /// Where it may connect to.
    pub egress: Egress,
    /// How much it may use.
    pub limits: BuildLimits,
}

/// What is to be made of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sdk", rename_all = "snake_case")]
pub enum Recipe {
    /// What the repository's `Dockerfile` says.
    Docker,
    /// A Python app with its requirements.
    Gradio {
        /// The program.
        app_file: FilePath,
        /// The version of Python; absent: the one that the backend has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        python_version: Option<Word>,
        /// The version of gradio; absent: the newest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sdk_version: Option<Word>,
    },
    /// The files of a web site, by a command. It is given no secrets.
    Static {
        /// The command, for a shell, run in the folder of the files.
        command: Script,
        /// An empty folder, into which the plugin writes all that lies in the folder of the files when the command has
        /// ended well.
        output: HostPath,
    },
}

/// How much a build may use; one that uses more fails, by the owner's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLimits {
    /// Seconds it may take, at most [`limits::BUILD`].
    pub seconds: u64,
    /// Bytes of its log.
    #[serde(deserialize_with = "number")]
    pub log_bytes: u64,
    /// Bytes of what it makes.
    #[serde(deserialize_with = "number")]
    pub disk_bytes: u64,
}

/// One line of the reply of build. The last one says how it ended; there are none but log lines before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BuildEvent {
    /// Something for the owner to read.
    Log(LogLine),
    /// There is an artifact. It is kept until [`crate::Retain`] says that nobody needs it.
    Built {
        /// What a start is to name.
        artifact: Artifact,
        /// Its size.
        #[serde(deserialize_with = "number")]
        bytes: u64,
    },
    /// The folder named in [`Recipe::Static`] is filled.
    Written {
        /// Regular files in it.
        #[serde(deserialize_with = "number")]
        files: u64,
        /// Bytes of these.
        #[serde(deserialize_with = "number")]
        bytes: u64,
    },
    /// It failed.
    Failed {
        /// Who can do something about it.
        fault: Fault,
        /// Why, in a sentence for the owner.
        message: Line,
    },
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The owner: the same revision would fail again.
    Owner,
    /// The operator, or time: the same revision may do well later.
    Platform,
}

impl BuildEvent {
    /// Whether nothing comes after it.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Log(_))
    }

    /// Whether it is an end that such a build can have.
    pub fn check_against(&self, recipe: &Recipe) -> Result<(), DecodeError> {
        let is_static = matches!(recipe, Recipe::Static { .. });
        match self {
            Self::Built { .. } if is_static => Err(DecodeError::invalid::<Self>("an artifact of what is only written")),
            Self::Written { .. } if !is_static => Err(DecodeError::invalid::<Self>("files in place of an artifact")),
            _ => Ok(()),
        }
    }
}

impl Message for BuildRequest {
    const WHAT: &'static str = "the request to build";
    const MOST: usize = limits::REQUEST;

    fn check(&self) -> Result<(), String> {
        if let Recipe::Static { .. } = self.recipe
            && !self.secrets.is_empty()
        {
            return Err("the files of a web site are built without secrets".to_owned());
        }
        seconds("limits.seconds", self.limits.seconds, limits::BUILD)?;
        check_variables(&[&self.variables, &self.secrets])
    }
}

impl Message for BuildEvent {
    const WHAT: &'static str = "a line of a build";
    const MOST: usize = limits::STREAM_LINE;

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Log(line) => line.check(),
            Self::Built { .. } | Self::Written { .. } | Self::Failed { .. } => Ok(()),
        }
    }
}
